// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* iter/tcp: the two ends of connections that were there before us. Nobody noted their first sequence
 * numbers, but at rest each end's next two are the other's, swapped: sixty-four bits again, whatever
 * namespaces and NAT lie between. Run twice in a row over all namespaces:
 *
 *   first    an end leaves its numbers, or finds those of its peer: it is observed, and marks the peer
 *   second   the peer finds the mark
 *
 * A connection that is busy is found at rest another time. */
#ifndef SOCKHOP_DISCOVER_H
#define SOCKHOP_DISCOVER_H

#include "entering.h"

#define MAX_CGROUP_DEPTH 64

struct search {
	__u64 cgroup;
	bool found;
};

static long try_ancestor(__u32 level, struct search *search)
{
	__u64 id = ancestor_id(search->cgroup, level);

	search->found = id && bpf_map_lookup_elem(&scopes, &id);
	return !id || search->found;
}

INLINE bool is_in_scope(struct sock *sk)
{
	struct search search = { .found = false };

	bpf_probe_read_kernel(&search.cgroup, sizeof(search.cgroup), &sk->sk_cgrp_data.cgroup);
	bpf_loop(MAX_CGROUP_DEPTH, try_ancestor, &search, 0);
	return search.found;
}

/* Nothing in a socket says who listened, but its port does: connect() marks the ports that it chose
 * (__inet_hash_connect), and a child shares its listener's, which bind() or listen() took. A client
 * that has bound its port looks like a server, and its connection is left alone. */
INLINE enum role role_of(struct tcp_sock *tcp)
{
	return tcp->inet_conn.icsk_bind_hash->fastreuse < 0 ? ROLE_CLIENT : ROLE_SERVER;
}

INLINE void found(struct tcp_sock *tcp, struct seq_pair pair, enum role role)
{
	struct seq_pair peer_pair = mirrored(pair);
	struct class_key class = class_of(sock_of(tcp), role);
	int flags = BPF_SOCK_OPS_STATE_CB_FLAG;
	enum class_state state;
	struct where where;
	struct end *end;

	state = state_of_new(sock_of(tcp), &sock_of(tcp)->__sk_common, &class);
	if (state == CLASS_STACK)
		return;
	end = bpf_sk_storage_get(&ends, tcp, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!end)
		return;
	begin(end, tcp, pair, &class);
	/* Kernels before 6.12 cannot set them from here; without, the end would never be over. */
	if (bpf_setsockopt(tcp, IPPROTO_TCP, TCP_BPF_SOCK_OPS_CB_FLAGS, &flags, sizeof(flags))) {
		end->is_over = 1;
		return;
	}
	if (state == CLASS_LEARNING && !observe(end))
		return;
	where = here(tcp, end);
	bpf_map_update_elem(&arrived, &peer_pair, &where, BPF_ANY);
}

SEC("iter/tcp")
int sockhop_discover(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct candidate me = {}, *other;
	struct seq_pair pair, peer_pair, *match;
	struct tcp_sock *tcp;
	struct end *end;

	tcp = common ? bpf_skc_to_tcp_sock(common) : NULL;
	if (!tcp || state_of(tcp) != TCP_ESTABLISHED || config.closed)
		return 0;
	end = bpf_sk_storage_get(&ends, tcp, NULL, 0);
	if ((end && !end->is_over) || psock_of(tcp) || !may_hop(tcp) || !is_in_scope(sock_of(tcp)))
		return 0;
	me.cookie = bpf_get_socket_cookie(tcp);
	me.role = role_of(tcp);
	match = bpf_map_lookup_elem(&matches, &me.cookie);
	if (match) {
		pair = *match;
		bpf_map_delete_elem(&matches, &me.cookie);
		found(tcp, pair, me.role);
		return 0;
	}
	pair = (struct seq_pair){ .snd = tcp->write_seq, .rcv = tcp->rcv_nxt };
	peer_pair = mirrored(pair);
	other = bpf_map_lookup_elem(&candidates, &peer_pair);
	if (!other) {
		bpf_map_update_elem(&candidates, &pair, &me, BPF_ANY);
		return 0;
	}
	if (other->cookie == me.cookie || other->role == me.role)
		return 0;
	bpf_map_update_elem(&matches, &other->cookie, &peer_pair, BPF_ANY);
	bpf_map_delete_elem(&candidates, &peer_pair);
	found(tcp, pair, me.role);
	return 0;
}

#endif
