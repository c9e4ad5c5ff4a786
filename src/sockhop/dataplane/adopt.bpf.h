// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* iter/tcp: taking observed pairs into the map, once both classes hop. Runs under each socket's lock. */
#ifndef SOCKHOP_ADOPT_H
#define SOCKHOP_ADOPT_H

#include "entering.h"
#include "evidence.h"
#include "peer.h"

/* A thread that is blocked in recv(), or on its way there, would look only at TCP's own queue. */
INLINE bool does_not_block(struct tcp_sock *tcp)
{
	struct file *file = sock_of(tcp)->sk_socket->file;

	return file && !is_blocking(file);
}

INLINE bool is_ready(struct tcp_sock *tcp)
{
	return state_of(tcp) == TCP_ESTABLISHED && !sock_of(tcp)->sk_shutdown && !tcp->urg_data &&
	       does_not_block(tcp);
}

INLINE bool may_enter(struct tcp_sock *tcp, struct end *end)
{
	struct tcp_sock *peer = peer_of(end);

	end->found = 0;
	hazards_of_socket(tcp, &end->found);
	return peer && is_ready(tcp) && is_ready(peer) && !end->found && may_hop(tcp) &&
	       !is_full(end->class.role) && state_of_pair(end, tcp, peer) == CLASS_HOPPING && is_guarded();
}

/* An idle end hears nothing of its class, and reads would be watched for it. */
INLINE void forget_judged(struct end *end)
{
	struct class_key key = end->class;
	struct class_info *class = find_class(&key);

	if (!class || class->state != CLASS_LEARNING)
		observe_no_more(end);
}

SEC("iter/tcp")
int sockhop_adopt(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	int flags = BPF_SOCK_OPS_STATE_CB_FLAG | BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG;
	struct tcp_sock *tcp;
	struct seq_pair key;
	struct end *end;

	tcp = common ? bpf_skc_to_tcp_sock(common) : NULL;
	if (!tcp || config.closed)
		return 0;
	end = bpf_sk_storage_get(&ends, tcp, NULL, 0);
	if (!end || end->is_over || end->tracked || psock_of(tcp))
		return 0;
	forget_judged(end);
	if (!may_enter(tcp, end))
		return 0;
	if (bpf_setsockopt(tcp, IPPROTO_TCP, TCP_BPF_SOCK_OPS_CB_FLAGS, &flags, sizeof(flags)) ||
	    !expect(tcp))
		return 0;
	key = mirrored(end->pair);
	if (bpf_map_update_elem(&sockets, &key, tcp, BPF_NOEXIST)) {
		expect_no_more(tcp);
		count_refusal(REFUSED_BUSY);
		return 0;
	}
	observe_no_more(end);
	is_in(tcp, tcp, end);
	/* What the stack carried until now says nothing of firewalls: hops have to be earned first. */
	end->epoch = config.epoch - 1;
	__sync_fetch_and_add(&gauge.adopted, 1);
	trace(tcp, end, EVENT_ADOPTED);
	return 0;
}

#endif
