// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* How a socket becomes an end that is observed, or one that is in the map. */
#ifndef SOCKHOP_ENTERING_H
#define SOCKHOP_ENTERING_H

#include "classes.h"
#include "hazards.h"
#include "observed.h"

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

INLINE bool is_full(enum role role)
{
	bool is_server = role == ROLE_SERVER;

	/* A client needs room for its server too. */
	if (gauge.tracked + (is_server ? 1 : 2) <= config.capacity + (is_server ? CAPACITY_SLACK : 0))
		return false;
	count_refusal(REFUSED_MAP_FULL);
	return true;
}

INLINE struct where here(struct tcp_sock *tcp, struct end *end)
{
	return (struct where){
		.cookie = cookie_of(tcp),
		.sock = (__u64)(long)tcp,
		.end = (__u64)(long)end,
	};
}

/* A socket that was disconnected and connected again has an old one. */
INLINE void begin(struct end *end, struct tcp_sock *tcp, struct seq_pair pair, struct class_key *class)
{
	struct sock *sk = sock_of(tcp);

	__builtin_memset(end, 0, sizeof(*end));
	end->pair = pair;
	end->class = *class;
	end->checked_ns = bpf_ktime_get_ns();
	end->epoch = config.epoch;
	end->disconnects = field_exists(sk->sk_disconnects) ? sk->sk_disconnects : 0;
	end->outcome = OUTCOME_HOP;
	end->told_segments = tcp->data_segs_out;
	end->told_bytes = tcp->bytes_sent;
	end->read_at = tcp->write_seq;
}

/* Hops do not feed TCP's autotuning (tcp_rcv_space_adjust sees no sequence numbers move), so a socket
 * that nobody has set one for gets the receive buffer that a bulk reader would have tuned itself. Or none: with
 * less than that, streams of which TCP carries a part would be slower than on TCP alone. */
INLINE void make_room(void *ctx, struct tcp_sock *tcp, struct end *end)
{
	int half = config.room / 2; /* sk_setsockopt() doubles it */
	volatile int *room = &sock_of(tcp)->sk_rcvbuf;

	if (!config.room || sock_of(tcp)->sk_userlocks & SOCK_RCVBUF_LOCK)
		return;
	if ((__u32)*room < config.room)
		bpf_setsockopt(ctx, SOL_SOCKET, SO_RCVBUF, &half, sizeof(half));
	end->room = *room;
}

INLINE bool expect(struct tcp_sock *tcp)
{
	__u64 cookie = cookie_of(tcp);
	/* Not rcv_nxt: a segment that is half read when the socket goes in is taken from its first byte. */
	__u32 expected = tcp->copied_seq;

	return !bpf_map_update_elem(&next_seq, &cookie, &expected, BPF_ANY);
}

INLINE void expect_no_more(struct tcp_sock *tcp)
{
	__u64 cookie = cookie_of(tcp);

	bpf_map_delete_elem(&next_seq, &cookie);
}

/* What TCP begins with where segments are so large (tcp_select_initial_window). */
INLINE __u32 first_window(__u32 segment)
{
	__u32 most = 65535;

	return segment && segment <= most ? most - most % segment : most;
}

/* Twice the window that TCP begins with, less one. With one byte more each read would ask whether the window can be
 * opened (__tcp_cleanup_rbuf). With less, a rest of the window that has no room for a segment could be more than half
 * of it: then reading brings no new one, and the sender waits for its probe timer. A client begins before it knows
 * that timestamps will take their part of each segment (tcp_connect_init). */
INLINE __u32 small_window(struct tcp_sock *tcp)
{
	__u32 without = first_window(tcp->advmss), with = first_window(tcp->advmss + TCPOLEN_TSTAMP_ALIGNED);

	return 2 * (without < with ? without : with) - 1;
}

/* Whether an application has set the clamp. TCP's own is large, or all that the buffer has room for, or a segment less
 * (tcp_init_buffer_space, tcp_win_from_space). Before 6.6 half of a buffer is for what segments take besides. */
INLINE bool is_clamped_by_application(struct tcp_sock *tcp)
{
	__u64 ratio = field_exists(tcp->scaling_ratio) ? tcp->scaling_ratio : 128;
	__u32 most = sock_of(tcp)->sk_rcvbuf * ratio >> 8;

	return tcp->window_clamp < small_window(tcp) && tcp->window_clamp != most &&
	       tcp->window_clamp + tcp->advmss != most;
}

INLINE void set_clamp(void *ctx, __u32 clamp)
{
	bpf_setsockopt(ctx, IPPROTO_TCP, TCP_WINDOW_CLAMP, &clamp, sizeof(clamp));
}

INLINE void clamp_window(void *ctx, struct tcp_sock *tcp, __u32 clamp)
{
	/* is_in() has left no smaller one but an application's. */
	if (tcp->window_clamp >= small_window(tcp) && tcp->window_clamp != clamp)
		set_clamp(ctx, clamp);
}

/* `ctx` and `tcp` are what bpf_setsockopt() takes, and what we can read: in sock_ops not the same. */
INLINE void is_in(void *ctx, struct tcp_sock *tcp, struct end *end)
{
	/* Of late a new buffer sets a new clamp (tcp_set_rcvbuf). */
	__u32 clamp = is_clamped_by_application(tcp) ? tcp->window_clamp : small_window(tcp);

	end->tracked = 1;
	make_room(ctx, tcp, end);
	set_clamp(ctx, clamp);
	__sync_fetch_and_add(&gauge.tracked, 1);
}

/* Puts the socket into the map. EBUSY: a program of somebody else's holds it (sock_map_link). */
INLINE bool enter(struct bpf_sock_ops *ctx, struct tcp_sock *tcp, struct end *end)
{
	struct seq_pair key = mirrored(end->pair);

	if (!expect(tcp)) {
		count_refusal(REFUSED_MAP_FULL);
		return false;
	}
	if (bpf_sock_hash_update(ctx, &sockets, &key, BPF_NOEXIST)) {
		expect_no_more(tcp);
		count_refusal(REFUSED_BUSY);
		return false;
	}
	is_in(ctx, tcp, end);
	return true;
}

/* Does with a new socket what `state` says. Returns its end, or NULL: it is plain TCP's. */
INLINE struct end *go_in(struct bpf_sock_ops *ctx, struct tcp_sock *tcp, struct seq_pair pair,
			 struct class_key *class, enum class_state state)
{
	struct bpf_sock *sk = ctx->sk;
	int flags = BPF_SOCK_OPS_STATE_CB_FLAG;
	struct end *end;

	if (!sk || state == CLASS_STACK || !may_hop(tcp))
		return NULL;
	if (state == CLASS_HOPPING ? is_full(class->role) || !is_guarded() : !may_learn())
		return NULL;
	bpf_get_socket_cookie(ctx); /* makes one */
	end = bpf_sk_storage_get(&ends, sk, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	/* Nested scopes call this program once each. */
	if (!end || end->tracked || end->observed)
		return NULL;
	begin(end, tcp, pair, class);
	if (state == CLASS_LEARNING) {
		if (!observe(end))
			return NULL;
	} else {
		if (!enter(ctx, tcp, end))
			return NULL;
		flags |= BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG;
	}
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | flags);
	return end;
}

#endif
