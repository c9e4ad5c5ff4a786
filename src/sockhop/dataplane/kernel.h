// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* The fields of kernel structures that we read, located by CO-RE when the object is loaded. Names
 * are the kernel's; layouts are not. */
#ifndef SOCKHOP_KERNEL_H
#define SOCKHOP_KERNEL_H

#include "bpf.h"

enum tcp_state {
	TCP_ESTABLISHED = 1,
	TCP_FIN_WAIT1 = 4,
	TCP_FIN_WAIT2 = 5,
	TCP_CLOSE = 7,
	TCP_CLOSE_WAIT = 8,
	TCP_LAST_ACK = 9,
	TCP_LISTEN = 10,
};

/* include/linux/tcp.h: tcp_sock.nonagle. */
enum { TCP_NAGLE_OFF = 1, TCP_NAGLE_CORK = 2 };

enum { RCV_SHUTDOWN = 1, SEND_SHUTDOWN = 2, SHUTDOWN_MASK = 3 };
/* include/uapi/asm-generic/fcntl.h */
enum { O_NONBLOCK = 04000 };

enum { AF_INET = 2, AF_INET6 = 10 };
enum { SOL_SOCKET = 1, SO_RCVBUF = 8 };
enum { TCPOLEN_TSTAMP_ALIGNED = 12 };
enum { IPPROTO_TCP = 6, TCP_WINDOW_CLAMP = 10, TCP_USER_TIMEOUT = 18, TCP_NOTSENT_LOWAT = 25 };
enum { TCP_BPF_SOCK_OPS_CB_FLAGS = 1008 };

/* include/linux/socket.h */
enum {
	MSG_OOB = 0x1,
	MSG_PEEK = 0x2,
	MSG_TRUNC = 0x20,
	MSG_DONTWAIT = 0x40,
	MSG_WAITALL = 0x100,
	MSG_ERRQUEUE = 0x2000,
	MSG_MORE = 0x8000,
};

enum {
	EINTR = 4,
	EAGAIN = 11,
	EPIPE = 32,
	ECONNRESET = 104,
	ETIMEDOUT = 110,
	ERESTARTSYS = 512,
};

/* include/linux/sched/signal.h */
enum { SIGNAL_GROUP_EXIT = 4 };
/* include/linux/sched.h */
enum { PF_IO_WORKER = 0x10 };
/* include/linux/sched/jobctl.h: STOP_PENDING, TRAP_STOP, TRAP_NOTIFY, TRAP_FREEZE */
enum { JOBCTL_PENDING = 1 << 17 | 1 << 19 | 1 << 20 | 1 << 23 };
/* MAX_SCHEDULE_TIMEOUT, LONG_MAX: a socket without SO_RCVTIMEO. */
#define NO_TIMEOUT ((long)(~0UL >> 1))

/* include/net/sock.h: the kernel's own numbers are put in when the object is loaded. */
enum sock_flags { SOCK_URGINLINE, SOCK_RCVTSTAMP, SOCK_ZEROCOPY };
#define sock_flag(flag) (1ul << __builtin_preserve_enum_value(*(enum sock_flags *)flag, 1))

/* sk_userlocks: the application chose sk_rcvbuf itself. */
enum { SOCK_RCVBUF_LOCK = 2 };

/* include/net/sock.h: sk_user_data carries flags in its low bits. */
enum { SK_USER_DATA_PSOCK = 4, SK_USER_DATA_FLAGS = 7 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	__s64 counter;
} atomic64_t;

typedef struct {
	atomic_t refs;
} refcount_t;

/* Not for what it is: it begins with a number of 64 bits. See word_at(). */
struct timespec64 {
	__s64 tv_sec;
};

struct net {
	__u64 net_cookie;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct proto {
	unsigned long *memory_pressure;
};

struct sock_common {
	__u32 skc_daddr;
	__u32 skc_rcv_saddr;
	__u16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned long skc_flags;
	struct proto *skc_prot;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
	struct sock *skc_listener;
};

typedef struct {
	atomic64_t refcnt;
} file_ref_t;

/* 90ee6ed776c0 (6.13) turned the count, 1 for one reference, into a file_ref_t, 0 for one. */
struct file {
	unsigned int f_flags;
	struct inode *f_inode;
	void *private_data;
	file_ref_t f_ref;
};

struct file___before_6_13 {
	atomic64_t f_count;
};

struct inode {
	unsigned short i_mode;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct pt_regs {
	unsigned long dx;
	unsigned long r10;
	unsigned long orig_ax;
};

struct pt_regs___arm64 {
	__u64 regs[31];
	__s32 syscallno;
};

typedef struct {
	unsigned long sig[1];
} sigset_t;

struct sigpending {
	sigset_t signal;
};

struct signal_struct {
	int nr_threads;
	unsigned int flags;
	struct sigpending shared_pending;
};

struct sigaction {
	void *sa_handler;
};

struct k_sigaction {
	struct sigaction sa;
};

struct sighand_struct {
	struct k_sigaction action[64];
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[];
};

struct task_struct {
	void *stack;
	unsigned int flags;
	struct signal_struct *signal;
	struct sighand_struct *sighand;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct sigpending pending;
	sigset_t blocked;
	unsigned long jobctl;
	char comm[16];
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
	int level;
	struct cgroup *ancestors[];
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

struct page_counter {
	struct {
		__u64 counter;
	} usage; /* atomic_long_t, in pages */
	__u64 max;
	struct page_counter *parent;
};

struct mem_cgroup {
	struct page_counter memory;
	bool tcpmem_active;
};

struct sk_buff_head {
	__u32 qlen;
};

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_receive_queue;
	struct {
		atomic_t rmem_alloc;
	} sk_backlog;
	int sk_rcvbuf;
	int sk_sndbuf;
	int sk_forward_alloc;
	int sk_rcvlowat;
	int sk_err;
	int sk_peek_off;
	long sk_rcvtimeo;
	__u32 sk_tsflags;
	__u16 sk_protocol;
	struct sock_cgroup_data sk_cgrp_data;
	struct mem_cgroup *sk_memcg;
	__u8 sk_userlocks;
	__u8 sk_kern_sock : 1;
	__u8 sk_shutdown;
	int sk_disconnects;
	void *sk_user_data;
	struct socket *sk_socket;
};

struct inet_sock {
	struct sock sk;
};

struct tcp_ulp_ops;

struct inet_bind_bucket {
	signed char fastreuse;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	const struct tcp_ulp_ops *icsk_ulp_ops;
	struct inet_bind_bucket *icsk_bind_hash;
};

struct tcp_options_received {
	__u16 mss_clamp;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 copied_seq;
	__u32 write_seq;
	__u32 rcv_nxt;
	__u32 rcv_wup;
	__u32 rcv_wnd;
	__u32 snd_una;
	__u32 mss_cache;
	__u16 advmss;
	__u32 notsent_lowat;
	__u32 window_clamp;
	__u8 scaling_ratio;
	__u8 nonagle : 4;
	__u8 repair : 1;
	__u8 recvmsg_inq : 1;
	__u16 urg_data;
	__u32 urg_seq;
	__u32 data_segs_out;
	__u64 tcp_mstamp;
	__u64 bytes_sent;
	struct tcp_options_received rx_opt;
	bool is_mptcp;
};

struct request_sock {
	struct sock_common __req_common;
};

struct inet_request_sock {
	struct request_sock req;
};

struct tcp_request_sock {
	struct inet_request_sock req;
	bool is_mptcp;
	__u32 rcv_isn;
	__u32 snt_isn;
};

struct sk_psock {
	struct sk_buff_head ingress_skb;
	__u32 msg_tot_len;
	refcount_t refcnt;
};

struct tcp_skb_cb {
	__u32 seq;
};

struct sk_buff {
	struct sock *sk;
	char cb[48];
};

struct bpf_sock_ops_kern {
	struct sock *sk;
};

struct sk_msg {
	struct sock *sk;
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop

#endif
