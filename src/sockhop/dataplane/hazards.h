// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* What an application does that the kernel cannot do right for a socket in a sockmap. */
#ifndef SOCKHOP_HAZARDS_H
#define SOCKHOP_HAZARDS_H

#include "socket.h"

#define HAZARD(reason) (1u << REASON_##reason)

/* Flags of recv() that tcp_bpf_recvmsg_parser() ignores, or that tell of something it lacks. */
#define HAZARDOUS_RECV (MSG_WAITALL | MSG_OOB | MSG_ERRQUEUE | MSG_TRUNC)
/* The same of send() and tcp_bpf_sendmsg(). */
#define HAZARDOUS_SEND (MSG_OOB | MSG_ZEROCOPY | MSG_FASTOPEN)

INLINE __u32 hazards_of_recv(__u32 flags)
{
	return (flags & MSG_WAITALL ? HAZARD(WAITALL) : 0) | (flags & MSG_OOB ? HAZARD(OOB) : 0) |
	       (flags & MSG_ERRQUEUE ? HAZARD(ERRQUEUE) : 0) | (flags & MSG_TRUNC ? HAZARD(DISCARD) : 0);
}

INLINE __u32 hazards_of_send(__u32 flags)
{
	return (flags & MSG_OOB ? HAZARD(OOB) : 0) | (flags & MSG_ZEROCOPY ? HAZARD(ZEROCOPY) : 0) |
	       (flags & MSG_FASTOPEN ? HAZARD(FASTOPEN) : 0);
}

/* What the socket itself says. */
INLINE __u32 hazards_of_socket(struct tcp_sock *tcp)
{
	struct sock *sk = sock_of(tcp);
	unsigned long flags = sk->__sk_common.skc_flags;
	struct mem_cgroup *memory = sk->sk_memcg;
	__u32 hazards = 0;

	if (sk->sk_rcvlowat > 1)
		hazards |= HAZARD(RCVLOWAT);
	if (flags & sock_flag(SOCK_URGINLINE))
		hazards |= HAZARD(OOB);
	if (flags & sock_flag(SOCK_ZEROCOPY))
		hazards |= HAZARD(ZEROCOPY);
	if (flags & sock_flag(SOCK_RCVTSTAMP) || sk->sk_tsflags || bitfield(tcp, recvmsg_inq))
		hazards |= HAZARD(TIMESTAMPS);
	if (sk->sk_peek_off >= 0)
		hazards |= HAZARD(PEEK_OFFSET);
	/* v1: near it a hop gives ENOMEM (sk_msg_alloc, bpf_tcp_ingress). */
	if (field_exists(memory->tcpmem_active) && memory && memory->tcpmem_active)
		hazards |= HAZARD(MEMORY_LIMIT);
	return hazards;
}

/* Signals that a running program gets as a matter of course, if it has handlers for them. */
INLINE bool handles_signals(struct task_struct *task)
{
	const int routine[] = { 10, 12, 14, 17, 23, 26, 27, 29 }; /* USR1 USR2 ALRM CHLD URG VTALRM PROF IO */
	struct sighand_struct *handlers = task->sighand;
	bool found = false;

#pragma unroll
	for (int i = 0; i < 8; i++)
		found |= (__u64)handlers->action[routine[i] - 1].sa.sa_handler > 1; /* not SIG_DFL, SIG_IGN */
	return found;
}

/* A blocking recv() in tcp_bpf_recvmsg_parser() gives EAGAIN for whatever wakes it without bytes: a
 * signal, and another thread's send or shutdown. Who may meet that is not let in. */
INLINE __u32 hazards_of_blocking(struct task_struct *task)
{
	return (task->signal->nr_threads > 1 ? HAZARD(THREADS) : 0) |
	       (handles_signals(task) ? HAZARD(SIGNALS) : 0);
}

#endif
