/* What the processes of one run share: the orders, and what went wrong. */
#ifndef AUTO_SHARED_H
#define AUTO_SHARED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/types.h>

#include "../../stress/net.h"
#include "../../stress/random.h"

#define MAX_WORKERS 64
#define MAX_CONNECTIONS 65536

/* SIGNALS to SMALL_WRITES are of clients, RESETS what a server's reader meets; the others are of either end. */
enum hazard {
	PLAIN,
	WAITALL,
	OOB,
	UNREAD_OOB, /* the other end leaves the urgent byte where it is */
	ZEROCOPY,
	RCVLOWAT,
	TIMESTAMPS,
	INQ,
	PEEK_OFFSET,
	DISCARD,
	SPLICE,
	SENDFILE,
	MAPPED,
	SIGNALS,
	STOPS,
	THREADS,
	FORKS,
	RESETS,
	FASTOPEN,
	SMALL_WRITES,
	HAZARDS,
};

static const char *const hazard_names[HAZARDS] = {
	"plain",    "waitall",	   "oob",     "unread_oob", "zerocopy", "rcvlowat", "timestamps",
	"inq",	    "peek_offset", "discard", "splice",	    "sendfile", "mapped",   "signals",
	"stops",    "threads",	   "forks",   "resets",	    "fastopen", "small_writes",
};

enum end { SERVER = 1, CLIENT = 2, BOTH = 3 };

enum fault {
	CORRUPT, /* not the bytes that were sent */
	STUCK,	 /* not finished in time */
	SHORT,	 /* fewer bytes than the call promises */
	LOST,	 /* an urgent byte, a completion, a control message that never came */
	EAGAINS, /* from a call that may block */
	BROKEN,	 /* an error, or the end of the stream, that TCP does not have here */
	FAULTS,
};

static const char *const fault_names[FAULTS] = {"corrupt", "stuck", "short", "lost", "eagain", "broken"};

struct slot {
	pid_t pid;
	enum end end;
	uint64_t started_us; /* of the connection; 0: none */
	int64_t number;	     /* of the connection; -1: not known yet */
};

struct shared {
	/* The orders. */
	enum hazard hazard;
	enum end end;	  /* which of the two offends */
	bool once;	  /* at one early read or write of each connection, not at all of them */
	uint64_t seed;
	uint32_t connections, rounds, min_size, max_size;
	uint16_t port; /* that clients connect to */

	/* The results. */
	uint32_t next, finished;
	uint64_t bytes, counts[FAULTS], offences;
	uint8_t faults[MAX_CONNECTIONS]; /* bits of enum fault, by connection */
	struct slot slots[MAX_WORKERS];
};

static struct shared *shared;
static struct slot *mine; /* of a worker */

static inline void share(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
}

static inline void note_fault(int64_t number, enum fault fault)
{
	if (number < 0) /* who accepts does not know yet: one of the last */
		number = __atomic_load_n(&shared->next, __ATOMIC_RELAXED) - 1;
	__atomic_fetch_add(&shared->counts[fault], 1, __ATOMIC_RELAXED);
	if (number >= 0 && number < MAX_CONNECTIONS)
		__atomic_fetch_or(&shared->faults[number], 1 << fault, __ATOMIC_RELAXED);
}

static inline void start_connection(int64_t number)
{
	mine->number = number;
	__atomic_store_n(&mine->started_us, now_us(), __ATOMIC_RELEASE);
}

static inline void end_connection(void)
{
	__atomic_store_n(&mine->started_us, 0, __ATOMIC_RELEASE);
}

#endif
