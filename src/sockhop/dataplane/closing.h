// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* What a socket in the map does differently when it ends, and the cures. */
#ifndef SOCKHOP_CLOSING_H
#define SOCKHOP_CLOSING_H

#include "evidence.h"
#include "peer.h"
#include "pressure.h"

/* Two ticks of the clock and what is left of the first. */
#define QUIET_JIFFIES 3

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

	return psock && (queued(psock) || !one_queue(tcp, psock));
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
	struct seq_pair peer_pair = mirrored(pair);

	if (end->is_over)
		return;
	end->is_over = 1;
	is_over(end, tcp);
	bpf_map_delete_elem(&arrived, &pair);
	bpf_map_delete_elem(&arrived, &peer_pair);
	trace(tcp, end, EVENT_CLOSED);
	if (!end->tracked)
		return;
	end->tracked = 0;
	let_go(ctx, tcp, end); /* it may be connected again */
	__sync_fetch_and_add(&gauge.tracked, -1);
	forget_seq(tcp, cookie);
	if (is_disconnect(tcp, end) || !has_unread(tcp))
		bpf_map_delete_elem(&sockets, &peer_pair);
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

/* Whether a hop of the peer may be under way: it is inside send, or inside recv, where it may have been for long. */
INLINE bool may_be_coming(struct end *end)
{
	return may_hop_to(end) && (__u32)bpf_jiffies64() - tick_of_peer(end) < QUIET_JIFFIES;
}

/* Whether its reads may block, or those of its class have: a poll() before them does not show. */
INLINE bool may_wait_in_recv(struct end *end)
{
	struct class_key key = end->class;
	struct class_info *class = find_class(&key);

	return end->seen & SEEN_BLOCKING || (class && class->blocking);
}

/* Who sends its end and then waits for the answer in a blocking recv() is woken by the FIN's
 * acknowledgment (sk_state_change), and tcp_bpf_recvmsg_parser() gives EAGAIN for a wake-up without
 * bytes. So a class that does this is kept on the stack. And a socket that is in leaves, if nothing is
 * unread, nobody can be on the way into recv() and nothing comes from the peer. */
INLINE void half_closed(struct tcp_sock *tcp, struct end *end)
{
	struct seq_pair key = mirrored(end->pair);
	struct file *file;

	if (sock_of(tcp)->sk_shutdown != SEND_SHUTDOWN)
		return;
	file = sock_of(tcp)->sk_socket->file;
	if (!is_blocking(file))
		return;
	if (may_wait_in_recv(end))
		blame_all(&end->class, HAZARD(INTERRUPTED));
	if (end->tracked && !has_unread(tcp) && is_alone(file) && !may_be_coming(end))
		bpf_map_delete_elem(&sockets, &key);
}

INLINE void state_changed(struct bpf_sock_ops *ctx, struct tcp_sock *tcp, struct end *end)
{
	__u32 state = ctx->args[1];

	if (state == TCP_CLOSE)
		closed(ctx, tcp, end);
	if (state == TCP_FIN_WAIT1)
		half_closed(tcp, end);
	if (!end->tracked)
		return; /* plain TCP's */
	if (state == TCP_FIN_WAIT1 || state == TCP_LAST_ACK)
		closing(ctx, tcp);
	if (state == TCP_CLOSE_WAIT)
		look_after_peer(ctx, tcp, end);
}

#endif
