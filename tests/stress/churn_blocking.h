/*
 * Lives with blocking calls: a pair of threads, one at each end, that talk by turns so that neither
 * can block the other for ever. The speaker sends first; the listener then answers, or one of them
 * leaves in the middle.
 */
#ifndef STRESS_CHURN_BLOCKING_H
#define STRESS_CHURN_BLOCKING_H

#include <pthread.h>

#include "life.h"
#include "turns.h"

struct pair;

struct talker {
	struct pair *pair;
	int side;
	struct totals totals;
	struct rng rng;
	uint64_t life;
	_Atomic uint64_t moved_at; /* µs; 0: finished */
	_Atomic int fd;
	unsigned char buffer[64 << 10];
};

struct pair {
	const struct options *options;
	uint64_t number, lives;
	int listener;
	uint16_t port;
	struct talker talker[2];
	pthread_t thread[2];
};

static inline void turn_fault(struct talker *t, bool corrupt, const char *what)
{
	struct turns turns = draw_turns(t->pair->options->seed, t->pair->number, t->life);
	int error = errno;

	if ((corrupt ? t->totals.corrupt++ : t->totals.wrong++) >= 10)
		return;
	flockfile(stderr);
	fprintf(stderr,
		"%s: blocking pair %llu, life %llu, %s (%s): %s: %s\n  ending %d, size %u, answer "
		"%u, mark %u, stall %u ms, "
		"poll first %d, seed %llu\n",
		corrupt ? "corrupt" : "wrong", (unsigned long long)t->pair->number,
		(unsigned long long)t->life, t->side ? "server" : "client",
		turns.speaker == (unsigned)t->side ? "speaker" : "listener", what, strerror(error),
		turns.ending, turns.size, turns.answer, turns.mark, turns.stall_ms,
		turns.poll_first, (unsigned long long)t->pair->options->seed);
	report_socket(stderr, "this end", t->fd);
	funlockfile(stderr);
}

static inline uint64_t turn_key(const struct talker *t, unsigned sender)
{
	return mix_of(t->pair->options->seed, t->pair->number, t->life, 60 + sender);
}

/* False: an error ended it. `may_fail`: the plan lets the other end leave. ETIMEDOUT: churn_end.h. */
static inline bool turn_error(struct talker *t, bool may_fail, const char *call)
{
	if (errno > 0 && errno < MOST_ERRNO)
		t->totals.errors[errno]++;
	if (!may_fail || (errno != ECONNRESET && errno != EPIPE && errno != ETIMEDOUT))
		turn_fault(t, false, call);
	return false;
}

static inline bool turn_send(struct talker *t, uint32_t from, uint32_t to, bool may_fail)
{
	while (from < to) {
		size_t n = rng_log(&t->rng, 1, sizeof(t->buffer));
		ssize_t sent;

		if (n > to - from)
			n = to - from;
		pattern_fill(turn_key(t, (unsigned)t->side), from, t->buffer, n);
		sent = send(t->fd, t->buffer, n, MSG_NOSIGNAL);
		t->moved_at = now_us();
		if (sent < 0)
			return turn_error(t, may_fail, "send");
		from += (uint32_t)sent;
	}
	return true;
}

/*
 * EAGAIN from a blocking recv: never in plain TCP. On a socket in the map recv waits once only
 * (tcp_msg_wait_data), so that whatever wakes it ends it: the ACK of this end's own FIN (FIN_WAIT2
 * calls sk_state_change), or the reset by the other end. Counted by its cause, and read again;
 * anything else is a fault.
 */
static inline void turn_woken(struct talker *t, const struct turns *turns, bool may_fail)
{
	if (turns->ending == TURN_SHUT && turns->speaker == (unsigned)t->side)
		t->totals.woken_by_shutdown++;
	else if (may_fail)
		t->totals.woken_by_reset++;
	else
		turn_fault(t, false, "blocking recv");
}

/* Reads up to `to` bytes, or to EOF where `to` is beyond `end`, the number of bytes that the other
 * end sends. */
static inline bool turn_read(struct talker *t, const struct turns *turns, uint32_t to, uint32_t end,
			     bool may_fail)
{
	uint64_t key = turn_key(t, (unsigned)!t->side);
	uint32_t at = 0;

	while (at < to) {
		size_t asked = rng_log(&t->rng, 1, sizeof(t->buffer)), good;
		struct pollfd p = {.fd = t->fd, .events = POLLIN};
		ssize_t n;

		if (asked > to - at)
			asked = to - at;
		if (turns->poll_first && poll(&p, 1, -1) < 0)
			die("poll");
		n = recv(t->fd, t->buffer, asked, 0);
		if (n < 0 && errno == EAGAIN) {
			turn_woken(t, turns, may_fail);
			continue;
		}
		t->moved_at = now_us();
		if (n < 0)
			return turn_error(t, may_fail, "recv");
		if (n == 0 && at != end && !may_fail)
			turn_fault(t, false, "EOF before the last byte");
		if (n == 0)
			return true;
		good = pattern_check(key, at, t->buffer, (size_t)n);
		if (good != (size_t)n || at + (uint32_t)n > end)
			turn_fault(t, true, "wrong bytes");
		at += (uint32_t)n;
		t->totals.bytes += (uint64_t)n;
	}
	return true;
}

static inline void turn_close(struct talker *t, bool reset)
{
	struct linger linger = {.l_onoff = reset, .l_linger = 0};
	int fd = t->fd;

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)))
		die("SO_LINGER");
	t->fd = -1;
	close(fd);
}

static inline void speak(struct talker *t, const struct turns *turns)
{
	bool leaves = turns->ending == TURN_SPEAKER_RESETS;
	bool orderly = turns->ending <= TURN_COUNTED;

	/* After the listener left, what it sent is nothing: only EOF or an error may come. */
	if (turn_send(t, 0, leaves ? turns->mark : turns->size, !orderly) && !leaves) {
		if (turns->ending == TURN_SHUT && shutdown(t->fd, SHUT_WR))
			turn_fault(t, false, "shutdown");
		turn_read(t, turns, turns->ending == TURN_COUNTED ? turns->answer : UINT32_MAX,
			  orderly ? turns->answer : 0, !orderly);
	}
	turn_close(t, leaves);
}

static inline void hear(struct talker *t, const struct turns *turns)
{
	bool leaves =
		turns->ending == TURN_LISTENER_CLOSES || turns->ending == TURN_LISTENER_RESETS;
	bool may_fail = turns->ending == TURN_SPEAKER_RESETS;

	if (turns->stall_ms)
		poll(NULL, 0, (int)turns->stall_ms);
	if (leaves) {
		turn_read(t, turns, turns->mark, turns->size, false);
	} else if (turn_read(t, turns, turns->ending == TURN_COUNTED ? turns->size : UINT32_MAX,
			     turns->size, may_fail) &&
		   !may_fail && turn_send(t, 0, turns->answer, false) &&
		   turns->ending == TURN_COUNTED) {
		/* The speaker closes when it has the answer: nothing more may come but EOF. */
		turn_read(t, turns, 1, 0, false);
	}
	turn_close(t, turns->ending == TURN_LISTENER_RESETS);
}

static inline void *talker_run(void *arg)
{
	struct talker *t = arg;
	struct pair *p = t->pair;
	const struct options *o = p->options;

	if (t->side == CLIENT && o->client_netns)
		close(enter_netns(o->client_netns));
	for (t->life = 0; t->life < p->lives; t->life++) {
		struct turns turns = draw_turns(o->seed, p->number, t->life);
		struct sockaddr_storage to;
		socklen_t len;

		t->rng.state = mix_of(o->seed, p->number, t->life, 70 + (uint64_t)t->side);
		if (t->side == CLIENT) {
			t->fd = client_socket(o->family, o->address, p->port, t->life, 0, &to,
					      &len);
			if (connect(t->fd, (struct sockaddr *)&to, len))
				die("connect");
		} else {
			t->fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
			if (t->fd < 0)
				die("accept");
			t->totals.connections++;
			t->totals.blocking++;
		}
		set_int(t->fd, IPPROTO_TCP, TCP_NODELAY, turns.nodelay);
		if (turns.rcvbuf)
			set_int(t->fd, SOL_SOCKET, SO_RCVBUF, turns.rcvbuf);
		t->moved_at = now_us();
		if (turns.speaker == (unsigned)t->side)
			speak(t, &turns);
		else
			hear(t, &turns);
		t->moved_at = now_us();
	}
	t->moved_at = 0;
	return NULL;
}

/* True when both ends stay still for too long: one may well wait for the other. */
static inline bool pair_stuck(struct pair *p, uint64_t now)
{
	uint64_t a = p->talker[CLIENT].moved_at, b = p->talker[SERVER].moved_at,
		 last = a > b ? a : b;

	if (!last || now < last || now - last < p->options->stall_s * 1000000ULL)
		return false;
	fprintf(stderr,
		"stuck: blocking pair %llu, client at life %llu, server at life %llu, seed %llu\n",
		(unsigned long long)p->number, (unsigned long long)p->talker[CLIENT].life,
		(unsigned long long)p->talker[SERVER].life, (unsigned long long)p->options->seed);
	report_socket(stderr, "client", p->talker[CLIENT].fd);
	report_socket(stderr, "server", p->talker[SERVER].fd);
	return true;
}

static inline struct pair *pair_new(const struct options *o, uint64_t number, uint64_t lives)
{
	struct pair *p = calloc(1, sizeof(*p));

	if (!p)
		die("calloc");
	p->options = o;
	p->number = number;
	p->lives = lives;
	p->listener = listen_at(o->family, o->address, 0, &p->port);
	for (int side = 0; side < 2; side++) {
		p->talker[side].pair = p;
		p->talker[side].side = side;
		p->talker[side].fd = -1;
		p->talker[side].moved_at = now_us();
	}
	return p;
}

static inline void pair_start(struct pair *p)
{
	for (int side = 0; side < 2; side++)
		if (pthread_create(&p->thread[side], NULL, talker_run, &p->talker[side]))
			die("pthread_create");
}

#endif
