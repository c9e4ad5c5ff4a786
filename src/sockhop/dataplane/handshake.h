// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* Finding the two ends of a connection, from the SYN on.
 *
 *   listener   SYN received       notes the two initial sequence numbers it is about to use
 *   client     SYN-ACK received   finds that note: its server is in scope. Goes into the map, signs
 *   server     ACK received       finds the signature: its client is in the map. Goes in, answers
 *
 * so that only pairs go in, and a connection to anywhere else costs one look-up. */
#ifndef SOCKHOP_HANDSHAKE_H
#define SOCKHOP_HANDSHAKE_H

#include "account.h"

/* More than the largest count that can pass the test below at once: one a CPU. */
#define CAPACITY_SLACK 1024

INLINE bool is_kernel_or_ulp(struct tcp_sock *tcp)
{
	/* sk_kern_sock: NFS, nvme-tcp, ceph read with callbacks of their own. */
	if (bitfield(sock_of(tcp), sk_kern_sock)) {
		count_refusal(REFUSED_KERNEL_SOCKET);
		return true;
	}
	/* sk_psock_init() would say EINVAL. */
	if (tcp->inet_conn.icsk_ulp_ops) {
		count_refusal(REFUSED_ULP);
		return true;
	}
	return false;
}

INLINE bool may_hop(struct tcp_sock *tcp)
{
	if (is_kernel_or_ulp(tcp))
		return false;
	if (field_exists(tcp->is_mptcp) && tcp->is_mptcp) {
		count_refusal(REFUSED_MPTCP);
		return false;
	}
	if (bitfield(tcp, repair)) {
		count_refusal(REFUSED_REPAIR);
		return false;
	}
	return true;
}

/* tcp_openreq_init_rwin() asks for the initial window of a request socket after both initial
 * sequence numbers are chosen and before the SYN-ACK leaves: the one moment at which a listener can
 * say, before its client knows them, which numbers it answered with. */
INLINE void syn_received(struct bpf_sock_ops *ctx)
{
	struct bpf_sock_ops_kern *kern = bpf_cast_to_kern_ctx(ctx);
	struct tcp_request_sock *request;
	struct tcp_sock *listener;
	struct where nobody = {};
	struct seq_pair client;

	if (ctx->is_fullsock || config.closed)
		return;
	request = read_only(struct tcp_request_sock, kern->sk);
	listener = read_only(struct tcp_sock, request->req.req.__req_common.skc_listener);
	if (is_kernel_or_ulp(listener))
		return;
	if (field_exists(request->is_mptcp) && request->is_mptcp) {
		count_refusal(REFUSED_MPTCP);
		return;
	}
	client.snd = request->rcv_isn + 1;
	client.rcv = request->snt_isn + 1;
	bpf_map_update_elem(&handshakes, &client, &nobody, BPF_ANY);
}

/* Hops do not feed TCP's autotuning (tcp_rcv_space_adjust sees no sequence numbers move), so a socket
 * that nobody has set one for gets the receive buffer that a bulk reader would have tuned itself. */
INLINE void make_room(struct bpf_sock_ops *ctx, struct tcp_sock *tcp)
{
	int half = config.rcvbuf / 2; /* sk_setsockopt() doubles it */

	if (!(sock_of(tcp)->sk_userlocks & SOCK_RCVBUF_LOCK) &&
	    (__u32)sock_of(tcp)->sk_rcvbuf < config.rcvbuf)
		bpf_setsockopt(ctx, SOL_SOCKET, SO_RCVBUF, &half, sizeof(half));
}

/* Puts the socket into the map. Returns its state, or NULL: it stays on the stack. */
INLINE struct end *enter(struct bpf_sock_ops *ctx, struct tcp_sock *tcp, struct seq_pair pair,
			 __u32 is_server)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);
	__u32 expected = ctx->rcv_nxt;
	struct bpf_sock *sk = ctx->sk;
	struct end *end;

	if (!sk || !may_hop(tcp))
		return NULL;
	if (gauge.tracked + (is_server ? 1 : 2) > config.capacity + (is_server ? CAPACITY_SLACK : 0)) {
		count_refusal(REFUSED_MAP_FULL);
		return NULL;
	}
	end = bpf_sk_storage_get(&ends, sk, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	/* Nested scopes call this program once each. */
	if (end && end->tracked)
		return NULL;
	if (!end || bpf_map_update_elem(&next_seq, &cookie, &expected, BPF_ANY)) {
		count_refusal(REFUSED_MAP_FULL);
		return NULL;
	}
	/* A socket that was disconnected and connected again has an old one. */
	__builtin_memset(end, 0, sizeof(*end));
	end->pair = pair;
	end->checked_ns = bpf_ktime_get_coarse_ns();
	end->epoch = config.epoch;
	end->is_server = is_server;
	end->disconnects = field_exists(sock_of(tcp)->sk_disconnects) ?
				   sock_of(tcp)->sk_disconnects : 0;
	end->outcome = OUTCOME_HOP;
	/* EBUSY: a program of somebody else's holds the socket (sock_map_link). */
	if (bpf_sock_hash_update(ctx, &sockets, &pair, BPF_NOEXIST)) {
		bpf_map_delete_elem(&next_seq, &cookie);
		count_refusal(REFUSED_BUSY);
		return NULL;
	}
	end->tracked = 1;
	make_room(ctx, tcp);
	__sync_fetch_and_add(&gauge.tracked, 1);
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG |
					       BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG);
	return end;
}

INLINE struct where here(struct bpf_sock_ops *ctx, struct tcp_sock *tcp, struct end *end)
{
	return (struct where){
		.cookie = bpf_get_socket_cookie(ctx),
		.sock = (__u64)(long)tcp,
		.end = (__u64)(long)end,
	};
}

INLINE void client_established(struct bpf_sock_ops *ctx, struct tcp_sock *tcp)
{
	struct seq_pair pair = { .snd = ctx->snd_nxt, .rcv = ctx->rcv_nxt };
	struct where *client = bpf_map_lookup_elem(&handshakes, &pair);
	struct end *end;

	if (!client || config.closed)
		return;
	end = enter(ctx, tcp, pair, false);
	if (!end)
		return;
	*client = here(ctx, tcp, end);
	trace(tcp, end, EVENT_CONNECTED);
}

INLINE void server_established(struct bpf_sock_ops *ctx, struct tcp_sock *tcp)
{
	struct seq_pair pair = { .snd = ctx->snd_nxt, .rcv = ctx->rcv_nxt };
	struct seq_pair client_pair = mirrored(pair);
	struct where *client = bpf_map_lookup_elem(&handshakes, &client_pair);
	struct where server;
	struct end *end;

	if (!client)
		return;
	if (client->cookie) {
		end = enter(ctx, tcp, pair, true);
		if (end) {
			end->peer = *client;
			server = here(ctx, tcp, end);
			bpf_map_update_elem(&servers, &client_pair, &server, BPF_ANY);
			trace(tcp, end, EVENT_PAIRED);
		}
	}
	bpf_map_delete_elem(&handshakes, &client_pair);
}

#endif
