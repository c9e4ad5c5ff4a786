// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* What an application does that the kernel cannot do right for a socket in a sockmap. */
#ifndef SOCKHOP_HAZARDS_H
#define SOCKHOP_HAZARDS_H

#include "memory.h"
#include "socket.h"

#define HAZARD(reason) (1u << REASON_##reason)

/* Flags of recv() that tcp_bpf_recvmsg_parser() ignores, or that tell or may tell of something it lacks. */
#define HAZARDOUS_RECV (MSG_WAITALL | MSG_OOB | MSG_ERRQUEUE | MSG_TRUNC | MSG_PEEK)

/* Bits are collected in an end, not in a register: to the verifier what is in a map is unknown, and the ways
 * through many tests are one again after each. */
INLINE void note(volatile __u32 *found, bool is_so, __u32 hazard)
{
	if (is_so)
		*found |= hazard;
}

INLINE void hazards_of_recv(__u32 flags, volatile __u32 *found)
{
	note(found, flags & MSG_WAITALL, HAZARD(WAITALL));
	note(found, flags & MSG_OOB, HAZARD(OOB));
	note(found, flags & MSG_ERRQUEUE, HAZARD(ERRQUEUE));
	note(found, flags & MSG_TRUNC, HAZARD(DISCARD));
}

/* What the socket itself says. */
INLINE void hazards_of_socket(struct tcp_sock *tcp, volatile __u32 *found)
{
	struct sock *sk = sock_of(tcp);
	unsigned long flags = sk->__sk_common.skc_flags;
	struct mem_cgroup *memory = sk->sk_memcg;

	note(found, sk->sk_rcvlowat > 1, HAZARD(RCVLOWAT));
	note(found, flags & sock_flag(SOCK_URGINLINE), HAZARD(OOB));
	note(found, tcp->urg_seq, HAZARD(OOB)); /* has been sent urgent bytes, even if it lets them pass */
	note(found, flags & sock_flag(SOCK_ZEROCOPY), HAZARD(ZEROCOPY));
	note(found, flags & sock_flag(SOCK_RCVTSTAMP), HAZARD(TIMESTAMPS));
	note(found, sk->sk_tsflags, HAZARD(TIMESTAMPS));
	note(found, bitfield(tcp, recvmsg_inq), HAZARD(TIMESTAMPS));
	note(found, sk->sk_peek_off >= 0, HAZARD(PEEK_OFFSET));
	/* v1: near it a hop gives ENOMEM (sk_msg_alloc, bpf_tcp_ingress). */
	if (field_exists(memory->tcpmem_active) && memory)
		note(found, memory->tcpmem_active, HAZARD(MEMORY_LIMIT));
	note(found, is_near_limit(sk, 0), HAZARD(MEMORY_LIMIT));
}

/* A handler that is not SIG_DFL or SIG_IGN. The number is a constant: clang relocates no other index, and
 * would go by the size that k_sigaction has here. */
#define HANDLES(handlers, number) ((__u64)(handlers)->action[(number) - 1].sa.sa_handler > 1)

/* Signals that a running program gets as a matter of course, if it has handlers for them. */
INLINE void hazards_of_handlers(struct task_struct *task, volatile __u32 *found)
{
	struct sighand_struct *handlers = task->sighand;

	note(found, HANDLES(handlers, 10), HAZARD(SIGNALS)); /* SIGUSR1 */
	note(found, HANDLES(handlers, 12), HAZARD(SIGNALS)); /* SIGUSR2 */
	note(found, HANDLES(handlers, 14), HAZARD(SIGNALS)); /* SIGALRM */
	note(found, HANDLES(handlers, 17), HAZARD(SIGNALS)); /* SIGCHLD */
	note(found, HANDLES(handlers, 23), HAZARD(SIGNALS)); /* SIGURG */
	note(found, HANDLES(handlers, 26), HAZARD(SIGNALS)); /* SIGVTALRM */
	note(found, HANDLES(handlers, 27), HAZARD(SIGNALS)); /* SIGPROF */
	note(found, HANDLES(handlers, 29), HAZARD(SIGNALS)); /* SIGIO */
}

/* HAProxy (option splice-auto) recv()s until a stream has filled its buffer a few times, and only then turns to
 * splice(): that may be long after its class began to hop, and what has hopped by then would stay unread. No reads
 * tell beforehand whether it will. hapee-lb is its enterprise edition. */
INLINE bool may_splice(void)
{
	const char *name = bpf_get_current_task_btf()->group_leader->comm; /* padded with zeros */
	__u64 begins = word_at(name), community, enterprise;

	__builtin_memcpy(&community, "haproxy", 8);
	__builtin_memcpy(&enterprise, "hapee-lb", 8);
	return begins == community || (begins == enterprise && !word_at(name + 8));
}

INLINE bool has_threads(struct task_struct *task)
{
	return task->signal->nr_threads != 1;
}

INLINE bool is_shared(struct file *file)
{
	struct file___before_6_13 *older = (void *)file;

	return field_exists(file->f_ref) ? file->f_ref.refcnt.counter != 0 :
					   older->f_count.counter != 1;
}

/* Whether nobody but the calling thread can reach the socket. */
INLINE bool is_alone(struct file *file)
{
	return !has_threads(bpf_get_current_task_btf()) && !is_shared(file);
}

/* A blocking recv() in tcp_bpf_recvmsg_parser() gives EAGAIN for whatever wakes it without bytes: a
 * signal, and another thread's or process's send or shutdown. Who may meet that is not let in. Whoever looks at
 * /proc/PID/fd holds the socket for a moment (proc_fd_link), so only what is found shared at two reads in a row is. */
INLINE void hazards_of_blocking(struct tcp_sock *tcp, struct end *end)
{
	bool shared = is_shared(sock_of(tcp)->sk_socket->file);
	struct task_struct *task = bpf_get_current_task_btf();

	note(&end->found, has_threads(task) || (shared && end->shared), HAZARD(THREADS));
	end->shared = shared;
	hazards_of_handlers(task, &end->found);
}

#endif
