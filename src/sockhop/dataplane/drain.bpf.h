// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* iter/tcp: taking sockets out of the map without loss: all of them, once hops are paused, or those that
 * hop no more. Runs under each socket's lock, in the network namespace of the process that reads it. */
#ifndef SOCKHOP_DRAIN_H
#define SOCKHOP_DRAIN_H

#include "decide.h"
#include "entering.h"
#include "peer.h"

/* Who has sent and received nothing for so long is not about to, as far as that can be told. */
#define QUIET_US 1000000ull

INLINE bool is_used(struct sk_psock *psock)
{
	return psock->refcnt.refs.counter != 1; /* the map's own */
}

/* Whether the peer may be inside send, with a hop to us decided before the pause: between that and our
 * queue it holds no lock, and finding us gone it would say EPIPE (tcp_bpf_sendmsg_redir). */
INLINE bool may_hop_to(struct end *end)
{
	struct tcp_sock *peer = peer_of(end);
	struct sk_psock *psock = peer ? psock_of(peer) : NULL;

	return psock && is_used(psock);
}

/* The peer's FIN stays in the psock's queue even when it has been read (tcp_bpf_recvmsg_parser), and sk_psock_destroy()
 * frees it without the socket's lock, after a grace period. If the socket sends at that moment, sk_forward_alloc is
 * changed by two at once, and wrong for ever after: inet_sock_destruct() warns of it, once a boot. */
INLINE bool may_free_queue(struct tcp_sock *tcp)
{
	return state_of(tcp) != TCP_CLOSE_WAIT ||
	       (tcp->snd_una == tcp->write_seq && bpf_ktime_get_ns() / 1000 - tcp->tcp_mstamp >= QUIET_US);
}

/* Removing an element throws away what is unread (sk_psock_destroy). And whoever is inside recv or
 * send holds the psock: a reader that sleeps there would go on with a queue that nothing fills any
 * more. */
INLINE bool is_idle(struct tcp_sock *tcp, struct sk_psock *psock, struct end *end)
{
	return one_queue(tcp, psock) && !psock->msg_tot_len && !is_used(psock) && !may_hop_to(end) &&
	       may_free_queue(tcp);
}

/* The socket as TCP alone would have it, but for SO_RCVBUF, which no autotuning changes any more. */
INLINE void give_back(struct tcp_sock *tcp, struct end *end)
{
	int window = sock_of(tcp)->sk_rcvbuf;

	bpf_setsockopt(tcp, IPPROTO_TCP, TCP_WINDOW_CLAMP, &window, sizeof(window));
	let_go(tcp, tcp, end);
	if (end->tracked)
		__sync_fetch_and_add(&gauge.tracked, -1);
	end->tracked = end->wait = end->is_behind = 0;
}

/* Whether the socket has no more to do in the map: its class was turned, or its peer is not in. */
INLINE bool is_done(struct tcp_sock *tcp, struct end *end)
{
	struct tcp_sock *peer;

	if (config.closed || end->tracked == TRACKED_LEAVING)
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
	if (!is_idle(tcp, psock, end) || !take_out(&key))
		return 0;
	/* A reader took its reference in between: its psock is still there, and needs its queue filled. */
	if (psock_of(tcp) && !bpf_map_update_elem(&leaving, &key, tcp, BPF_ANY)) {
		end->tracked = TRACKED_LEAVING;
		return 0;
	}
	expect_no_more(tcp);
	give_back(tcp, end);
	return 0;
}

#endif
