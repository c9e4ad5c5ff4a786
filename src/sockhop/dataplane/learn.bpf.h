// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* What applications do when they read. While a class learns, its ends are observed and each read counts;
 * while any does, this is the guard too, and looks only at what is out of line. There is none on writes: what they
 * do shows at the reader or in the socket, and each tracepoint costs 1 to 2 % of a round trip. */
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
	if (end->observed || flags & MSG_PEEK) /* SO_PEEK_OFF */
		hazards_of_socket(tcp, &end->found);
	if (end->observed) {
		end->seen |= SEEN_READ;
		if (is_of_ring(current_call(), bpf_get_current_task_btf()))
			end->seen |= SEEN_RING;
		note(&end->found, may_splice(), HAZARD(MAY_SPLICE));
	}
	if (end->observed && blocks) {
		end->seen |= SEEN_BLOCKING;
		hazards_of_blocking(tcp, end);
		note(&end->found, is_after_bulk(end, tcp), HAZARD(BULK));
	}
	note(&end->found, blocks && is_interrupted(tcp, result), HAZARD(INTERRUPTED));
	blame_found(&end->found, &end->class);
	if (end->observed && result > 0)
		has_read(end, tcp, result);
	return 0;
}

#endif
