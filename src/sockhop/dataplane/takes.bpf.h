// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* What takes bytes otherwise than by recv(): splice(), sendfile(), TCP_ZEROCOPY_RECEIVE. They know only TCP's own
 * queue, so in the map they would find nothing for ever. The kernel has no tracepoint of theirs but those at
 * the system calls, which would cost every call of the host some 50 ns; and a hardware watchpoint, however
 * rarely it is hit, makes the processor copy byte by byte on the whole host (REP MOVS: a third of TCP's
 * speed). But all ways from TCP's queue pass tcp_rcv_space_adjust(), with or without bytes. */
#ifndef SOCKHOP_TAKES_H
#define SOCKHOP_TAKES_H

#include "evidence.h"
#include "syscalls.h"

/* What io_uring splices is done by a worker, which has no system call of its own: who lets workers read is taken
 * for one who does that. */
INLINE __u32 hazard_of_taking(void)
{
	__u64 number = current_call().number;

	if (is_recv(number) && !(bpf_get_current_task_btf()->flags & PF_IO_WORKER))
		return 0;
	return is_splice(number) ? HAZARD(SPLICE) : HAZARD(UNSEEN);
}

/* recv() leaves nothing unread but for want of room; for the others there is all that has hopped. */
INLINE bool holds_bytes(struct tcp_sock *tcp)
{
	struct sk_psock *psock = psock_of(tcp);

	return psock && psock->msg_tot_len;
}

/* Called by tcp_recvmsg_locked(), tcp_bpf_recvmsg_parser(), tcp_read_sock(), tcp_zerocopy_receive(). */
SEC("tp_btf/tcp_rcv_space_adjust")
int sockhop_taken(__u64 *ctx)
{
	struct end *end;
	__u32 hazard;

	if (!gauge.observed && !holds_bytes(read_only(struct tcp_sock, ctx[0])))
		return 0;
	hazard = hazard_of_taking();
	if (!hazard)
		return 0;
	end = bpf_sk_storage_get(&ends, (void *)ctx[0], NULL, 0);
	if (end)
		blame_all(&end->class, hazard);
	return 0;
}

#endif
