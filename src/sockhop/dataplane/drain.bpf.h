// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* iter/tcp: taking sockets out of the map without loss: all of them, once hops are paused, or those that
 * hop no more. Runs under each socket's lock, in the network namespace of the process that reads it. */
#ifndef SOCKHOP_DRAIN_H
#define SOCKHOP_DRAIN_H

#include "decide.h"
#include "entering.h"
#include "peer.h"

/* Who has done nothing for a second is not about to. Of hops we know only the tick: a second where there are 250 of them
 * in one (CONFIG_HZ). */
#define QUIET_US 1000000ll
#define QUIET_TICKS 250

INLINE bool has_just_hopped(__u32 jiffies)
{
	return (__u32)bpf_jiffies64() - jiffies < QUIET_TICKS;
}

/* No segment has come or gone, and neither end has hopped. */
INLINE bool is_quiet(struct tcp_sock *tcp, struct end *end)
{
	if ((__s64)(bpf_ktime_get_ns() / 1000 - tcp->tcp_mstamp) < QUIET_US || has_just_hopped(end->jiffies))
		return false;
	return !peer_of(end) || !has_just_hopped(tick_of_peer(end));
}

INLINE __u32 reasons_of(struct class_key *key)
{
	struct class_info *class = find_class(key);

	return class ? class->reasons : 0;
}

/* Whether one of both has shown a hazard, or a rule has turned against them: that would go on in the map, where the
 * stack's bytes pass the same queue. Classes that only lose there can wait. */
INLINE bool is_urgent_to_leave(struct end *end, struct tcp_sock *tcp)
{
	struct class_key mine = end->class, other;
	struct tcp_sock *peer = peer_of(end);
	__u32 reasons;

	if (!peer || !look_again(end, tcp, peer) || !class_of_peer(end, &other))
		return false;
	reasons = reasons_of(&mine) | reasons_of(&other);
	return !reasons || reasons & HAZARDS;
}

/* Two things can only be made unlikely, by waiting until the socket is quiet. A reader may take its reference between
 * our look and the deletion; where it may block, it would sleep with a psock that hears of nothing, and be told EAGAIN
 * for the next bytes of the stack. And the peer's FIN stays in the psock's queue, even when it has been read: it is
 * freed after a grace period without the socket's lock (sk_psock_destroy), and if the socket sends just then,
 * sk_forward_alloc is changed by two at once and wrong for ever after (inet_sock_destruct warns of it, once a boot). */
INLINE bool must_be_quiet(struct tcp_sock *tcp, struct end *end)
{
	if (sock_of(tcp)->sk_shutdown & RCV_SHUTDOWN)
		return true;
	return is_blocking(sock_of(tcp)->sk_socket->file) && !is_urgent_to_leave(end, tcp);
}

/* Removing an element throws away what is unread (sk_psock_destroy). And whoever is inside recv or
 * send holds the psock: a reader that sleeps there would go on with a queue that nothing fills any
 * more. */
INLINE bool is_idle(struct tcp_sock *tcp, struct sk_psock *psock, struct end *end)
{
	return one_queue(tcp, psock) && !queued(psock) && !is_used(psock) && !may_hop_to(end) &&
	       (!must_be_quiet(tcp, end) || is_quiet(tcp, end));
}

/* The socket as TCP alone would have it, but for SO_RCVBUF, which no autotuning changes any more. */
INLINE void give_back(struct tcp_sock *tcp, struct end *end)
{
	clamp_window(tcp, tcp, sock_of(tcp)->sk_rcvbuf);
	let_go(tcp, tcp, end);
	if (end->tracked)
		__sync_fetch_and_add(&gauge.tracked, -1);
	end->tracked = end->wait = end->is_behind = 0;
}

/* Whether the socket has no more to do in the map: its class was turned, or its peer is not in. */
INLINE bool is_done(struct tcp_sock *tcp, struct end *end)
{
	struct tcp_sock *peer;

	if (config.closed)
		return true;
	peer = peer_of(end);
	return !peer || !psock_of(peer) || look_again(end, tcp, peer);
}

SEC("iter/tcp")
int sockhop_drain(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct seq_pair key;
	struct sk_psock *psock;
	struct tcp_sock *tcp;
	struct end *end;

	if (!common)
		return 0;
	tcp = bpf_skc_to_tcp_sock(common);
	if (!tcp)
		return 0;
	end = bpf_sk_storage_get(&ends, tcp, NULL, 0);
	psock = psock_of(tcp);
	if (!end || !psock || !is_done(tcp, end))
		return 0;
	key = mirrored(end->pair);
	/* The deletion fails where the psock is of somebody else's map. */
	if (!is_idle(tcp, psock, end) || bpf_map_delete_elem(&sockets, &key))
		return 0;
	expect_no_more(tcp);
	give_back(tcp, end);
	return 0;
}

#endif
