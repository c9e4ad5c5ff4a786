// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* Small questions about sockets. */
#ifndef SOCKHOP_SOCKET_H
#define SOCKHOP_SOCKET_H

#include "kernel.h"

/* A word of the kernel's memory, 0 where there is none. bpf_probe_read_kernel() is a call, which a message notices. */
INLINE __u64 word_at(const void *address)
{
	return read_only(struct timespec64, address)->tv_sec;
}

INLINE bool before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

INLINE struct sock *sock_of(struct tcp_sock *tcp)
{
	return &tcp->inet_conn.icsk_inet.sk;
}

INLINE __u64 cookie_of(struct tcp_sock *tcp)
{
	return sock_of(tcp)->__sk_common.skc_cookie.counter;
}

INLINE int state_of(struct tcp_sock *tcp)
{
	return sock_of(tcp)->__sk_common.skc_state;
}

/* sk_psock() of include/linux/skmsg.h; NULL for a socket that is in no sockmap. */
INLINE struct sk_psock *psock_of(struct tcp_sock *tcp)
{
	__u64 user_data = (__u64)sock_of(tcp)->sk_user_data;

	if (!(user_data & SK_USER_DATA_PSOCK))
		return NULL;
	return read_only(struct sk_psock, user_data & ~(__u64)SK_USER_DATA_FLAGS);
}

INLINE bool is_corked(struct tcp_sock *tcp)
{
	return bitfield(tcp, nonagle) & TCP_NAGLE_CORK;
}

/* TCP_NAGLE_PUSH, which stays until the next byte for the stack, says nothing of Nagle's algorithm. */
INLINE bool is_nagle(struct tcp_sock *tcp)
{
	return !(bitfield(tcp, nonagle) & (TCP_NAGLE_OFF | TCP_NAGLE_CORK));
}

/* Whether TCP joins small writes before they leave. */
INLINE bool joins(struct tcp_sock *tcp)
{
	return is_nagle(tcp) || is_corked(tcp);
}

INLINE bool is_blocking(struct file *file)
{
	return !(file->f_flags & O_NONBLOCK);
}

/* Bytes that stand in the one queue, unread. */
INLINE __u32 queued(struct sk_psock *psock)
{
	return psock->msg_tot_len;
}

/* No TCP bytes on their way from TCP's queue into the one queue: none in TCP's own, where they wait
 * before accept() (sk_psock_verdict_data_ready without sk_socket), and none in the backlog that
 * takes them when memory is short (sk_psock_verdict_apply). */
INLINE bool one_queue(struct tcp_sock *tcp, struct sk_psock *psock)
{
	return !sock_of(tcp)->sk_receive_queue.qlen && !psock->ingress_skb.qlen;
}

#endif
