/* An end of a stream with one thread in epoll, level- or edge-triggered, that reads and writes by
 * turns. */
#ifndef STRESS_STREAM_EPOLL_H
#define STRESS_STREAM_EPOLL_H

#include <sys/epoll.h>

#include "stream.h"

struct turn {
	struct end *e;
	int epoll;
	uint32_t interest; /* what a level-triggered end has registered */
	bool readable,
		writable; /* edge: until a short or refused call; level: until the next call */
	bool hung_up;	  /* EPOLLRDHUP, EPOLLHUP or EPOLLERR was seen: a short read no longer ends
			 reading */
	uint64_t read_at, write_at; /* pausing until then, in µs */
	unsigned char *in, *out;
	size_t pending,
		done; /* the write under way: of `pending` bytes in `out`, `done` are sent */
	unsigned pause_after;
};

static inline void turn_read(struct turn *t)
{
	struct end *e = t->e;
	size_t asked = next_read(e);
	ssize_t n = recv(e->fd, t->in, asked, 0);

	if (e->reader == READER_LEVEL)
		t->readable = false;
	if (n < 0 && errno == EAGAIN) {
		t->readable = false;
		return;
	}
	if (n < 0)
		stream_fault(e, EXIT_WRONG_END, "recv");
	if ((size_t)n < asked && !t->hung_up) {
		t->readable = false;
		e->n_short++;
	}
	take(e, t->in, (size_t)n);
	t->read_at = now_us() + next_pause(e) * 1000ULL;
}

static inline void turn_write(struct turn *t)
{
	struct end *e = t->e;
	ssize_t n;

	if (t->done == t->pending && holds_back(e)) {
		t->write_at = now_us() + 1000;
		return;
	}
	if (t->done == t->pending) {
		uint64_t left = e->out->total - e->out->sent;

		t->pending = next_write(&e->writes, &t->pause_after);
		if (t->pending > left)
			t->pending = left;
		t->done = 0;
		pattern_fill(e->out->key, e->out->sent, t->out, t->pending);
	}
	n = send(e->fd, t->out + t->done, t->pending - t->done, MSG_NOSIGNAL);
	/* An edge-triggered writer takes a short write as "full", as tokio does. */
	if (e->reader == READER_LEVEL || n < (ssize_t)(t->pending - t->done))
		t->writable = false;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		stream_fault(e, EXIT_WRONG_END, "send");
	t->done += (size_t)n;
	e->out->sent += (uint64_t)n;
	e->n_writes++;
	if (t->done == t->pending)
		t->write_at = now_us() + t->pause_after * 1000ULL;
}

/* How long epoll may sleep: not at all while a call is due, until the pause that ends first, else
 * for ever. */
static inline int turn_timeout(const struct turn *t, uint64_t now, bool reads, bool writes)
{
	uint64_t at = UINT64_MAX;

	if (reads && (t->readable || t->e->reader == READER_LEVEL) && t->read_at > now)
		at = t->read_at;
	else if (reads && t->readable)
		return 0;
	if (writes && (t->writable || t->e->reader == READER_LEVEL) && t->write_at > now)
		at = t->write_at < at ? t->write_at : at;
	else if (writes && t->writable)
		return 0;
	return at == UINT64_MAX ? -1 : (int)((at - now + 999) / 1000);
}

static inline void turn_wait(struct turn *t, bool reads, bool writes)
{
	struct epoll_event event = {.events = 0};
	uint64_t now = now_us();
	uint32_t want = (reads && t->read_at <= now ? EPOLLIN | EPOLLRDHUP : 0u) |
			(writes && t->write_at <= now ? (uint32_t)EPOLLOUT : 0u);
	int n;

	if (t->e->reader == READER_LEVEL && want != t->interest) {
		event.events = t->interest = want;
		if (epoll_ctl(t->epoll, EPOLL_CTL_MOD, t->e->fd, &event))
			die("epoll_ctl");
	}
	n = epoll_wait(t->epoll, &event, 1, turn_timeout(t, now, reads, writes));
	if (n < 0 && errno != EINTR)
		die("epoll_wait");
	if (n <= 0)
		return;
	if (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		t->hung_up = t->readable = true;
	if (event.events & EPOLLIN)
		t->readable = true;
	if (event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		t->writable = true;
}

static inline void *epoll_end(void *arg)
{
	struct end *e = arg;
	struct turn t = {.e = e, .epoll = epoll_create1(EPOLL_CLOEXEC)};
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};

	t.in = malloc(LARGEST_READ);
	t.out = malloc(LARGEST_WRITE);
	if (!t.in || !t.out)
		die("malloc");
	if (fcntl(e->fd, F_SETFL, O_NONBLOCK))
		die("O_NONBLOCK");
	if (e->reader == READER_LEVEL)
		event.events = t.interest = 0;
	if (t.epoll < 0 || epoll_ctl(t.epoll, EPOLL_CTL_ADD, e->fd, &event))
		die("epoll");
	while (!e->in->ended || !e->shut) {
		bool reads = !e->in->ended, writes = e->out->sent < e->out->total;

		if (!e->shut && may_shut(e)) {
			shut(e);
			continue;
		}
		turn_wait(&t, reads, writes);
		if (reads && t.readable && t.read_at <= now_us())
			turn_read(&t);
		if (writes && t.writable && t.write_at <= now_us())
			turn_write(&t);
	}
	close(t.epoll);
	free(t.in);
	free(t.out);
	return NULL;
}

#endif
