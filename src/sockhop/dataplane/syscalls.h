// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* The system call that the current task is in, from its saved registers. */
#ifndef SOCKHOP_SYSCALLS_H
#define SOCKHOP_SYSCALLS_H

#include "kernel.h"

/* arch/x86/entry/syscalls/syscall_64.tbl */
enum {
	X86_READ = 0,
	X86_WRITE = 1,
	X86_READV = 19,
	X86_WRITEV = 20,
	X86_SENDFILE = 40,
	X86_SENDTO = 44,
	X86_RECVFROM = 45,
	X86_SENDMSG = 46,
	X86_RECVMSG = 47,
	X86_SPLICE = 275,
	X86_RECVMMSG = 299,
	X86_SENDMMSG = 307,
};

/* include/uapi/asm-generic/unistd.h */
enum {
	GENERIC_READ = 63,
	GENERIC_WRITE = 64,
	GENERIC_READV = 65,
	GENERIC_WRITEV = 66,
	GENERIC_SENDFILE = 71,
	GENERIC_SPLICE = 76,
	GENERIC_SENDTO = 206,
	GENERIC_RECVFROM = 207,
	GENERIC_SENDMSG = 211,
	GENERIC_RECVMSG = 212,
	GENERIC_RECVMMSG = 243,
	GENERIC_SENDMMSG = 269,
};

/* The same everywhere, as all that are younger. */
enum { IO_URING_ENTER = 426 };

#define NO_CALL (~0ull)

INLINE bool is_x86(void)
{
	struct pt_regs *registers = NULL;

	return field_exists(registers->orig_ax);
}

/* The number of a system call here. */
#define CALL(name) (is_x86() ? X86_##name : GENERIC_##name)

/* Arguments are read when they are asked for: most calls have no flags. */
struct syscall {
	__u64 number;
	struct pt_regs *registers;
};

/* One of 32 bits on x86_64 has numbers of its own and is not recognised, as none is on other machines. */
INLINE __u64 number_of(struct pt_regs *registers)
{
	struct pt_regs___arm64 *arm64 = (void *)registers;

	if (is_x86())
		return registers->orig_ax;
	return field_exists(arm64->syscallno) ? (__u64)arm64->syscallno : NO_CALL;
}

INLINE __u64 third_argument(struct syscall call)
{
	struct pt_regs___arm64 *arm64 = (void *)call.registers;

	if (is_x86())
		return call.registers->dx;
	return field_exists(arm64->regs) ? arm64->regs[2] : 0;
}

INLINE __u64 fourth_argument(struct syscall call)
{
	struct pt_regs___arm64 *arm64 = (void *)call.registers;

	if (is_x86())
		return call.registers->r10;
	return field_exists(arm64->regs) ? arm64->regs[3] : 0;
}

/* Where a task's registers are in its stack, once somebody has asked. */
static volatile __u64 registers_at;

/* Not inlined: once is enough. */
static __attribute__((noinline)) int find_registers(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *registers = (void *)bpf_task_pt_regs(task);
	__u64 at;

	/* Makes a number of it: before 6.18 the verifier lets nobody calculate with such a pointer. */
	bpf_probe_read_kernel(&at, sizeof(at), &registers);
	registers_at = at - (__u64)(long)task->stack;
	return 0;
}

/* Of the current task. The kernel is asked once: a call may cost ten times as much as a look (CONFIG_MITIGATION_SRSO),
 * and messages and reads pay for it. */
INLINE struct syscall call_of(struct task_struct *task)
{
	struct pt_regs *registers;

	if (!registers_at)
		find_registers();
	registers = read_only(struct pt_regs, (__u64)(long)task->stack + registers_at);
	return (struct syscall){ number_of(registers), registers };
}

INLINE struct syscall current_call(void)
{
	return call_of(bpf_get_current_task_btf());
}

/* 0 for a call that is not known. */
INLINE __u32 flags_of_send(struct syscall call)
{
	if (call.number == CALL(SENDTO) || call.number == CALL(SENDMMSG))
		return fourth_argument(call);
	return call.number == CALL(SENDMSG) ? third_argument(call) : 0;
}

/* Whether it is known that none of its bytes wait for those of another call. */
INLINE bool sends_at_once(struct syscall call)
{
	if (call.number == CALL(SENDTO) || call.number == CALL(SENDMSG) || call.number == CALL(SENDMMSG))
		return !(flags_of_send(call) & MSG_MORE);
	return call.number == CALL(WRITE) || call.number == CALL(WRITEV);
}

/* A function a machine, so that the numbers are constants to the compiler: this is asked at each read. */
#define DEFINE_IS_RECV(name, MACHINE)                                                              \
	INLINE bool name(struct syscall call, __u32 *flags)                                        \
	{                                                                                          \
		switch (call.number) {                                                             \
		case MACHINE##_READ:                                                               \
		case MACHINE##_READV:                                                              \
			*flags = 0;                                                                \
			return true;                                                               \
		case MACHINE##_RECVFROM:                                                           \
		case MACHINE##_RECVMMSG:                                                           \
			*flags = fourth_argument(call);                                            \
			return true;                                                               \
		case MACHINE##_RECVMSG:                                                            \
			*flags = third_argument(call);                                             \
			return true;                                                               \
		default:                                                                           \
			return false;                                                              \
		}                                                                                  \
	}

DEFINE_IS_RECV(is_x86_recv, X86)
DEFINE_IS_RECV(is_generic_recv, GENERIC)

/* Whether it is a recv() of any kind, and with which flags. */
INLINE bool is_recv(struct syscall call, __u32 *flags)
{
	return is_x86() ? is_x86_recv(call, flags) : is_generic_recv(call, flags);
}

/* io_uring's worker has no call of its own. */
INLINE bool is_of_ring(struct syscall call, struct task_struct *task)
{
	return call.number == IO_URING_ENTER || task->flags & PF_IO_WORKER;
}

INLINE bool is_splice(__u64 number)
{
	return number == CALL(SPLICE) || number == CALL(SENDFILE);
}

/* Whether it is known that they do. sendfile() and splice() set MSG_MORE by themselves. */
INLINE bool waits_for_more(struct syscall call)
{
	return flags_of_send(call) & MSG_MORE || is_splice(call.number);
}

#endif
