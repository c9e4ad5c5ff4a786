// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* What the data plane and user space both see. src/sockhop/kernel/abi.py mirrors it;
 * tests/unit/test_abi.py compares the two through the object's BTF. */
#ifndef SOCKHOP_ABI_H
#define SOCKHOP_ABI_H

#include "bpf.h"

/* What became of one message. New ones go at the end: the numbers are in pinned maps. */
enum outcome {
	OUTCOME_HOP,
	OUTCOME_UNREAD,
	OUTCOME_FULL,
	OUTCOME_RECHECK,
	OUTCOME_NO_PEER,
	OUTCOME_PAUSED,
	OUTCOME_NAGLE_BURST,
	OUTCOME_REDIRECT_FAILED,
	OUTCOME_CLOSING,
	OUTCOME_RCVLOWAT,
	OUTCOME_MEMORY,
	OUTCOME_WINDOW,
	OUTCOMES,
};

/* Why an end of a local pair was not put into the map. */
enum refusal {
	REFUSED_MAP_FULL,
	REFUSED_KERNEL_SOCKET,
	REFUSED_MPTCP,
	REFUSED_ULP,
	REFUSED_BUSY,
	REFUSED_REPAIR,
	REFUSALS,
};

enum event_kind {
	EVENT_CONNECTED,
	EVENT_PAIRED,
	EVENT_HOP_ON,
	EVENT_TO_STACK,
	EVENT_CLOSED,
};

enum role {
	ROLE_CLIENT,
	ROLE_SERVER,
};

enum action {
	ACTION_LEARNED, /* as the class says */
	ACTION_ALWAYS,
	ACTION_NEVER,
};

/* The first rule that matches an end decides for it. */
struct rule {
	__u64 cgroup; /* at or above that of the socket; 0: any */
	__u32 cgroup_level;
	__u32 action;     /* enum action */
	__u16 first_port; /* of the server, 0 to 65535: any */
	__u16 last_port;
	__u8 roles;       /* bits of enum role */
	__u8 prefix;      /* bits of `address` that either of the connection's addresses must have; 0: any */
	__u16 unused;
	__u8 address[16]; /* IPv4 as v4-mapped IPv6 */
};

#define MAX_RULES 64

/* Per CPU. */
struct traffic {
	__u64 messages[OUTCOMES];
	__u64 bytes[OUTCOMES];
	__u64 refused[REFUSALS];
};

struct gauge {
	__u64 tracked; /* sockets that went into the map and are not closed */
};

/* Written by user space only. */
struct config {
	__u64 magic;          /* says that these pins are sockhop's */
	__u64 build;          /* of the object, so that another version is noticed */
	__u64 recheck_ns;     /* a direction shows itself to the stack this often */
	__u64 trace_until_ns; /* CLOCK_MONOTONIC; events are written until then */
	__u32 paused;         /* every message takes the stack */
	__u32 closed;         /* no new pairs */
	__u32 epoch;          /* each direction is rechecked when it changes */
	__u32 capacity;       /* sockets */
	__u32 rcvbuf;         /* bytes: sk_rcvbuf of sockets whose SO_RCVBUF nobody has set */
	__u32 queue_messages; /* unread messages that hops may fill */
	__u32 burst_messages; /* one-way sends in a row that make a burst */
	__u32 burst_bytes;    /* only writes under this size do */
};

struct event {
	__u64 time_ns; /* CLOCK_MONOTONIC_COARSE */
	__u64 cookie;
	__u64 netns_cookie;
	__u32 kind;    /* enum event_kind */
	__u32 outcome; /* enum outcome, of EVENT_TO_STACK */
	__u16 family;
	__u16 local_port;
	__u16 remote_port;
	__u16 is_server;
	__u8 local_address[16];
	__u8 remote_address[16];
};

#endif
