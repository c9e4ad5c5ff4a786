// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* The other end of a connection. */
#ifndef SOCKHOP_PEER_H
#define SOCKHOP_PEER_H

#include "maps.h"
#include "socket.h"

/* A client learns where its server is when it first needs to: the server came after it. */
INLINE void find_server(struct end *end)
{
	struct seq_pair pair = end->pair;
	struct where *server;

	if (end->is_server)
		return;
	server = bpf_map_lookup_elem(&servers, &pair);
	if (!server)
		return;
	end->peer = *server;
	bpf_map_delete_elem(&servers, &pair);
}

/* The other end, or NULL where there is none, or none any more. */
INLINE struct tcp_sock *peer_of(struct end *end)
{
	struct tcp_sock *peer;

	if (!end->peer.cookie)
		find_server(end);
	peer = read_only(struct tcp_sock, end->peer.sock);
	return end->peer.cookie && cookie_of(peer) == end->peer.cookie ? peer : NULL;
}

#endif
