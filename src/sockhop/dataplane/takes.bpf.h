// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* What takes bytes otherwise than by recv(): splice(), sendfile(), TCP_ZEROCOPY_RECEIVE. They know only TCP's own
 * queue, so in the map they would find nothing for ever. The kernel has no tracepoint of theirs but those at
 * the system calls, which would cost every call of the host some 50 ns; and a hardware watchpoint, however
 * rarely it is hit, makes the processor copy byte by byte on the whole host (REP MOVS: a third of TCP's
 * speed). But all ways from TCP's queue pass tcp_rcv_space_adjust(), with or without bytes. So does recv(), and while
 * sockhop_received is not attached, this guards what hops in its place. */
#ifndef SOCKHOP_TAKES_H
#define SOCKHOP_TAKES_H

#include "evidence.h"
#include "syscalls.h"

/* Of about a millisecond. */
#define SHARED_SPAN 2048

/* What io_uring splices is done by a worker: who lets workers read is taken for one who does that. */
INLINE __u32 hazard_of_taking(struct syscall call, struct task_struct *task)
{
	__u32 flags;

	if ((is_recv(call, &flags) || call.number == IO_URING_ENTER) && !(task->flags & PF_IO_WORKER))
		return 0;
	return is_splice(call.number) ? HAZARD(SPLICE) : HAZARD(UNSEEN);
}

/* A signal, a stop, a debugger, the freezer of its cgroup. */
INLINE bool is_signalled(struct task_struct *task)
{
	unsigned long signals = task->pending.signal.sig[0] | task->signal->shared_pending.signal.sig[0];

	return signals & ~task->blocked.sig[0] || task->jobctl & JOBCTL_PENDING;
}

/* Whether something other than bytes may have woken the current task: a signal and its kin, or the end of the
 * connection. In the map a blocking read that finds nothing tells it as EAGAIN. Whether this one did cannot be told here;
 * nor is a wake-up by another thread or process seen. */
INLINE bool may_be_interrupted(struct tcp_sock *tcp, struct sk_psock *psock, struct task_struct *task)
{
	if (queued(psock) || task->signal->flags & SIGNAL_GROUP_EXIT)
		return false;
	return sock_of(tcp)->sk_err || is_signalled(task);
}

/* As hazards_of_blocking(), but what is found alone is not noted here: two such reads have to be near in time. */
INLINE bool is_shared_again(struct end *end)
{
	__u32 now = bpf_ktime_get_ns() >> 20, since = now - end->read_at;

	end->read_at = now;
	return since < SHARED_SPAN;
}

INLINE bool may_block(struct file *file, __u32 flags)
{
	return is_blocking(file) && !(flags & MSG_DONTWAIT);
}

/* Whether only bytes can have ended a blocking read, as most: all others need a closer look, which decides. */
INLINE bool is_undisturbed(struct tcp_sock *tcp, struct task_struct *task, struct file *file)
{
	return !is_signalled(task) && !has_threads(task) && !is_shared(file) && !sock_of(tcp)->sk_err;
}

/* Whether nothing can be wrong with a read, as with most. */
INLINE bool is_in_line(struct tcp_sock *tcp)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct file *file;
	__u32 flags;

	if (!is_recv(call_of(task), &flags) || task->flags & PF_IO_WORKER || flags & HAZARDOUS_RECV)
		return false;
	file = sock_of(tcp)->sk_socket->file;
	return !may_block(file, flags) || is_undisturbed(tcp, task, file);
}

/* What the others tell of their class. Not inlined: no read should prepare for it. */
static __attribute__((noinline)) int look_at_read(__u64 *ctx)
{
	struct tcp_sock *tcp = read_only(struct tcp_sock, ctx[0]);
	struct end *end = bpf_sk_storage_get(&ends, (void *)ctx[0], NULL, 0);
	struct task_struct *task = bpf_get_current_task_btf();
	struct syscall call = call_of(task);
	__u32 flags = 0;
	struct file *file = sock_of(tcp)->sk_socket->file;
	struct sk_psock *psock = psock_of(tcp);
	bool ring = is_of_ring(call, task);

	if (!end || !psock)
		return 0;
	is_recv(call, &flags); /* what is no recv() has none */
	end->found |= hazard_of_taking(call, task);
	hazards_of_recv(flags, &end->found);
	if (flags & MSG_PEEK) /* SO_PEEK_OFF */
		hazards_of_socket(tcp, &end->found);
	if (!ring && may_block(file, flags)) {
		note(&end->found, has_threads(task), HAZARD(THREADS));
		note(&end->found, is_shared(file) && is_shared_again(end), HAZARD(THREADS));
		note(&end->found, may_be_interrupted(tcp, psock, task), HAZARD(INTERRUPTED));
	}
	blame_found(&end->found, &end->class);
	if (ring)
		must_be_watched(&end->class);
	return 0;
}

static __attribute__((noinline)) int judge_taking(__u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 hazard = hazard_of_taking(call_of(task), task);
	struct end *end;

	if (!hazard)
		return 0;
	end = bpf_sk_storage_get(&ends, (void *)ctx[0], NULL, 0);
	if (end)
		blame_all(&end->class, hazard);
	return 0;
}

/* Called by tcp_recvmsg_locked(), tcp_bpf_recvmsg_parser(), tcp_read_sock(), tcp_zerocopy_receive(). In the map recv()
 * leaves nothing unread but for want of room; for the others there is all that has hopped. */
SEC("tp_btf/tcp_rcv_space_adjust")
int sockhop_taken(__u64 *ctx)
{
	struct tcp_sock *tcp = (void *)ctx[0]; /* trusted, so that loads need no check; but only those of a struct sock */
	struct sk_psock *psock = psock_of(tcp);

	if (psock && !config.watched) {
		if (!is_in_line(tcp))
			look_at_read(ctx);
	} else if (gauge.observed || (psock && queued(psock))) {
		judge_taking(ctx);
	}
	return 0;
}

#endif
