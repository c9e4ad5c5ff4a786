// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* Classes: what is known of a service in a role, and what follows from it for its sockets. */
#ifndef SOCKHOP_CLASSES_H
#define SOCKHOP_CLASSES_H

#include "account.h"
#include "peer.h"
#include "rules.h"

/* That it would be slower; the other reasons are what the kernel cannot do right in a sockmap. */
#define LOSSES (1u << REASON_SHORT_LIVED | 1u << REASON_SMALL_WRITES | 1u << REASON_CORKED)
#define HAZARDS (~LOSSES)
/* A class that hops is judged again each time so many of its connections have closed, or so many messages
 * were sent: more than a few large answers of a service that is mostly asked for small ones. Or when so many were losses,
 * which large ones count as several: as many messages of a stream of 32 KB would take half a gigabyte. */
#define JUDGED_CONNECTIONS 64
#define JUDGED_MESSAGES 16384
#define JUDGED_LOSSES 4096

/* A server's port is its own, a client's the one that it connects to. */
INLINE struct class_key class_of(struct sock *sk, enum role role)
{
	struct sock_common *common = &sk->__sk_common;

	return (struct class_key){
		.cgroup = sk->sk_cgrp_data.cgroup->kn->id,
		.port = role == ROLE_SERVER ? common->skc_num : __builtin_bswap16(common->skc_dport),
		.role = role,
	};
}

INLINE struct class_info *find_class(struct class_key *key)
{
	return bpf_map_lookup_elem(&classes, key);
}

/* NULL when the table is full. */
INLINE struct class_info *need_class(struct class_key *key)
{
	struct class_info *class = find_class(key), fresh = {};

	if (class)
		return class;
	fresh.since_ns = bpf_ktime_get_ns();
	bpf_map_update_elem(&classes, key, &fresh, BPF_NOEXIST);
	return find_class(key);
}

INLINE void begin_window(struct class_info *class)
{
	class->recent_connections = class->recent_messages = 0;
	class->recent_bursts = class->recent_corked = 0;
}

/* Tells everybody: each end looks again at its next message. */
INLINE void turned(struct class_key *key, struct class_info *class)
{
	class->since_ns = bpf_ktime_get_ns();
	begin_window(class);
	__sync_fetch_and_add(&gauge.turns, 1);
	trace_class(key, class);
}

INLINE void turn(struct class_key *key, struct class_info *class, enum class_state from,
		 enum class_state to)
{
	if (__sync_val_compare_and_swap(&class->state, from, to) == from)
		turned(key, class);
}

/* `reasons` are bits. */
INLINE void blame(struct class_key *key, struct class_info *class, __u32 reasons)
{
	__u32 known = __sync_fetch_and_or(&class->reasons, reasons);

	if (!(reasons & ~known))
		return;
	class->state = CLASS_STACK;
	turned(key, class);
}

/* What connections of the class have been worth: taking two sockets in costs more than a few hops save. A small
 * write that takes the stack costs twice as much for a socket that is in the map, and a hop saves a third to a half:
 * so of three writes one may. */
INLINE void judge_gain(struct class_key *key, struct class_info *class)
{
	if (class->recent_messages < class->recent_connections * config.least_messages)
		blame(key, class, 1u << REASON_SHORT_LIVED);
	else if (class->recent_bursts > class->recent_messages / 3)
		blame(key, class, 1u << REASON_SMALL_WRITES);
	else if (class->recent_corked > class->recent_messages / 3)
		blame(key, class, 1u << REASON_CORKED);
	begin_window(class);
}

/* Where reads may block, the end of a connection is a part of how it is read, a reset would be told as EAGAIN: so one
 * must have been seen. */
INLINE bool are_enough(__u64 reads, __u32 blocking)
{
	return reads >= config.learn_reads && blocking != BLOCKING_SEEN;
}

/* It reads by io_uring, whose flags do not show in a system call's registers; or it may block after it has filled the
 * send buffer. */
INLINE void must_be_watched(struct class_key *key)
{
	struct class_key copy = *key;
	struct class_info *class = find_class(&copy);

	if (class)
		class->watched = 1;
}

/* Enough was seen, or enough more: decide. */
INLINE void judge(struct class_key *key, struct class_info *class)
{
	bool is_known;

	if (class->state == CLASS_HOPPING) {
		if (!config.eager && (class->recent_connections >= JUDGED_CONNECTIONS ||
				      class->recent_messages >= JUDGED_MESSAGES ||
				      class->recent_bursts >= JUDGED_LOSSES || class->recent_corked >= JUDGED_LOSSES))
			judge_gain(key, class);
	} else if (class->state == CLASS_LEARNING) {
		is_known = class->connections >= config.learn_connections ||
			   are_enough(class->reads, class->blocking);
		/* Connections that are no evidence of how they are read still are of how long they live. */
		if (!is_known && class->recent_connections < JUDGED_CONNECTIONS)
			return;
		judge_gain(key, class);
		if (is_known)
			turn(key, class, CLASS_LEARNING, CLASS_HOPPING);
	}
}

/* What was seen of it is no evidence any more. */
INLINE void start_anew(struct class_info *class)
{
	class->connections = class->reads = class->writes = 0;
	class->read_bytes = class->written_bytes = 0;
	class->blocking = class->watched = 0;
}

/* A class that only lost is looked at again now and then, from the start. */
INLINE void review(struct class_key *key, struct class_info *class)
{
	if (class->state != CLASS_STACK || class->reasons & HAZARDS ||
	    bpf_ktime_get_ns() - class->since_ns < config.review_ns)
		return;
	start_anew(class);
	__sync_fetch_and_and(&class->reasons, HAZARDS); /* one that was seen just now stays */
	turn(key, class, CLASS_STACK, CLASS_LEARNING);
}

INLINE enum class_state by_rule(enum action action, struct class_info *class)
{
	if (action == ACTION_NEVER)
		return CLASS_STACK;
	if (config.eager || action == ACTION_ALWAYS)
		return CLASS_HOPPING;
	if (!class || class->reasons & HAZARDS)
		return CLASS_STACK;
	return class->state;
}

/* Of a live end. */
INLINE enum class_state state_of_end(struct sock *sk, struct class_key *key)
{
	return by_rule(rule_for(sk, &sk->__sk_common, key), find_class(key));
}

/* Of an end that is about to be: its class is made, or looked at again. */
INLINE enum class_state state_of_new(struct sock *sk, struct sock_common *common,
				     struct class_key *key)
{
	struct class_info *class = need_class(key);

	if (class)
		review(key, class);
	return by_rule(rule_for(sk, common, key), class);
}

/* What two ends may do together. */
INLINE enum class_state both(enum class_state one, enum class_state other)
{
	if (one == CLASS_STACK || other == CLASS_STACK)
		return CLASS_STACK;
	return one == CLASS_HOPPING ? other : one;
}

/* False where the memory is not there any more. Whether it still is the peer's, end->peer.cookie tells. */
INLINE bool class_of_peer(struct end *end, struct class_key *key)
{
	return !bpf_probe_read_kernel(key, sizeof(*key), &end_of_peer(end)->class);
}

/* `peer` is where end->peer says. */
INLINE enum class_state state_of_pair(struct end *end, struct tcp_sock *me, struct tcp_sock *peer)
{
	struct class_key mine = end->class, other;

	if (!class_of_peer(end, &other))
		return CLASS_STACK;
	return both(state_of_end(sock_of(me), &mine), state_of_end(sock_of(peer), &other));
}

#endif
