// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* The other end of a connection. */
#ifndef SOCKHOP_PEER_H
#define SOCKHOP_PEER_H

#include "maps.h"
#include "socket.h"

/* Two segments of the loopback device: no more than that TCP promises where the peer hops, see small_window(). */
#define SMALL_WINDOW 131072

/* A rest of the window of less is shut for messages that are larger. See is_shut(). */
#define SMALL_REST 8192

/* Of two ends one was there first: it learns where the other is when it first needs to. */
INLINE void find_peer(struct end *end)
{
	struct seq_pair pair = end->pair;
	struct where *peer;

	if (end->peer.cookie)
		return;
	peer = bpf_map_lookup_elem(&arrived, &pair);
	if (!peer)
		return;
	end->peer = *peer;
	bpf_map_delete_elem(&arrived, &pair);
}

/* The other end's state, in memory that may be gone: to be read only as that allows. */
INLINE struct end *end_of_peer(struct end *end)
{
	return (struct end *)(long)end->peer.end;
}

/* The other end, or NULL where there is none, or none any more. */
INLINE struct tcp_sock *peer_of(struct end *end)
{
	struct tcp_sock *peer;

	find_peer(end);
	peer = read_only(struct tcp_sock, end->peer.sock);
	return end->peer.cookie && cookie_of(peer) == end->peer.cookie ? peer : NULL;
}

/* The tick of its last hop, or a later one. */
INLINE __u32 tick_of_peer(struct end *end)
{
	__u32 jiffies = 0;

	bpf_probe_read_kernel(&jiffies, sizeof(jiffies), &end_of_peer(end)->jiffies);
	return jiffies;
}

INLINE bool is_used(struct sk_psock *psock)
{
	return psock->refcnt.refs.counter != 1; /* the map's own */
}

/* Whether the other end may be inside send, with a hop to us decided already: between that and our queue it holds
 * no lock, and finding us gone it would say EPIPE (tcp_bpf_sendmsg_redir). Or it is inside recv. */
INLINE bool may_hop_to(struct end *end)
{
	struct tcp_sock *peer = peer_of(end);
	struct sk_psock *psock = peer ? psock_of(peer) : NULL;

	return psock && is_used(psock);
}

#endif
