// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* One run of sockhop_send(): all that it looked at, and what it left in its end. record.bpf.c writes these in the
 * kernel, replay.c runs the same code on them. */
#ifndef DECISION_H
#define DECISION_H

#include "maps.h"

/* What is read of a socket. */
struct seen {
	__u64 cookie;
	__u32 state;
	__u32 shutdown;
	__u32 write_seq;
	__u32 snd_una;
	__u32 copied_seq;
	__u32 rcv_nxt;
	__u32 rcv_wup;
	__u32 rcv_wnd;
	__u32 mss_cache;
	__u32 nonagle;
	__u32 rcvbuf;
	__u32 sndbuf;
	__u32 unread;
	__u32 forward_alloc;
	__u32 rcvlowat;
	__u32 in_map;
	__u32 tcp_queue; /* skbs in TCP's own queue, and on the way into the one queue */
	__u32 backlog;
	__u32 accepted; /* an application has it */
	__u32 mss_clamp;
	__u64 near_limit; /* of its cgroup's memory; as wide as it is aligned, since Btf.struct() counts padding in */
};

/* What other CPUs may change while the program runs. */
struct moment {
	__u64 coarse_ns;
	__u64 peer_sent; /* of the peer's end */
	__u64 peer_room;
	__u64 jiffies;
	struct seen me;
	struct seen peer;
};

struct decision {
	__u64 size; /* of the message */
	__u64 call; /* the system call, and its arguments that may be flags */
	__u64 third;
	__u64 fourth;
	__u64 turns; /* of gauge */
	struct config config;
	struct end before;
	struct end after;
	struct moment start;
	struct moment finish;
};

#endif
