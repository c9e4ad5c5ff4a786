// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* Finding the two ends of a connection, from the SYN on.
 *
 *   listener   SYN received       notes the two initial sequence numbers it is about to use
 *   client     SYN-ACK received   finds that note: its server is in scope. Goes in, signs
 *   server     ACK received       finds the signature: its client went in. Goes in, answers
 *
 * so that only pairs go in, and a connection to anywhere else costs one look-up. "In" is the map if
 * the classes of both ends hop; while one of them learns, both ends are observed instead. */
#ifndef SOCKHOP_HANDSHAKE_H
#define SOCKHOP_HANDSHAKE_H

#include "entering.h"

/* tcp_openreq_init_rwin() asks for the initial window of a request socket after both initial
 * sequence numbers are chosen and before the SYN-ACK leaves: the one moment at which a listener can
 * say, before its client knows them, which numbers it answered with. */
INLINE void syn_received(struct bpf_sock_ops *ctx)
{
	struct bpf_sock_ops_kern *kern = bpf_cast_to_kern_ctx(ctx);
	struct tcp_request_sock *request;
	struct handshake note = {};
	struct tcp_sock *listener;
	struct seq_pair client;
	struct class_key class;

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
	class = class_of(sock_of(listener), ROLE_SERVER);
	note.state = state_of_new(sock_of(listener), &request->req.req.__req_common, &class);
	if (note.state == CLASS_STACK)
		return;
	client.snd = request->rcv_isn + 1;
	client.rcv = request->snt_isn + 1;
	bpf_map_update_elem(&handshakes, &client, &note, BPF_ANY);
}

INLINE void client_established(struct bpf_sock_ops *ctx, struct tcp_sock *tcp)
{
	struct seq_pair pair = { .snd = ctx->snd_nxt, .rcv = ctx->rcv_nxt };
	struct handshake *note = bpf_map_lookup_elem(&handshakes, &pair);
	struct class_key class;
	struct end *end;

	if (!note || config.closed)
		return;
	class = class_of(sock_of(tcp), ROLE_CLIENT);
	note->state = both(note->state,
			   state_of_new(sock_of(tcp), &sock_of(tcp)->__sk_common, &class));
	end = go_in(ctx, tcp, pair, &class, note->state);
	if (!end)
		return;
	note->client = here(tcp, end);
	trace(tcp, end, EVENT_CONNECTED);
}

INLINE void server_established(struct bpf_sock_ops *ctx, struct tcp_sock *tcp)
{
	struct seq_pair pair = { .snd = ctx->snd_nxt, .rcv = ctx->rcv_nxt };
	struct seq_pair client_pair = mirrored(pair);
	struct handshake *note = bpf_map_lookup_elem(&handshakes, &client_pair);
	struct class_key class;
	struct where server;
	struct end *end;

	if (!note)
		return;
	if (note->client.cookie) {
		class = class_of(sock_of(tcp), ROLE_SERVER);
		end = go_in(ctx, tcp, pair, &class, note->state);
		if (end) {
			end->peer = note->client;
			server = here(tcp, end);
			bpf_map_update_elem(&arrived, &client_pair, &server, BPF_ANY);
			trace(tcp, end, EVENT_PAIRED);
		}
	}
	bpf_map_delete_elem(&handshakes, &client_pair);
}

#endif
