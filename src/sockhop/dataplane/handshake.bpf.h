// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* sock_ops: finding the two ends of a connection, from the SYN to the close.
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
/* One segment of the loopback device. */
#define SMALL_WINDOW 65536

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
	if (tracked + (is_server ? 1 : 2) > config.capacity + (is_server ? CAPACITY_SLACK : 0)) {
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
	__sync_fetch_and_add(&tracked, 1);
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

/* connect(AF_UNSPEC) empties TCP's queue but not ours (tcp_disconnect): unread bytes would appear in
 * the next connection. A reset (sk_err) and the way into TIME_WAIT (sk_shutdown) close a socket too,
 * and keep what is unread readable. */
INLINE bool is_disconnect(struct tcp_sock *tcp, struct end *end)
{
	struct sock *sk = sock_of(tcp);

	if (field_exists(sk->sk_disconnects))
		return (__u32)sk->sk_disconnects != end->disconnects;
	return !sk->sk_err && sk->sk_shutdown != SHUTDOWN_MASK;
}

INLINE bool has_unread(struct tcp_sock *tcp)
{
	struct sk_psock *psock = psock_of(tcp);

	return psock && (psock->msg_tot_len || !one_queue(tcp, psock));
}

/* Forgets the sequence number that the one queue expects, unless TCP's queue is still to be moved
 * there: before accept(), or right now, when the segment with the FIN has closed a socket of
 * FIN_WAIT2 and its bytes come after this callback (tcp_data_queue: tcp_fin, then tcp_data_ready). */
INLINE void forget_seq(struct tcp_sock *tcp, __u64 cookie)
{
	__u32 *expected;

	if (sock_of(tcp)->sk_receive_queue.qlen) {
		expected = bpf_map_lookup_elem(&next_seq, &cookie);
		if (expected)
			bpf_map_update_elem(&last_seq, &cookie, expected, BPF_ANY);
	}
	bpf_map_delete_elem(&next_seq, &cookie);
}

/* Also when the application has not closed the socket yet: nothing more can come, and iterators over
 * TCP sockets no longer see it. */
INLINE void closed(struct bpf_sock_ops *ctx, struct tcp_sock *tcp, struct end *end)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);
	struct seq_pair pair = end->pair;

	if (!end->tracked)
		return;
	end->tracked = 0;
	__sync_fetch_and_add(&tracked, -1);
	forget_seq(tcp, cookie);
	if (!end->is_server)
		bpf_map_delete_elem(&servers, &pair);
	if (is_disconnect(tcp, end) || !has_unread(tcp))
		bpf_map_delete_elem(&sockets, &pair);
	trace(tcp, end, EVENT_CLOSED);
}

/* A close with unread bytes is a reset (RFC 2525, 2.17), but tcp_close() looks for them only in
 * TCP's queue. A window wide enough for whatever the peer may still send makes it send, and meet a
 * closed socket. sk_rmem_alloc: the one queue is freed later, by sk_psock_destroy(). */
INLINE void closing(struct bpf_sock_ops *ctx, struct tcp_sock *tcp)
{
	struct sock *sk = sock_of(tcp);
	int wide = 1 << 30;

	if (sk->sk_shutdown == SHUTDOWN_MASK && sk->sk_backlog.rmem_alloc.counter > 0)
		bpf_setsockopt(ctx, SOL_SOCKET, SO_RCVBUF, &wide, sizeof(wide));
}

/* Two closes the above does not reach: with a queue so long that the window stays shut (SO_RCVBUF goes
 * up to net.core.rmem_max and no further), and after a half-close, when closing changes no state that
 * we are told of, and the window of a TIME_WAIT socket stays as it was (tcp_time_wait). So a peer in
 * CLOSE_WAIT looks by itself, when the FIN comes and with each segment, window probes included. What it
 * still has to send meets nobody: it need not probe for a minute (tcp_probe_timer). */
INLINE void look_after_peer(struct bpf_sock_ops *ctx, struct tcp_sock *tcp, struct end *end)
{
	struct tcp_sock *peer = read_only(struct tcp_sock, end->peer.sock);
	struct sock *sk = sock_of(peer);
	int milliseconds = 200;

	if (!end->peer.cookie || !before(tcp->snd_una, tcp->write_seq))
		return;
	if (cookie_of(peer) == end->peer.cookie && state_of(peer) != TCP_CLOSE &&
	    (sk->sk_shutdown != SHUTDOWN_MASK || sk->sk_backlog.rmem_alloc.counter < sk->sk_rcvbuf))
		return;
	bpf_setsockopt(ctx, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof(milliseconds));
}

/* With TCP_NOTSENT_LOWAT the sender is woken when everything has left, which is when it may hop. */
INLINE void hold_back(struct bpf_sock_ops *ctx, struct tcp_sock *tcp, struct end *end)
{
	int lowat = end->wait;

	if (tcp->notsent_lowat != !lowat || (!lowat && !end->is_held))
		return; /* as it should be, or the application's own */
	end->is_held = lowat;
	bpf_setsockopt(ctx, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof(lowat));
}

/* What TCP promises, hops cannot use: keeps_promise(). One full segment is enough where the peer hops;
 * a stream that the stack carries for long gets the window that it would have had. */
INLINE void set_window(struct bpf_sock_ops *ctx, struct tcp_sock *tcp, struct end *end)
{
	int clamp = SMALL_WINDOW;
	__u32 on_stack;

	bpf_probe_read_kernel(&on_stack, sizeof(on_stack),
			      &((struct end *)(long)end->peer.end)->on_stack);
	if (on_stack)
		clamp = sock_of(tcp)->sk_rcvbuf;
	if (tcp->window_clamp != (__u32)clamp)
		bpf_setsockopt(ctx, IPPROTO_TCP, TCP_WINDOW_CLAMP, &clamp, sizeof(clamp));
}

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

/* Whether nobody but the calling thread can reach the socket: one thread, one reference to the file. */
INLINE bool is_alone(struct tcp_sock *tcp)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct file *file = sock_of(tcp)->sk_socket->file;
	struct file___before_6_13 *older = (void *)file;

	if (task->signal->nr_threads != 1)
		return false;
	return field_exists(file->f_ref) ? file->f_ref.refcnt.counter == 0 :
					   older->f_count.counter == 1;
}

/* Who sends its end and then waits for the answer in a blocking recv() is woken by the FIN's
 * acknowledgment (sk_state_change), and tcp_bpf_recvmsg_parser() gives EAGAIN for a wake-up without
 * bytes. So such a socket leaves, if nothing is unread and nobody can be on the way into recv(). */
INLINE void half_closed(struct tcp_sock *tcp, struct end *end)
{
	struct seq_pair pair = end->pair;

	if (sock_of(tcp)->sk_shutdown != SEND_SHUTDOWN || has_unread(tcp) || !is_alone(tcp))
		return;
	bpf_map_delete_elem(&sockets, &pair);
}

INLINE void state_changed(struct bpf_sock_ops *ctx, struct tcp_sock *tcp, struct end *end)
{
	switch (ctx->args[1]) {
	case TCP_FIN_WAIT1:
		half_closed(tcp, end);
		closing(ctx, tcp);
		break;
	case TCP_LAST_ACK:
		closing(ctx, tcp);
		break;
	case TCP_CLOSE_WAIT:
		look_after_peer(ctx, tcp, end);
		break;
	case TCP_CLOSE:
		closed(ctx, tcp, end);
		break;
	}
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
