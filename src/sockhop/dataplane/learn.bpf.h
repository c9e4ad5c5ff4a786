// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* Tracepoints: what applications do with their sockets. While a class learns, its ends are observed and
 * each read and write counts; afterwards these are the guard, and look only at what is out of line. */
#ifndef SOCKHOP_LEARN_H
#define SOCKHOP_LEARN_H

#include "evidence.h"

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
	__u32 hazards;

	if (!gauge.observed && !(flags & HAZARDOUS_RECV) && (result >= 0 || !blocks))
		return 0;
	end = bpf_sk_storage_get(&ends, (void *)ctx[0], NULL, 0);
	if (!end)
		return 0;
	tcp = read_only(struct tcp_sock, ctx[0]);
	hazards = hazards_of_recv(flags);
	if (blocks)
		hazards |= hazards_of_blocked(end, tcp, result);
	if (hazards)
		blame_all(&end->class, hazards);
	if (end->observed && result > 0)
		has_read(end, tcp, result);
	return 0;
}

SEC("tp_btf/sock_send_length")
int sockhop_sent(__u64 *ctx)
{
	__s32 result = ctx[1];
	__u32 flags = ctx[2];
	struct end *end;

	if (!gauge.observed && !(flags & HAZARDOUS_SEND))
		return 0;
	end = bpf_sk_storage_get(&ends, (void *)ctx[0], NULL, 0);
	if (!end)
		return 0;
	if (flags & HAZARDOUS_SEND)
		blame_all(&end->class, hazards_of_send(flags));
	if (end->observed && result > 0)
		has_written(end, read_only(struct tcp_sock, ctx[0]), result);
	return 0;
}

#endif
