/*
 * The life of one churned connection, drawn from the seed and its number alone: what each end
 * sends, when it starts, whether it stalls, and how it ends. Both ends know the plan, so each knows
 * what the other will send.
 */
#ifndef STRESS_PLAN_H
#define STRESS_PLAN_H

#include <stdio.h>

#include "random.h"

enum { CLIENT = 0, SERVER = 1, MOST_BYTES = 256 << 10 };

/*
 * The first four are orderly: every byte must arrive, then EOF, and no error is allowed. In the
 * others one end (the leaver) goes away in the middle: what the other end gets must be a correct
 * prefix, and it must not stay stuck.
 */
enum ending {
	BOTH_SHUT,   /* each end: shutdown(SHUT_WR) after its last byte, close after EOF */
	HALF_CLOSE,  /* one end shuts first, the other starts to send only when it has seen that EOF
		      */
	FULL_CLOSE,  /* one end closes once it has sent and read all, with no shutdown before */
	SEND_AND_GO, /* one end sends and closes at once; the other sends nothing */
	RESET,	     /* SO_LINGER 0 and close, somewhere in the middle */
	CLOSE_UNREAD,  /* close without reading all */
	CLOSE_BLOCKED, /* the same, while the other end is blocked on a full window */
	RESET_BLOCKED, /* reset while the other end is blocked */
	ENDINGS,
};

static const char *const ending_names[ENDINGS] = {
	"both_shut", "half_close",   "full_close",    "send_and_go",
	"reset",     "close_unread", "close_blocked", "reset_blocked",
};

enum start { AT_ONCE, AFTER_FIRST_BYTE, AFTER_ALL, AFTER_EOF };

static const char *const start_names[] = {"at once", "after the first byte", "after all",
					  "after EOF"};

struct part {
	uint32_t send;
	enum start start;
	bool shuts;	      /* shutdown(SHUT_WR) after the last byte */
	bool closes_at_count; /* close when all is sent and read, without waiting for EOF */
	bool leaves;	      /* this end is the one that goes away in the middle */
	uint32_t leave_sent, leave_read; /* …when it has sent and read so much */
	unsigned leave_ms;		 /* …and so long after */
	uint32_t stall_at;		 /* stop reading there */
	unsigned stall_ms;		 /* for so long; 0: no stall */
	bool edge; /* edge-triggered; a short read or write means drained or full */
	bool nodelay;
	int rcvbuf, sndbuf; /* 0: the default */
};

struct plan {
	enum ending ending;
	struct part part[2];
};

static inline bool plan_orderly(const struct plan *p)
{
	return p->ending <= SEND_AND_GO;
}

static inline uint32_t draw_size(struct rng *r)
{
	return rng_one_in(r, 8) ? 0 : (uint32_t)rng_log(r, 1, MOST_BYTES);
}

/* Buffers smaller than a loopback segment make TCP advance by its timers: seldom, and then with
 * little to send. */
static inline void draw_buffers(struct rng *r, struct part *p)
{
	p->rcvbuf = rng_one_in(r, 4) ? (int)rng_log(r, 32 << 10, 256 << 10) : 0;
	p->sndbuf = rng_one_in(r, 4) ? (int)rng_log(r, 32 << 10, 256 << 10) : 0;
}

static inline void draw_orderly(struct rng *r, struct plan *p, struct part *a, struct part *b)
{
	switch (p->ending) {
	case BOTH_SHUT:
		a->shuts = b->shuts = true;
		if (a->send && rng_one_in(r, 2))
			b->start = rng_one_in(r, 2) ? AFTER_FIRST_BYTE : AFTER_ALL;
		break;
	case HALF_CLOSE:
		a->shuts = true;
		b->shuts = rng_one_in(r, 2);
		b->start = AFTER_EOF;
		b->closes_at_count = !b->shuts;
		break;
	case FULL_CLOSE:
		a->closes_at_count = true;
		b->shuts = rng_one_in(r, 4);
		if (a->send && rng_one_in(r, 2))
			b->start = rng_one_in(r, 2) ? AFTER_FIRST_BYTE : AFTER_ALL;
		break;
	default: a->closes_at_count = true; b->send = 0;
	}
}

/* `a` leaves. It must be able to reach its mark, so it sends at once, and `b` waits for one byte of
 * it at most. */
static inline void draw_leaving(struct rng *r, struct plan *p, struct part *a, struct part *b)
{
	bool blocked = p->ending == CLOSE_BLOCKED || p->ending == RESET_BLOCKED;

	/*
	 * Its reset must be heard: where `b` dropped bytes for want of buffer, the reset's sequence
	 * number is beyond what `b` expects, and plain TCP ignores it for ever.
	 */
	b->rcvbuf = 0;
	a->leaves = true;
	if (blocked) {
		b->send = (uint32_t)rng_log(r, MOST_BYTES / 4, MOST_BYTES * 4);
		if (rng_one_in(r, 2))
			a->rcvbuf = 4 << 10;
		if (rng_one_in(r, 2))
			b->sndbuf = 4 << 10;
	} else if (p->ending == CLOSE_UNREAD && !b->send) {
		b->send = (uint32_t)rng_log(r, 1, MOST_BYTES);
	}
	a->leave_sent = (uint32_t)rng_below(r, a->send + 1u);
	a->leave_read = (uint32_t)rng_below(r, b->send + (p->ending == RESET));
	/*
	 * A leaver that does not read from a full, tiny buffer also drops its peer's ACKs
	 * (tcp_sequence refuses a segment beyond a shrunk window): in plain TCP as well, it can
	 * then not send much.
	 */
	if (a->rcvbuf == 4 << 10)
		a->leave_sent =
			(uint32_t)rng_below(r, (a->send < 4 << 10 ? a->send : 4 << 10) + 1u);
	if (blocked && (rng_one_in(r, 2) || (a->leave_read > 16 << 10 &&
					     (a->rcvbuf == 4 << 10 || b->sndbuf == 4 << 10))))
		a->leave_read = (uint32_t)rng_below(r, 4 << 10);
	a->leave_ms = rng_one_in(r, 2) ? 0 : 1 + (unsigned)rng_below(r, 4);
	b->shuts = rng_one_in(r, 2);
	if (a->leave_sent && rng_one_in(r, 2))
		b->start = AFTER_FIRST_BYTE;
}

/* `only`: this ending, or -1 for any. */
static inline struct plan draw_plan(uint64_t seed, uint64_t worker, uint64_t life, int only)
{
	struct rng r = {mix_of(seed, worker, life, 11)};
	struct plan p = {.ending = (enum ending)rng_below(&r, ENDINGS)};
	unsigned first = (unsigned)rng_below(&r, 2);
	struct part *a = &p.part[first], *b = &p.part[!first];

	if (only >= 0)
		p.ending = (enum ending)only;
	for (unsigned side = 0; side < 2; side++) {
		struct part *part = &p.part[side];

		part->send = draw_size(&r);
		part->edge = rng_one_in(&r, 2);
		part->nodelay = rng_one_in(&r, 2);
		draw_buffers(&r, part);
	}
	if (plan_orderly(&p))
		draw_orderly(&r, &p, a, b);
	else
		draw_leaving(&r, &p, a, b);
	for (unsigned side = 0; side < 2; side++) {
		struct part *part = &p.part[side];
		uint32_t incoming = p.part[!side].send;

		if (rng_one_in(&r, 4) && incoming && !part->leaves) {
			part->stall_at = (uint32_t)rng_below(&r, incoming);
			part->stall_ms = 1 + (unsigned)rng_below(&r, 20);
		}
		if (rng_one_in(&r, 64) && plan_orderly(&p) && incoming < 32 << 10)
			part->rcvbuf = 2 << 10; /* below a segment: drops, overlapping segments */
	}
	return p;
}

static inline void report_plan(FILE *to, const struct plan *p)
{
	fprintf(to, "  plan %s\n", ending_names[p->ending]);
	for (unsigned side = 0; side < 2; side++) {
		const struct part *a = &p->part[side];

		fprintf(to, "    %s: sends %u %s%s%s, %s%s", side ? "server" : "client", a->send,
			start_names[a->start], a->shuts ? " then shuts" : "",
			a->closes_at_count ? ", closes at the count" : "",
			a->edge ? "edge" : "level", a->nodelay ? " nodelay" : "");
		if (a->leaves)
			fprintf(to, ", leaves at sent %u read %u after %u ms", a->leave_sent,
				a->leave_read, a->leave_ms);
		if (a->stall_ms)
			fprintf(to, ", stalls at %u for %u ms", a->stall_at, a->stall_ms);
		fprintf(to, ", rcvbuf %d, sndbuf %d\n", a->rcvbuf, a->sndbuf);
	}
}

#endif
