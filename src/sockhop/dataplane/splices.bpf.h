// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* The guard against splice() from a socket in the map, which would wait for ever: tcp_splice_read() knows
 * only TCP's own queue. There is no tracepoint on its way. A tracepoint at the system call would cost each
 * system call of the host some 50 ns; a hardware watchpoint on the pointer that leads to tcp_splice_read(),
 * which nobody else reads, costs nothing until it is read (sock_splice_read: sock->ops->splice_read). */
#ifndef SOCKHOP_SPLICES_H
#define SOCKHOP_SPLICES_H

#include "evidence.h"
#include "syscalls.h"

/* Socket storage cannot be had for a socket that is found by its descriptor, so both classes that it may
 * be of are looked up: a port is not that of a server and of a client at once. */
INLINE void splices_from(__u64 descriptor)
{
	struct sock *sk = socket_of_descriptor(descriptor);
	struct class_key class;

	if (!sk || sk->sk_protocol != IPPROTO_TCP)
		return;
	class = class_of(sk, ROLE_SERVER);
	blame_all(&class, HAZARD(SPLICE));
	class = class_of(sk, ROLE_CLIENT);
	blame_all(&class, HAZARD(SPLICE));
}

/* splice() has the socket as its first argument, sendfile() to a pipe as its second. */
SEC("perf_event")
int sockhop_splice_watched(void *ctx __attribute__((unused)))
{
	struct syscall call = current_syscall();

	splices_from(call.arguments[0]);
	splices_from(call.arguments[1]);
	return 0;
}

/* Where there are no watchpoints. The layout is that of the tracepoint's format file. */
struct splice_arguments {
	__u64 common;
	long number;
	__u64 fd_in;
};

SEC("tp/syscalls/sys_enter_splice")
int sockhop_splice_called(struct splice_arguments *call)
{
	splices_from(call->fd_in);
	return 0;
}

/* iter/tcp: where to watch, the address of that pointer in the operations of IPv4 and of IPv6. */
SEC("iter/tcp")
int sockhop_operations(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct socket *socket;
	struct tcp_sock *tcp;
	__u64 address;

	tcp = common ? bpf_skc_to_tcp_sock(common) : NULL;
	socket = tcp ? sock_of(tcp)->sk_socket : NULL;
	if (!socket || !socket->ops)
		return 0;
	address = (__u64)&socket->ops->splice_read;
	bpf_seq_write(ctx->meta->seq, &address, sizeof(address));
	return 0;
}

#endif
