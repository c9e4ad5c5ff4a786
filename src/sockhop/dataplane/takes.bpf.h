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

/* What io_uring splices is done by a worker: who lets workers read is taken for one who does that. */
INLINE __u32 hazard_of_taking(void)
{
	__u64 number = current_call().number;

	if (is_recv(number) && !(bpf_get_current_task_btf()->flags & PF_IO_WORKER))
		return 0;
	return is_splice(number) ? HAZARD(SPLICE) : HAZARD(UNSEEN);
}

/* Where a task's registers are in its stack. A call of the kernel's may cost ten times as much as a look
 * (CONFIG_MITIGATION_SRSO), and each read of a socket in the map pays for it. */
static volatile __u64 registers_at;

INLINE struct syscall call_of(struct task_struct *task)
{
	__u64 stack = (__u64)(long)task->stack;

	if (!registers_at)
		registers_at = (__u64)(long)bpf_task_pt_regs(task) - stack;
	return call_by(read_only(struct pt_regs, stack + registers_at));
}

/* A signal or a reset, which in the map a blocking read that finds nothing tells as EAGAIN. It cannot be told here from
 * one that came just after the read's bytes; and not at all from a wake-up by another thread or process. */
INLINE bool may_be_interrupted(struct tcp_sock *tcp, struct sk_psock *psock, struct task_struct *task)
{
	unsigned long signals = task->pending.signal.sig[0] | task->signal->shared_pending.signal.sig[0];

	if (psock->msg_tot_len || task->signal->flags & SIGNAL_GROUP_EXIT)
		return false;
	return sock_of(tcp)->sk_err || signals & ~task->blocked.sig[0];
}

/* Reads in a way that only sockhop_received can judge. */
INLINE void reads_otherwise(struct class_key *key)
{
	struct class_key copy = *key;
	struct class_info *class = find_class(&copy);

	if (!class || class->state != CLASS_HOPPING)
		return;
	start_anew(class);
	turn(&copy, class, CLASS_HOPPING, CLASS_LEARNING);
	__sync_fetch_and_add(&gauge.unwatched, 1);
}

/* What most reads are. */
INLINE bool is_plain(struct syscall call, struct task_struct *task)
{
	if (task->flags & PF_IO_WORKER)
		return false;
	return call.number == CALL(READ) || (call.number == CALL(RECVFROM) && !(call.fourth & HAZARDOUS_RECV));
}

INLINE bool is_disturbed(struct tcp_sock *tcp, struct sk_psock *psock, struct task_struct *task, struct file *file)
{
	return has_threads(task) || is_shared(file) || may_be_interrupted(tcp, psock, task);
}

/* Looks at a read of a socket in the map, while sockhop_received is not attached. */
INLINE void guard(__u64 *ctx, struct tcp_sock *tcp, struct sk_psock *psock)
{
	struct file *file = sock_of(tcp)->sk_socket->file;
	struct task_struct *task = bpf_get_current_task_btf();
	struct syscall call = call_of(task);
	__u32 flags = flags_of_recv(call);
	bool blocks = !(file->f_flags & O_NONBLOCK) && !(flags & MSG_DONTWAIT);
	struct end *end;
	bool shared;

	if (is_plain(call, task) && (!blocks || !is_disturbed(tcp, psock, task, file)))
		return;
	end = bpf_sk_storage_get(&ends, (void *)ctx[0], NULL, 0);
	if (!end)
		return;
	hazards_of_recv(flags, &end->found);
	if (flags & MSG_PEEK) /* SO_PEEK_OFF */
		hazards_of_socket(tcp, &end->found);
	if (blocks) {
		shared = is_shared(file);
		note(&end->found, has_threads(task) || (shared && end->shared), HAZARD(THREADS));
		note(&end->found, may_be_interrupted(tcp, psock, task), HAZARD(INTERRUPTED));
		end->shared = shared; /* until the next tick: see sockhop_send() */
	}
	blame_found(&end->found, &end->class);
	if (!is_recv(call.number) || is_of_ring(call, task))
		reads_otherwise(&end->class);
}

INLINE void judge_taking(__u64 *ctx)
{
	__u32 hazard = hazard_of_taking();
	struct end *end;

	if (!hazard)
		return;
	end = bpf_sk_storage_get(&ends, (void *)ctx[0], NULL, 0);
	if (end)
		blame_all(&end->class, hazard);
}

/* Called by tcp_recvmsg_locked(), tcp_bpf_recvmsg_parser(), tcp_read_sock(), tcp_zerocopy_receive(). In the map recv()
 * leaves nothing unread but for want of room; for the others there is all that has hopped. */
SEC("tp_btf/tcp_rcv_space_adjust")
int sockhop_taken(__u64 *ctx)
{
	struct tcp_sock *tcp = read_only(struct tcp_sock, ctx[0]);
	struct sk_psock *psock = psock_of(tcp);

	if (gauge.observed || (psock && psock->msg_tot_len))
		judge_taking(ctx);
	if (psock && !config.watched)
		guard(ctx, tcp, psock);
	return 0;
}

#endif
