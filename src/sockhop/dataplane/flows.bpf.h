// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* iter/tcp: what there is to be told of each connection's end, for user space to put together. It changes
 * nothing, but that a socket gets a cookie if it has none. Runs under each socket's lock. */
#ifndef SOCKHOP_FLOWS_H
#define SOCKHOP_FLOWS_H

#include "discover.bpf.h"

INLINE __u32 flag_if(bool holds, enum flow_flag flag)
{
	return holds ? 1u << flag : 0;
}

/* Somebody else's programs or callbacks have the socket: sk_psock_init() would say EBUSY. */
INLINE bool is_foreign(struct tcp_sock *tcp, struct end *end)
{
	return (__u64)sock_of(tcp)->sk_user_data & ~(__u64)SK_USER_DATA_FLAGS && !(end && end->tracked);
}

INLINE __u32 flags_of_socket(struct tcp_sock *tcp, struct end *end)
{
	struct sock *sk = sock_of(tcp);
	struct file *file = sk->sk_socket ? sk->sk_socket->file : NULL;
	unsigned int file_flags = file ? file->f_flags : 0;

	return flag_if(is_in_scope(sk), FLOW_IN_SCOPE) | flag_if(psock_of(tcp), FLOW_IN_MAP) |
	       flag_if(file, FLOW_HAS_FILE) | flag_if(file && !(file_flags & O_NONBLOCK), FLOW_BLOCKS) |
	       flag_if(tcp->inet_conn.icsk_ulp_ops, FLOW_ULP) |
	       flag_if(field_exists(tcp->is_mptcp) && tcp->is_mptcp, FLOW_MPTCP) |
	       flag_if(bitfield(sk, sk_kern_sock), FLOW_KERNEL_SOCKET) |
	       flag_if(bitfield(tcp, repair), FLOW_REPAIR) | flag_if(is_foreign(tcp, end), FLOW_FOREIGN);
}

INLINE void tell_class_of(struct flow *flow, struct sock *sk, struct class_key *key)
{
	struct class_info *class = find_class(key);

	flow->action = rule_for(sk, &sk->__sk_common, key);
	flow->allowed = by_rule(flow->action, class);
	flow->class_state = class ? class->state : CLASS_LEARNING;
	flow->class_reasons = class ? class->reasons : 0;
	flow->flags |= flag_if(class, FLOW_HAS_CLASS);
}

/* peer_of() would take the note away that the end's next message looks for. */
INLINE void tell_peer(struct flow *flow, struct end *end)
{
	struct where peer = end->peer, *note;
	struct seq_pair pair = end->pair;

	if (!peer.cookie) {
		note = bpf_map_lookup_elem(&arrived, &pair);
		if (note)
			peer = *note;
	}
	flow->peer = peer.cookie;
	if (peer.cookie && cookie_of(read_only(struct tcp_sock, peer.sock)) != peer.cookie)
		flow->flags |= 1u << FLOW_PEER_GONE;
}

INLINE void tell_end(struct flow *flow, struct end *end)
{
	flow->flags |= 1u << FLOW_PAIRED | flag_if(end->observed, FLOW_OBSERVED) | flag_if(end->tracked, FLOW_TRACKED) |
		       flag_if(end->kept, FLOW_KEPT);
	flow->outcome = end->outcome;
	flow->messages = end->sent;
	flow->hopped_messages = end->hopped_messages;
	flow->hopped_bytes = end->hopped_bytes;
	tell_peer(flow, end);
}

SEC("iter/tcp")
int sockhop_flows(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct flow flow = {};
	struct class_key key;
	struct tcp_sock *tcp;
	struct address *to;
	struct sock *sk;
	struct end *end;

	tcp = common ? bpf_skc_to_tcp_sock(common) : NULL;
	if (!tcp || state_of(tcp) == TCP_LISTEN)
		return 0;
	sk = sock_of(tcp);
	end = bpf_sk_storage_get(&ends, tcp, NULL, 0);
	if (end && end->is_over)
		end = NULL;
	flow.cookie = bpf_get_socket_cookie(tcp);
	flow.netns_cookie = sk->__sk_common.skc_net.net->net_cookie;
	flow.family = sk->__sk_common.skc_family;
	flow.local_port = sk->__sk_common.skc_num;
	flow.remote_port = __builtin_bswap16(sk->__sk_common.skc_dport);
	to = (struct address *)flow.local_address;
	*to = address_of(flow.family, &sk->__sk_common.skc_rcv_saddr, &sk->__sk_common.skc_v6_rcv_saddr);
	to = (struct address *)flow.remote_address;
	*to = address_of(flow.family, &sk->__sk_common.skc_daddr, &sk->__sk_common.skc_v6_daddr);
	flow.tcp_state = state_of(tcp);
	flow.snd = tcp->write_seq;
	flow.rcv = tcp->rcv_nxt;
	flow.outcome = OUTCOME_HOP;
	flow.role = end ? end->class.role : role_of(tcp);
	flow.flags = flags_of_socket(tcp, end);
	hazards_of_socket(tcp, &flow.hazards);
	key = class_of(sk, flow.role);
	flow.cgroup = key.cgroup;
	tell_class_of(&flow, sk, &key);
	if (end)
		tell_end(&flow, end);
	bpf_seq_write(ctx->meta->seq, &flow, sizeof(flow));
	return 0;
}

#endif
