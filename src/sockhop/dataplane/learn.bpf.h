// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* Tracepoints: what applications do with their sockets. While a class learns, its ends are observed and
 * each read and write counts; afterwards these are the guard, and look only at what is out of line. */
#ifndef SOCKHOP_LEARN_H
#define SOCKHOP_LEARN_H

#include "evidence.h"
#include "syscalls.h"

/* include/trace/events/sock.h: sock_recv_length(struct sock *sk, int ret, int flags). A peek has a
 * result of 0. */
SEC("tp_btf/sock_recv_length")
int sockhop_received(__u64 *ctx)
{
	__s32 result = ctx[1];
	__u32 flags = ctx[2];
	bool blocks = !(flags & MSG_DONTWAIT);
	struct tcp_sock *tcp;
	struct end *end;

	if (!gauge.observed && !(flags & HAZARDOUS_RECV) && (result >= 0 || !blocks))
		return 0;
	end = bpf_sk_storage_get(&ends, (void *)ctx[0], NULL, 0);
	if (!end)
		return 0;
	tcp = read_only(struct tcp_sock, ctx[0]);
	hazards_of_recv(flags, &end->found);
	if (end->observed)
		hazards_of_socket(tcp, &end->found);
	if (end->observed && blocks)
		hazards_of_blocking(tcp, &end->found);
	note(&end->found, blocks && is_interrupted(tcp, result), HAZARD(INTERRUPTED));
	blame_found(&end->found, &end->class);
	if (end->observed && result > 0)
		has_read(end, tcp, result);
	return 0;
}

/* The tracepoint's own flags are 0 (sock_sendmsg_nosec). Only while a class learns: what a class that hops
 * sends out of line shows at the receiver, or in the socket. A connected socket answers MSG_FASTOPEN, and
 * nothing else, with these errors. */
SEC("tp_btf/sock_send_length")
int sockhop_sent(__u64 *ctx)
{
	__s32 result = ctx[1];
	struct end *end;

	if (!gauge.observed)
		return 0;
	end = bpf_sk_storage_get(&ends, (void *)ctx[0], NULL, 0);
	if (!end || !end->observed)
		return 0;
	hazards_of_send(flags_of_send(), &end->found);
	note(&end->found, result == -EISCONN || result == -EOPNOTSUPP, HAZARD(FASTOPEN));
	blame_found(&end->found, &end->class);
	if (result > 0)
		has_written(end, read_only(struct tcp_sock, ctx[0]), result);
	return 0;
}

#endif
