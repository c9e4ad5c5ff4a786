/* The conversation: the client sends messages, the server sends each back, the client checks every byte.
 *
 *   message   size (u32, its top bit: an urgent byte comes too), number of the connection (u32), bytes
 */
#ifndef AUTO_TALKING_H
#define AUTO_TALKING_H

#include <pthread.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "../../stress/pattern.h"
#include "sending.h"

#define WITH_URGENT (1u << 31)
#define SMALL_BYTES 40000

struct header {
	uint32_t size, number;
};

struct message {
	struct header header;
	unsigned char bytes[MAX_MESSAGE];
};

static inline int urgent_of(struct header header)
{
	return (header.number * 31 + header.size) & 0xff;
}

/* False at the end of the connection. */
static inline bool take_message(struct side *side, struct message *message)
{
	struct header *header = &message->header;
	uint32_t size;

	if (!receive(side, (unsigned char *)header, sizeof(*header)))
		return false;
	side->number = mine->number = header->number;
	size = header->size & ~WITH_URGENT;
	if (size > MAX_MESSAGE) {
		fault(side, CORRUPT);
		return false;
	}
	if (!(header->size & WITH_URGENT))
		return receive(side, message->bytes, size);
	side->urgent = -1;
	if (!read_oob(side, message->bytes, size))
		return false;
	if (side->urgent >= 0 && side->urgent != urgent_of(*header))
		fault(side, CORRUPT);
	return true;
}

static inline bool give_message(struct side *side, struct message *message)
{
	int urgent = -1;

	message->header.size &= ~WITH_URGENT;
	if (offends(side, OOB)) {
		message->header.size |= WITH_URGENT;
		urgent = urgent_of(message->header);
	} else if (offends(side, UNREAD_OOB)) {
		urgent = urgent_of(message->header);
	}
	return transmit(side, (unsigned char *)message,
			sizeof(message->header) + (message->header.size & ~WITH_URGENT), urgent);
}

static inline bool splices(struct side *side)
{
	return side->hazard == SPLICE || side->hazard == SENDFILE;
}

static inline void open_side(struct side *side, int fd, int64_t number, enum end end, uint64_t seed)
{
	static void *map;

	*side = (struct side){.fd = fd, .number = number, .rng = {seed},
				.once = shared->once, .urgent = -1};
	if (shared->end & end)
		side->hazard = shared->hazard;
	side->calls = rng_below(&side->rng, EARLY);
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, side->hazard != SMALL_WRITES);
	if (side->hazard == TIMESTAMPS)
		set_int(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	if (side->hazard == INQ)
		set_int(fd, IPPROTO_TCP, TCP_INQ, 1);
	if (side->hazard == ZEROCOPY)
		set_int(fd, SOL_SOCKET, SO_ZEROCOPY, 1);
	if (splices(side) && pipe(side->pipe))
		die("pipe");
	if (side->hazard == MAPPED) {
		if (map)
			munmap(map, MAP_BYTES);
		map = mmap(NULL, MAP_BYTES, PROT_READ, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED)
			die("mmap of a socket");
		side->map = map;
	}
}

static inline void close_side(struct side *side)
{
	if (splices(side)) {
		close(side->pipe[0]);
		close(side->pipe[1]);
	}
	close(side->fd);
}

/* Sends back what comes. One-way streams of small writes are only read: an answer for all at the end. */
static inline void serve(int fd, uint64_t seed)
{
	static struct message message;
	struct side side;

	open_side(&side, fd, -1, SERVER, seed);
	start_connection(-1);
	if (shared->hazard == SMALL_WRITES && read_plain(&side, message.bytes, SMALL_BYTES))
		transmit(&side, message.bytes, SMALL_BYTES, -1);
	while (take_message(&side, &message) && give_message(&side, &message))
		;
	close_side(&side);
	end_connection();
}

/* The messages of a connection follow from the seed and its number, each from its own stream of bytes. */
static inline void compose(struct rng *plan, struct message *message, uint32_t number, unsigned round)
{
	message->header = (struct header){rng_log(plan, shared->min_size, shared->max_size), number};
	pattern_fill(mix_of(shared->seed, number, round, 0), 0, message->bytes, message->header.size);
}

static inline void check(struct side *side, struct rng *plan, const struct message *got, unsigned round)
{
	static struct message wanted;

	compose(plan, &wanted, side->number, round);
	if ((got->header.size & ~WITH_URGENT) != wanted.header.size ||
	    memcmp(got->bytes, wanted.bytes, wanted.header.size))
		fault(side, CORRUPT);
	__atomic_fetch_add(&shared->bytes, wanted.header.size, __ATOMIC_RELAXED);
}

/* The end of the stream follows the last message. */
static inline void expect_end(struct side *side)
{
	unsigned char byte;

	if (read_plain(side, &byte, 1))
		fault(side, CORRUPT);
}

#endif
