// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* What the data plane and user space both see. src/sockhop/kernel/abi.py mirrors it;
 * tests/unit/test_abi.py compares the two through the object's BTF.
 *
 * Versions take over from each other, so values in maps grow at their end only, and keys not at all: see
 * kernel/maps.py. What a value did not have yet is 0, which for a setting has to mean its default. */
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
	OUTCOME_CLASS,
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
	EVENT_ADOPTED,
	EVENT_CLASS, /* the class of an end has another state, or another reason */
};

enum role {
	ROLE_CLIENT,
	ROLE_SERVER,
};

/* What is done with a class, or by a rule. */
enum class_state {
	CLASS_LEARNING, /* its sockets are watched and stay out of the map */
	CLASS_HOPPING,
	CLASS_STACK,
};

enum action {
	ACTION_LEARNED, /* as the class says */
	ACTION_ALWAYS,
	ACTION_NEVER,
};

/* Why a class is kept on the stack: bits of class.reasons. New ones go at the end. */
enum reason {
	REASON_WAITALL,
	REASON_OOB,
	REASON_ZEROCOPY,
	REASON_ERRQUEUE,
	REASON_INTERRUPTED, /* a blocking read ended without bytes */
	REASON_SIGNALS,     /* blocking reads, and handlers of signals that come at any time */
	REASON_THREADS,     /* blocking reads in a process of several threads */
	REASON_SPLICE,
	REASON_UNSEEN,   /* took bytes otherwise than by recv() */
	REASON_RCVLOWAT,
	REASON_TIMESTAMPS,
	REASON_PEEK_OFFSET,
	REASON_DISCARD,  /* MSG_TRUNC throws bytes away unread */
	REASON_MEMORY_LIMIT,
	REASON_BULK, /* blocking reads after writes that fill the send buffer */
	REASON_SHORT_LIVED,
	REASON_SMALL_WRITES,
	REASON_MAY_SPLICE, /* a program that is known to begin in the middle of a stream */
	REASON_CORKED,     /* streams larger than what may queue, under a cork or by sendfile() */
	REASONS,
};

/* A class is a service in a role. */
struct class_key {
	__u64 cgroup; /* of the socket */
	__u16 port;   /* of the server */
	__u16 role;
	__u32 unused;
};

/* Of connections whose reads may block, there was one that... */
enum blocking {
	BLOCKING_SEEN = 1,
	BLOCKING_ENDED = 2, /* has closed, and is evidence */
};

/* What was learned about a class. All counters are since `since_ns`. */
struct class_info {
	__u64 since_ns;    /* CLOCK_MONOTONIC: when this state began */
	__u64 connections; /* that have closed, and are evidence: see is_evidence() */
	__u64 reads;       /* that returned bytes */
	__u64 read_bytes;
	__u64 writes; /* of ends that learn: segments with data */
	__u64 written_bytes;
	/* Since what it gains was last judged. Bursts and corked: what the stack had to carry, see take_the_stack(). */
	__u32 recent_connections;
	__u32 recent_messages;
	__u32 recent_bursts;
	__u32 recent_corked;
	__u32 blocking; /* bits of enum blocking */
	__u32 watched;  /* only sockhop_received can guard it: see must_be_watched() */
	__u32 state;    /* enum class_state */
	__u32 reasons;  /* bits of enum reason */
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

/* Per CPU. With room for what later versions count. */
struct traffic {
	__u64 messages[32];
	__u64 bytes[32];
	__u64 refused[16];
};

_Static_assert(OUTCOMES <= 32 && REFUSALS <= 16, "struct traffic has no room for all that is counted");

struct gauge {
	__u64 tracked;  /* sockets that went into the map and are not closed */
	__u64 observed; /* sockets that are watched for their class to learn from */
	__u64 adopted;  /* connections' ends that existed before they went in */
	__u32 turns;    /* of classes, from one state to another */
	__u32 missed; /* ends that were not observed, or did not go in, since nothing watches reads */
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
	__u32 burst_bytes;    /* only writes under this size do: see is_joined() */
	__u32 eager;          /* hop whatever no rule forbids, without learning */
	__u32 rules;          /* how many of the rules are in force */
	__u32 generation;     /* of the rules: ends look again when it changes */
	__u32 learn_connections; /* what a class is judged by: so many closed connections */
	__u32 learn_reads;       /* or so many reads */
	__u32 least_messages;    /* a connection, both ways: fewer are not worth taking it in */
	__u64 review_ns;         /* a class that would lose is looked at again this often */
	__u32 room;              /* rcvbuf, or 0 where the kernel would not give as much */
	__u32 watched;           /* sockhop_received is attached, so that classes can learn */
	__u32 guarded;           /* sockhop_taken is, or nobody wants it: sockets may go in */
	__u32 small_bytes;       /* who sends smaller writes is not held back: see is_small_write() */
};

struct event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 cookie;
	__u64 netns_cookie;
	__u32 kind;    /* enum event_kind */
	__u32 outcome; /* enum outcome, of EVENT_TO_STACK */
	__u32 state;   /* enum class_state, of EVENT_CLASS */
	__u32 reasons; /* bits of enum reason, of EVENT_CLASS */
	__u16 family;
	__u16 local_port;
	__u16 remote_port;
	__u16 role;
	__u8 local_address[16];
	__u8 remote_address[16];
};

/* Bits of flow.flags. */
enum flow_flag {
	FLOW_OBSERVED,
	FLOW_TRACKED,
	FLOW_IN_MAP,
	FLOW_KEPT,      /* on the stack, by a class or a rule, as its last message found */
	FLOW_PEER_GONE, /* flow.peer is no more */
	FLOW_IN_SCOPE,
	FLOW_HAS_FILE,  /* an application holds it: accepted, and not closed */
	FLOW_BLOCKS,    /* without O_NONBLOCK */
	FLOW_HAS_CLASS,
	FLOW_ULP,
	FLOW_MPTCP,
	FLOW_KERNEL_SOCKET,
	FLOW_REPAIR,
	FLOW_FOREIGN, /* belongs to programs of somebody else's */
	FLOW_PAIRED,  /* an end of ours, whose other end was found */
};

/* One end of a connection. What an end that is not ours does not have is 0. */
struct flow {
	__u64 cookie;
	__u64 peer; /* cookie of the other end; 0: not known */
	__u64 netns_cookie;
	__u64 cgroup;
	__u64 messages; /* sent since it went into the map */
	__u64 hopped_bytes;
	__u32 hopped_messages;
	__u32 outcome;       /* enum outcome, of the last message */
	__u32 flags;         /* bits of enum flow_flag */
	__u32 action;        /* enum action: of the rule that matches */
	__u32 allowed;       /* enum class_state: what its class and the rules say together */
	__u32 class_state;   /* enum class_state */
	__u32 class_reasons; /* bits of enum reason */
	__u32 hazards;       /* bits of enum reason: of this socket by itself, now */
	__u32 snd;           /* write_seq */
	__u32 rcv;           /* rcv_nxt */
	__u16 family;
	__u16 local_port;
	__u16 remote_port;
	__u8 tcp_state;
	__u8 role; /* enum role; guessed for an end that is not ours */
	__u8 local_address[16]; /* IPv4 as v4-mapped IPv6 */
	__u8 remote_address[16];
};

/* A descriptor of a TCP socket. */
struct owner {
	__u64 cookie; /* of the socket */
	__u32 pid;    /* as the namespace of the reader has it */
	__u32 descriptor;
	__u8 command[16];
};

#endif
