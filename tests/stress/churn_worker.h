/* A worker of churn.c: one thread and one epoll for both ends of all its lives, its timers and its
 * watchdog. */
#ifndef STRESS_CHURN_WORKER_H
#define STRESS_CHURN_WORKER_H

#include "churn_loop.h"

/* What is due by the clock: put-off accepts, stalls, leaves. Returns when the next is due, in ms;
 * -1: nothing is. */
static inline int run_timers(struct loop *l)
{
	uint64_t next = UINT64_MAX, now = now_us();

	for (int i = 0; i < LISTENERS; i++) {
		struct listener *from = &l->listeners[i];

		if (from->accept_at && from->accept_at <= now) {
			from->accept_at = 0;
			watch_fd(l, EPOLL_CTL_MOD, from->fd, EPOLLIN, from);
			accept_all(l, from);
		}
		if (from->accept_at && from->accept_at < next)
			next = from->accept_at;
	}
	for (unsigned i = 0; i < l->w.options->at_once * 2; i++) {
		struct end *e = &l->lives[i / 2].end[i % 2];

		if (!e->life || !e->life->busy || !e->open || e->closed)
			continue;
		if ((e->stall_until && e->stall_until <= now) || (e->look_at && e->look_at <= now))
			run_life(l, e);
		if (e->closed)
			continue;
		if (e->stall_until && e->stall_until < next)
			next = e->stall_until;
		if (e->look_at && e->look_at < next)
			next = e->look_at;
	}
	return next == UINT64_MAX ? -1 : next <= now ? 0 : (int)((next - now + 999) / 1000);
}

/* Nobody may stay stuck: a life in which nothing moved for too long ends the program, after a look
 * at both ends. */
static inline void watch_lives(struct loop *l)
{
	uint64_t now = now_us();
	bool stuck = false;

	for (unsigned i = 0; i < l->w.options->at_once; i++) {
		struct life *life = &l->lives[i];

		if (!life->busy || now - life->moved_at < l->w.options->stall_s * 1000000ULL)
			continue;
		stuck = true;
		flockfile(stderr);
		fprintf(stderr, "stuck for %llu ms:\n",
			(unsigned long long)(now - life->moved_at) / 1000);
		report_life(stderr, l->w.options->seed, life);
		for (int side = 0; side < 2; side++) {
			struct end *e = &life->end[side];

			report_socket(stderr, side ? "server" : "client",
				      e->open && !e->closed ? e->fd : -1);
			fprintf(stderr,
				"    readable %d writable %d hung_up %d interest 0x%x stalling "
				"%d\n",
				e->readable, e->writable, e->hung_up, e->interest,
				e->stall_until != 0);
		}
		funlockfile(stderr);
	}
	if (stuck)
		_exit(EXIT_STUCK);
}

static inline void take_event(struct loop *l, const struct epoll_event *event)
{
	struct end *e = event->data.ptr;

	for (int i = 0; i < LISTENERS; i++)
		if (event->data.ptr == &l->listeners[i]) {
			accept_soon(l, &l->listeners[i]);
			return;
		}
	if (e->closed)
		return;
	e->connecting = false;
	if (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		e->hung_up = e->readable = true;
	if (event->events & EPOLLIN)
		e->readable = true;
	if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		e->writable = true;
	run_life(l, e);
}

static inline void *worker_run(void *arg)
{
	struct loop *l = arg;
	const struct options *o = l->w.options;
	struct epoll_event events[EVENTS];
	uint64_t watched = 0;

	if (o->client_netns)
		close(enter_netns(o->client_netns));
	while (l->started < l->quota || l->busy) {
		int timeout, n;

		for (unsigned i = 0; i < o->at_once && l->started < l->quota; i++)
			if (!l->lives[i].busy)
				begin_life(l, &l->lives[i]);
		timeout = run_timers(l);
		n = epoll_wait(l->w.epoll, events, EVENTS,
			       timeout >= 0 && timeout < 500 ? timeout : 500);
		for (int i = 0; i < n; i++)
			take_event(l, &events[i]);
		l->w.beat = now_us();
		if (l->w.beat - watched > 500000) {
			watched = l->w.beat;
			watch_lives(l);
		}
	}
	return NULL;
}

static inline struct loop *worker_new(const struct options *o, unsigned number, uint64_t quota)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l || !(l->lives = calloc(o->at_once, sizeof(*l->lives))))
		die("calloc");
	l->w.options = o;
	l->w.number = number;
	l->w.beat = now_us();
	l->quota = quota;
	l->rng.state = mix_of(o->seed, number, 0, 40);
	l->w.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->w.epoll < 0)
		die("epoll_create");
	for (int i = 0; i < LISTENERS; i++) {
		l->listeners[i].fd =
			listen_at(o->family, o->address, SOCK_NONBLOCK, &l->listeners[i].port);
		watch_fd(l, EPOLL_CTL_ADD, l->listeners[i].fd, EPOLLIN, &l->listeners[i]);
	}
	return l;
}

#endif
