/* One connection of streams.c: what its two ends share, and how each end draws its writes, reads
 * and pauses. */
#ifndef STRESS_STREAM_H
#define STRESS_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>

#include "net.h"
#include "pattern.h"

enum {
	LARGEST_WRITE = 4 << 20,
	LARGEST_READ = 1 << 20,
	STEADY_WINDOW = 128 << 10,
	CLIENT = 0,
	SERVER = 1,
};

/*
 * READER_EDGE takes a read that is shorter than asked as "drained" and waits for the next edge, as
 * nginx, tokio and netty do. It goes on to the end only once EPOLLRDHUP was seen, as they do.
 */
enum reader { READER_BLOCKING, READER_LEVEL, READER_EDGE, READER_KINDS };

static const char *const reader_names[READER_KINDS] = {"blocking", "level", "edge"};
static const char *const side_names[2] = {"client", "server"};

/* One direction. The watchdog reads the counters while the two ends move them. */
struct flow {
	uint64_t key, total;
	_Atomic uint64_t sent, received;
	_Atomic bool ended; /* the receiver saw EOF, exactly at `total` */
};

/*
 * STEADY: writers that stay within a window of what was read, as requests and responses do: nearly
 * all should hop. RANDOM: sizes up to 4 MB, buffers of all sizes, pausing readers. SWITCHING: tiny
 * bursts on Nagle sockets, full buffers and quiet moments by turns: many switches between hop and
 * stack.
 */
enum load { STEADY, RANDOM, SWITCHING };

struct options {
	uint64_t seed, bytes;
	unsigned streams, stall_s;
	enum family family;
	const char *address, *server_netns, *client_netns;
	enum load load;
	int only; /* --reader: one kind of reader, or -1 */
};

/* What a writer does next. */
struct shape {
	struct rng rng;
	enum load load;
	unsigned burst, bulk, single; /* writes left of each kind in this cycle of SWITCHING */
	bool drain;		      /* the next write waits until all is read */
};

struct end {
	int fd, side;
	unsigned stream;
	enum reader reader;
	struct flow *out, *in;
	struct shape writes;
	struct rng reads;
	unsigned pause_one_in, pause_ms; /* reader pauses: one read in so many, up to so long */
	bool shuts_late; /* shutdown(SHUT_WR) only when all has come in, as most protocols do */
	_Atomic bool shut;
	uint64_t n_writes, n_reads, n_pauses, n_short;
	/* EAGAIN from a blocking recv, by what may have woken it: see count_woken. Never in
	 * plain TCP. */
	uint64_t n_woken_by_shutdown, n_woken_by_space, n_woken_else;
};

struct stream {
	struct flow flow[2]; /* by sender */
	struct end end[2];
};

/* Ends the program with what is known of both ends of one stream. Called by the thread that found
 * the fault. */
void __attribute__((noreturn)) report_stream(unsigned stream, int code);

static inline void __attribute__((noreturn)) stream_fault(const struct end *e, int code,
							  const char *what)
{
	int error = errno;

	fprintf(stderr,
		"stream %u, %s end (%s): %s%s%s, sent %llu of %llu, received %llu of %llu\n",
		e->stream, side_names[e->side], reader_names[e->reader], what,
		code == EXIT_WRONG_END && error ? ": " : "",
		code == EXIT_WRONG_END && error ? strerror(error) : "",
		(unsigned long long)e->out->sent, (unsigned long long)e->out->total,
		(unsigned long long)e->in->received, (unsigned long long)e->in->total);
	report_stream(e->stream, code);
}

/*
 * SWITCHING goes in cycles: a burst of tiny writes (which Nagle carries better) or writes that fill
 * the reader's buffer; then nothing until all is read; then single messages, which hop again.
 */
static inline size_t next_of_cycle(struct shape *s)
{
	s->drain = false;
	if (s->burst) {
		s->burst--;
		return rng_log(&s->rng, 1, 200);
	}
	if (s->bulk) {
		s->bulk--;
		return rng_log(&s->rng, 32 << 10, 256 << 10);
	}
	s->drain = true;
	if (s->single) {
		s->single--;
		return rng_log(&s->rng, 1, 16 << 10);
	}
	s->single = 1 + (unsigned)rng_below(&s->rng, 4);
	if (rng_one_in(&s->rng, 2))
		s->burst = 20 + (unsigned)rng_below(&s->rng, 30);
	else
		s->bulk = 2 + (unsigned)rng_below(&s->rng, 3);
	return rng_log(&s->rng, 1, 200);
}

/* The size of the next write, and in *pause_ms how long to wait after it. */
static inline size_t next_write(struct shape *s, unsigned *pause_ms)
{
	*pause_ms = 0;
	if (s->load == STEADY)
		return rng_log(&s->rng, 1, 64 << 10);
	if (s->load == SWITCHING)
		return next_of_cycle(s);
	if (rng_one_in(&s->rng, 16))
		*pause_ms = (unsigned)rng_below(&s->rng, 10);
	return rng_log(&s->rng, 1, LARGEST_WRITE);
}

/* The next write has to wait for the reader. */
static inline bool holds_back(const struct end *e)
{
	uint64_t unread = e->out->sent - e->out->received;

	return (e->writes.load == STEADY && unread > STEADY_WINDOW) || (e->writes.drain && unread);
}

/* All is sent, and the other direction has come so far that this end says so. */
static inline bool may_shut(const struct end *e)
{
	return e->out->sent == e->out->total && (!e->shuts_late || e->in->received == e->in->total);
}

static inline void shut(struct end *e)
{
	e->shut = true;
	errno = 0;
	if (shutdown(e->fd, SHUT_WR))
		stream_fault(e, EXIT_WRONG_END, "shutdown");
}

/* How long the reader stays away after this read, in ms. */
static inline unsigned next_pause(struct end *e)
{
	if (e->writes.load == STEADY || !rng_one_in(&e->reads, e->pause_one_in))
		return 0;
	e->n_pauses++;
	return 1 + (unsigned)rng_below(&e->reads, e->pause_ms);
}

static inline size_t next_read(struct end *e)
{
	/* Smaller ones when switching: the reader comes, pauses and fills up more often. */
	return rng_log(&e->reads, 1, e->writes.load == SWITCHING ? 64 << 10 : LARGEST_READ);
}

/* Takes n arrived bytes: checks each against its position. n == 0 is EOF, which must come exactly
 * at the end. */
static inline void take(struct end *e, const unsigned char *bytes, size_t n)
{
	uint64_t at = e->in->received;
	size_t good;

	errno = 0;
	if (!n && at != e->in->total)
		stream_fault(e, EXIT_WRONG_END, "EOF too early");
	if (n && at + n > e->in->total)
		stream_fault(e, EXIT_CORRUPT, "more bytes than were sent");
	good = pattern_check(e->in->key, at, bytes, n);
	if (good != n) {
		fprintf(stderr,
			"corrupt at offset %llu: got %02x, expected %02x; these bytes belong at "
			"offset %lld "
			"(-1: nowhere in this direction); the read began at %llu and took %zu\n",
			(unsigned long long)(at + good), bytes[good],
			pattern_byte(e->in->key, at + good),
			(long long)pattern_find(e->in->key, e->in->total, bytes + good, n - good),
			(unsigned long long)at, n);
		stream_fault(e, EXIT_CORRUPT, "corrupt");
	}
	if (n)
		e->in->received = at + n;
	else
		e->in->ended = true;
	e->n_reads++;
}

#endif
