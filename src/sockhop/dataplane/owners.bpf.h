// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* iter/task_file: who holds which TCP socket. By its cookie, so it runs after sockhop_flows, which makes one for
 * each socket. Some kernels refuse this iterator, and the data plane goes without. */
#ifndef SOCKHOP_OWNERS_H
#define SOCKHOP_OWNERS_H

#include "abi.h"
#include "socket.h"

/* The process as its reader calls it: task->tgid is what the first namespace of processes calls it. */
INLINE __u32 pid_for_reader(struct task_struct *task)
{
	__u32 level = bpf_get_current_task_btf()->thread_pid->level;
	struct pid *pid = task->group_leader->thread_pid, *type = NULL;
	__u32 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number),
			      (void *)((__u64)pid + field_offset(type, numbers) +
				       level * type_size(struct upid)));
	return number;
}

enum { S_IFMT = 0170000, S_IFSOCK = 0140000 };

SEC("iter/task_file")
int sockhop_owners(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct owner owner = {};
	struct sock *sk;

	if (!task || !file || (file->f_inode->i_mode & S_IFMT) != S_IFSOCK)
		return 0;
	sk = read_only(struct socket, file->private_data)->sk;
	if (!sk || sk->sk_protocol != IPPROTO_TCP)
		return 0;
	owner.cookie = sk->__sk_common.skc_cookie.counter;
	if (!owner.cookie)
		return 0;
	owner.pid = pid_for_reader(task);
	owner.descriptor = ctx->fd;
	bpf_probe_read_kernel(owner.command, sizeof(owner.command), &task->group_leader->comm);
	bpf_seq_write(ctx->meta->seq, &owner, sizeof(owner));
	return 0;
}

#endif
