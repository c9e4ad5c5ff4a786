// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* sock_ops: what happens to a connection between its messages. */
#ifndef SOCKHOP_CONNECTIONS_H
#define SOCKHOP_CONNECTIONS_H

#include "closing.h"
#include "handshake.h"
#include "pressure.h"

/* Called for each segment that leaves, acknowledgments included, just before its window is chosen
 * (__tcp_transmit_skb), and for each message that takes the stack (tcp_current_mss). */
INLINE void segment_leaves(struct bpf_sock_ops *ctx, struct tcp_sock *tcp, struct end *end)
{
	if (!end->tracked)
		return;
	hold_back(ctx, tcp, end);
	set_window(ctx, tcp, end);
	look_after_peer(ctx, tcp, end);
}

/* Called by connect() and listen(), so that it is known who does it. A class that others have taught to hop must not
 * wait for what this one reads: it may splice before. */
INLINE void begins(struct tcp_sock *tcp, enum role role)
{
	struct class_key class;

	if (config.eager || !may_splice())
		return;
	class = class_of(sock_of(tcp), role);
	blame_all(&class, HAZARD(MAY_SPLICE));
}

INLINE struct end *end_of(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	return sk ? bpf_sk_storage_get(&ends, sk, NULL, 0) : NULL;
}

SEC("sockops")
int sockhop_connections(struct bpf_sock_ops *ctx)
{
	struct bpf_sock_ops_kern *kern = bpf_cast_to_kern_ctx(ctx);
	struct tcp_sock *tcp = read_only(struct tcp_sock, kern->sk);
	struct end *end;

	switch (ctx->op) {
	case BPF_SOCK_OPS_TCP_LISTEN_CB:
		begins(tcp, ROLE_SERVER);
		break;
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		begins(tcp, ROLE_CLIENT);
		break;
	case BPF_SOCK_OPS_RWND_INIT:
		syn_received(ctx);
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		client_established(ctx, tcp);
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		server_established(ctx, tcp);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		end = end_of(ctx);
		if (end)
			state_changed(ctx, tcp, end);
		break;
	case BPF_SOCK_OPS_HDR_OPT_LEN_CB:
		end = end_of(ctx);
		if (end)
			segment_leaves(ctx, tcp, end);
		break;
	}
	return 1;
}

#endif
