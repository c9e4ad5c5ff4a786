// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* The system call that the current task is in, from its saved registers. */
#ifndef SOCKHOP_SYSCALLS_H
#define SOCKHOP_SYSCALLS_H

#include "kernel.h"

/* arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h. */
enum { X86_SENDTO = 44, X86_SENDMSG = 46, X86_SENDMMSG = 307 };
enum { GENERIC_SENDTO = 206, GENERIC_SENDMSG = 211, GENERIC_SENDMMSG = 269 };

#define NO_ARGUMENT (~0ull)

/* The first four arguments of a system call, and its number. */
struct syscall {
	__u64 number;
	__u64 arguments[4];
};

INLINE struct syscall current_syscall(void)
{
	void *registers = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	struct pt_regs *x86 = registers;
	struct pt_regs___arm64 *arm64 = registers;

	if (field_exists(x86->di))
		return (struct syscall){ x86->orig_ax, { x86->di, x86->si, x86->dx, x86->r10 } };
	if (field_exists(arm64->orig_x0))
		return (struct syscall){ arm64->syscallno,
					 { arm64->orig_x0, arm64->regs[1], arm64->regs[2], arm64->regs[3] } };
	return (struct syscall){ NO_ARGUMENT, { NO_ARGUMENT, NO_ARGUMENT, 0, 0 } };
}

/* The flags of a send; 0 for other calls that send. */
INLINE __u32 flags_of_send(void)
{
	struct pt_regs *x86 = NULL;
	bool is_x86 = field_exists(x86->di);
	struct syscall call = current_syscall();

	if (call.number == (is_x86 ? X86_SENDMSG : GENERIC_SENDMSG))
		return call.arguments[2];
	if (call.number == (is_x86 ? X86_SENDTO : GENERIC_SENDTO) ||
	    call.number == (is_x86 ? X86_SENDMMSG : GENERIC_SENDMMSG))
		return call.arguments[3];
	return 0;
}

#endif
