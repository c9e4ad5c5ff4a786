// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* Everything that the programs remember. User space pins each of these maps. */
#ifndef SOCKHOP_MAPS_H
#define SOCKHOP_MAPS_H

#include "abi.h"
#include "kernel.h"

/* How the two ends of one connection find each other without addresses: the first sequence numbers
 * of an end's two directions. The other end's are the same two, swapped. Sixty-four random bits that
 * no other connection of this host has, whatever namespaces and NAT lie between. */
struct seq_pair {
	__u32 snd;
	__u32 rcv;
};

INLINE struct seq_pair mirrored(struct seq_pair pair)
{
	return (struct seq_pair){ .snd = pair.rcv, .rcv = pair.snd };
}

/* Where an end is found in memory. The address is believed only while the socket there still has
 * this cookie: struct tcp_sock is SLAB_TYPESAFE_BY_RCU and cookies are never reused. */
struct where {
	__u64 cookie; /* 0: nobody */
	__u64 sock;   /* struct tcp_sock * */
	__u64 end;    /* struct end * */
};

/* Of the reads of an end. */
enum seen_reads {
	SEEN_READ = 1, /* be it to find nothing */
	SEEN_BLOCKING = 2,
	SEEN_RING = 4, /* io_uring's */
};

/* An end's own state, in its socket's storage. Only the program that runs under the socket's lock
 * writes it; the peer reads some of it. */
struct end {
	struct seq_pair pair;
	struct where peer;
	__u64 sent;        /* messages, however they went */
	__u64 checked_ns;  /* when the stack last carried a message for the firewall to see */
	__u32 jiffies;     /* when we last looked at the clock: the tick of the last hop, or later */
	__u32 epoch;
	__u32 recheck_seq; /* write_seq before that message */
	__u32 looked;      /* at the classes of both ends: see is_kept() */
	__u8 recheck_pending;
	__u8 kept;         /* on the stack, by a class or a rule */
	__u8 outcome;      /* of the last message */
	__u8 tracked;      /* counted, and in the map unless the application has closed it */
	__u8 is_over;      /* closed */
	__u8 on_stack;     /* the stack carries the stream for long: see set_window() */
	__u8 is_behind;    /* its reader is: see has_fallen_behind() */
	__u8 wait;         /* the sender is to wait until all has left: see hold_back() */
	__u8 is_held;      /* and we have set TCP_NOTSENT_LOWAT for it */
	__u8 reads;        /* since the class has heard of it */
	__u8 seen;         /* while it was observed: bits of enum seen_reads */
	__u8 shared;       /* at the last of these that might block, somebody else held the socket too */
	/* Small writes in a row: the peer's `sent` when we last looked, and how many since it moved; without Nagle's
	 * algorithm, since all had been read. */
	__u32 peer_sent;
	__u32 streak;
	__u32 corked;        /* for the class, as `bursts` */
	/* Bytes and messages hopped, now and at an earlier point: see has_slots(). */
	__u64 hopped_bytes;
	__u32 hopped_messages;
	__u32 mark_messages;
	__u32 mark;
	__u32 room;          /* the receive buffer that it was given */
	__u64 hold_ns;       /* since when it waits, or not before when again: it has waited for too long */
	struct class_key class;
	__u32 disconnects;   /* sk_disconnects when the socket went in */
	/* What the end's class has yet to hear of, and what else it takes to judge it: see evidence.h. */
	__u32 observed;
	__u32 found;         /* hazards, on their way to the class: see note() */
	__u32 peer_found;    /* the same of the peer, on their way to its class */
	__u64 read_bytes;
	__u64 told_bytes;    /* of TCP's bytes_sent and data_segs_out, what the class has heard of */
	__u32 told_segments;
	__u32 told_sent;     /* of `sent` */
	__u32 bursts;
	__u32 read_at;       /* write_seq at the last read; in the map a time, see is_shared_again() */
};

/* With the kernel's own 72 bytes before it (struct bpf_local_storage_elem) no more than 256. */
_Static_assert(sizeof(struct end) <= 184, "socket storage takes twice the memory");

/* A handshake between its SYN and its last ACK. */
struct handshake {
	struct where client; /* nobody yet, until it is established */
	__u32 state;         /* enum class_state: what the ends that were asked so far allow */
	__u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct end);
} ends SEC(".maps");

/* The sockets that hop, each by its peer's pair: who sends asks for its own. max_entries is set at load to a little
 * over config.capacity. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 65536);
	__type(key, struct seq_pair);
	__type(value, __u64);
} sockets SEC(".maps");

/* Handshakes that a listener in scope has answered, by the client's pair. Only between SYN and ACK,
 * so the least recently used may go: that connection stays on the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct seq_pair);
	__type(value, struct handshake);
} handshakes SEC(".maps");

/* An end by the pair of its peer, until the peer has looked. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct seq_pair);
	__type(value, struct where);
} arrived SEC(".maps");

/* The next sequence number that the one queue of a socket expects from TCP, by socket cookie.
 * Socket storage is not available to sk_skb programs. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u32);
} next_seq SEC(".maps");

/* The same for sockets that are closed while bytes still wait in TCP's queue: nothing tells us when
 * those are gone, so the oldest make room. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u32);
} last_seq SEC(".maps");

/* What was learned. The service pins it where it outlives the service. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, struct class_key);
	__type(value, struct class_info);
} classes SEC(".maps");

/* The first config.rules of them are in force. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_RULES);
	__type(key, __u32);
	__type(value, struct rule);
} rules SEC(".maps");

/* While pairs are sought among connections that exist already: see discover.bpf.h. */
struct candidate {
	__u64 cookie;
	__u32 role;
	__u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct seq_pair);
	__type(value, struct candidate);
} candidates SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct seq_pair);
} matches SEC(".maps");

/* The cgroups that are watched, by their ids, for connections that exist already. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u32);
} scopes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct traffic);
} traffic SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/* volatile: user space changes it at any moment. static: a map of what is visible elsewhere can be mapped by user space,
 * and stands in pages of 4 KB (bpf_map_area_mmapable_alloc), where each message would miss the TLB. */
SEC(".data.config") static volatile struct config config;

SEC(".data.gauge") static volatile struct gauge gauge;

#endif
