/* How the lives of a worker of churn.c begin and end in its epoll: connect, accept, registration,
 * retirement. */
#ifndef STRESS_CHURN_LOOP_H
#define STRESS_CHURN_LOOP_H

#include "churn_end.h"

/*
 * Two listeners a worker: with net.ipv4.tcp_tw_reuse = 2 a tuple in TIME_WAIT is taken again after
 * a second, so that at most listeners × 28,232 local ports wait there, however long the run
 * (net.ipv4.tcp_max_tw_buckets is 131,072).
 */
enum { LISTENERS = 2, EVENTS = 64 };

struct listener {
	int fd;
	uint16_t port;
	uint64_t accept_at; /* accepting is put off until then (early data); 0: it is not */
	struct life *by_port[1 << 16];
};

struct loop {
	struct worker w;
	struct listener listeners[LISTENERS];
	struct life *lives;
	uint64_t started, quota;
	unsigned busy;
	struct rng rng;
};

static inline void watch_fd(struct loop *l, int how, int fd, uint32_t events, void *what)
{
	struct epoll_event event = {.events = events, .data.ptr = what};

	if (epoll_ctl(l->w.epoll, how, fd, &event))
		die("epoll_ctl");
}

/* The registration that the end needs now; the epoll of a closed end went with its socket. */
static inline void set_interest(struct loop *l, struct end *e)
{
	uint32_t want = (may_read(e) ? (uint32_t)EPOLLIN : 0u) |
			(may_write(e) || e->connecting ? (uint32_t)EPOLLOUT : 0u);

	if (e->closed || e->part->edge || want == e->interest)
		return;
	watch_fd(l, EPOLL_CTL_MOD, e->fd, want, e);
	e->interest = want;
}

static inline void dress(const struct part *p, int fd)
{
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, p->nodelay);
	if (p->rcvbuf)
		set_int(fd, SOL_SOCKET, SO_RCVBUF, p->rcvbuf);
	if (p->sndbuf)
		set_int(fd, SOL_SOCKET, SO_SNDBUF, p->sndbuf);
}

static inline void retire(struct loop *l, struct life *life)
{
	if (!life->busy || !life->end[CLIENT].closed || !life->end[SERVER].closed)
		return;
	life->busy = false;
	l->busy--;
	l->w.totals.connections++;
	l->w.totals.endings[life->plan.ending]++;
}

/* Runs an end; the life is over when both ends are closed. */
static inline void run_life(struct loop *l, struct end *e)
{
	if (e->open && !e->closed && !e->connecting)
		run_end(&l->w, e);
	if (e->open)
		set_interest(l, e);
	retire(l, e->life);
}

static inline void open_end(struct loop *l, struct end *e, int fd)
{
	e->fd = fd;
	e->open = true;
	e->life->moved_at = now_us();
	dress(e->part, fd);
	if (e->part->edge) {
		watch_fd(l, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, e);
	} else {
		watch_fd(l, EPOLL_CTL_ADD, fd, 0, e);
		set_interest(l, e);
	}
}

static inline void begin_life(struct loop *l, struct life *life)
{
	const struct options *o = l->w.options;
	unsigned which = (unsigned)(l->started % LISTENERS);
	struct listener *to = &l->listeners[which];
	struct sockaddr_storage at;
	struct life **last;
	socklen_t len;
	int fd;

	*life = (struct life){.number = l->started++,
			      .worker = l->w.number,
			      .busy = true,
			      .listener = (uint16_t)which};
	life->plan = draw_plan(o->seed, life->worker, life->number, o->only);
	if (o->level)
		life->plan.part[CLIENT].edge = life->plan.part[SERVER].edge = false;
	for (int side = 0; side < 2; side++)
		life->end[side] = (struct end){
			.life = life,
			.side = side,
			.fd = -1,
			.part = &life->plan.part[side],
			.key_out = mix_of(o->seed, life->worker, life->number, 20 + (uint64_t)side),
			.key_in = mix_of(o->seed, life->worker, life->number, 20 + (uint64_t)!side),
			.expects = life->plan.part[!side].send,
			.rng = {mix_of(o->seed, life->worker, life->number, 30 + (uint64_t)side)},
		};
	l->busy++;
	fd = client_socket(o->family, o->address, to->port, life->number, SOCK_NONBLOCK, &at, &len);
	while (connect(fd, (struct sockaddr *)&at, len) && errno != EINPROGRESS) {
		if (errno != EADDRNOTAVAIL)
			die("connect");
		l->w.totals.port_waits++;
		poll(NULL, 0, 10);
	}
	len = sizeof(at);
	if (getsockname(fd, (struct sockaddr *)&at, &len))
		die("getsockname");
	life->port = port_of(&at);
	for (last = &to->by_port[life->port]; *last; last = &(*last)->same_port)
		;
	*last = life;
	life->end[CLIENT].connecting = true;
	open_end(l, &life->end[CLIENT], fd);
}

/* Accepts all that wait, and gives each to its life: connections of one client port are accepted in
 * their order. */
static inline void accept_all(struct loop *l, struct listener *from)
{
	for (;;) {
		struct sockaddr_storage peer;
		socklen_t len = sizeof(peer);
		int fd = accept4(from->fd, (struct sockaddr *)&peer, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct life *life;
		struct end *client;

		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0)
			die("accept");
		life = from->by_port[port_of(&peer)];
		if (!life) {
			errno = 0;
			die("accepted a connection from port %u that nobody made", port_of(&peer));
		}
		from->by_port[port_of(&peer)] = life->same_port;
		life->same_port = NULL;
		client = &life->end[CLIENT];
		l->w.totals.early += client->sent > 0;
		l->w.totals.gone_early += client->closed;
		open_end(l, &life->end[SERVER], fd);
		run_life(l, &life->end[SERVER]);
	}
}

/* One time in four the listener lets its clients wait, so that they send, shut and leave before
 * they are accepted. */
static inline void accept_soon(struct loop *l, struct listener *from)
{
	if (!rng_one_in(&l->rng, 4)) {
		accept_all(l, from);
		return;
	}
	from->accept_at = now_us() + 1000 + rng_below(&l->rng, 4000);
	watch_fd(l, EPOLL_CTL_MOD, from->fd, 0, from);
}

#endif
