/* One churned connection in flight, the totals of a worker, and how faults are reported. */
#ifndef STRESS_LIFE_H
#define STRESS_LIFE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "net.h"
#include "pattern.h"
#include "plan.h"

struct options {
	uint64_t seed, connections;
	unsigned workers, at_once, pairs, stall_s;
	enum family family;
	bool level; /* no edge-triggered ends */
	int only;   /* --ending: all lives end in this way; -1: each in one of all ways */
	const char *address, *server_netns, *client_netns;
};

/* Errors that an end may meet after the other end left; each is counted. */
enum { MOST_ERRNO = 134 };

struct totals {
	_Atomic uint64_t connections, bytes, corrupt,
		wrong; /* read by the main thread while they move */
	uint64_t endings[ENDINGS], errors[MOST_ERRNO], blocking, peeks, stalls;
	uint64_t early;	     /* the client had sent bytes before it was accepted */
	uint64_t gone_early; /* …and was closed or reset by then */
	uint64_t
		blocked_when_left; /* the other end was blocked in its sends when the leaver went */
	uint64_t slowest_wake_us;  /* …and until it knew */
	uint64_t late_wakes;	   /* …when that took more than 100 ms */
	uint64_t woken_by_shutdown; /* blocking recv ended with EAGAIN: churn_blocking.h */
	uint64_t woken_by_reset;
	uint64_t port_waits; /* no free local port at once */
};

struct life;

struct end {
	struct life *life;
	int side, fd;
	const struct part *part;
	uint64_t key_out, key_in;
	uint32_t expects, sent, read; /* `expects` is what the other end's plan sends */
	bool open, connecting, closed, eof, shut, left, stalled;
	bool refused, send_refused; /* recv, send met an error */
	bool at_mark;		    /* the leaver waits for leave_at only */
	bool readable, writable, hung_up;
	uint32_t interest;
	uint64_t stall_until, look_at, leave_at, wrote_at; /* µs; 0: not set */
	struct rng rng;
};

struct life {
	uint64_t number, worker, moved_at, left_at;
	struct plan plan;
	struct end end[2];
	bool busy, other_was_blocked;
	uint16_t listener, port;
	struct life
		*same_port; /* the next life from the same client port, not accepted yet either */
};

static inline void report_life(FILE *to, uint64_t seed, const struct life *l)
{
	fprintf(to, "  seed %llu, worker %llu, life %llu\n", (unsigned long long)seed,
		(unsigned long long)l->worker, (unsigned long long)l->number);
	report_plan(to, &l->plan);
	for (int side = 0; side < 2; side++) {
		const struct end *e = &l->end[side];

		fprintf(to, "    %s: sent %u of %u, read %u of %u%s%s%s%s%s%s\n",
			side ? "server" : "client", e->sent, e->part->send, e->read, e->expects,
			e->open ? "" : ", not open", e->closed ? ", closed" : "",
			e->eof ? ", saw EOF" : "", e->shut ? ", shut" : "", e->left ? ", left" : "",
			e->stalled ? ", stalled once" : "");
	}
}

/* A fault that does not end the run: reported (the first few whole) and counted. */
static inline void life_fault(struct totals *t, uint64_t seed, const struct end *e, bool corrupt,
			      const char *what)
{
	uint64_t before = corrupt ? t->corrupt++ : t->wrong++;

	if (before >= 10)
		return;
	flockfile(stderr);
	fprintf(stderr, "%s: %s end: %s\n", corrupt ? "corrupt" : "wrong",
		e->side ? "server" : "client", what);
	report_life(stderr, seed, e->life);
	if (!e->closed)
		report_socket(stderr, "this end", e->fd);
	if (!e->life->end[!e->side].closed)
		report_socket(stderr, "other end",
			      e->life->end[!e->side].open ? e->life->end[!e->side].fd : -1);
	funlockfile(stderr);
}

#endif
