/* One end of a connection: whole messages, read and written as the hazard wants it. */
#ifndef AUTO_SIDE_H
#define AUTO_SIDE_H

#include <linux/tcp.h>
#include <poll.h>

#include "shared.h"

#define MAX_MESSAGE (1 << 18)
#define HEADER_BYTES 8
#define EARLY 3 /* an offence that comes once comes at one of the first so many calls */

struct side {
	int fd;
	int64_t number; /* of the connection */
	struct rng rng;
	enum hazard hazard; /* PLAIN at the end that does not offend */
	bool once;	    /* it offends at one call only, and not at all of them */
	unsigned calls;	    /* that are left before it */
	int pipe[2];
	void *map;
	uint32_t sends, completed; /* with MSG_ZEROCOPY */
	int urgent; /* the byte that came out of band; -1: none */
	bool ended; /* the stream has */
};

/* Whether this call is one that offends. */
static inline bool offends(struct side *side, enum hazard hazard)
{
	if (side->hazard != hazard)
		return false;
	if (side->once && side->calls-- != 0)
		return false;
	__atomic_fetch_add(&shared->offences, 1, __ATOMIC_RELAXED);
	return true;
}

static inline void fault(struct side *side, enum fault fault)
{
	note_fault(side->number, fault);
}

/* What a read or write that gave no bytes means: true to try again. */
static inline bool goes_on(struct side *side, ssize_t result)
{
	if (result == 0) {
		side->ended = true;
		return false;
	}
	if (errno == EINTR)
		return true;
	if (errno == EAGAIN) {
		fault(side, EAGAINS);
		return true;
	}
	if (side->hazard == RESETS && errno == ECONNRESET)
		side->ended = true;
	else
		fault(side, BROKEN);
	return false;
}

static inline bool is_ready(struct side *side, short events, int milliseconds)
{
	struct pollfd pollfd = {.fd = side->fd, .events = events};

	return poll(&pollfd, 1, milliseconds) > 0 && (pollfd.revents & events);
}

/* Lets others run, or time pass: that is what shuffles the interleavings. */
static inline void dawdle(struct side *side)
{
	struct timespec t = {.tv_nsec = 1000 * (long)rng_log(&side->rng, 20, 500)};

	switch (rng_below(&side->rng, 4)) {
	case 0:
		nanosleep(&t, NULL);
		break;
	case 1:
		sched_yield();
		break;
	}
}

/* Reads on, in parts, until n bytes are there. False at the end of the connection. */
static inline bool read_all_by(ssize_t (*read_some)(struct side *, unsigned char *, size_t), struct side *side,
			       unsigned char *out, size_t n)
{
	while (n) {
		ssize_t got = read_some(side, out, n);

		if (got <= 0) {
			if (!goes_on(side, got))
				return false;
			continue;
		}
		out += got;
		n -= got;
	}
	return true;
}

static inline ssize_t read_some_plain(struct side *side, unsigned char *out, size_t n)
{
	return recv(side->fd, out, rng_one_in(&side->rng, 3) ? 1 + rng_below(&side->rng, n) : n, 0);
}

/* Plain blocking reads of random sizes. */
static inline bool read_plain(struct side *side, unsigned char *out, size_t n)
{
	return read_all_by(read_some_plain, side, out, n);
}

static inline bool write_plain(struct side *side, const unsigned char *in, size_t n, int flags)
{
	while (n) {
		ssize_t put = send(side->fd, in, n, flags | MSG_NOSIGNAL);

		if (put <= 0) {
			if (!goes_on(side, put))
				return false;
			continue;
		}
		if (flags & MSG_ZEROCOPY)
			side->sends++;
		in += put;
		n -= put;
	}
	return true;
}

#endif
