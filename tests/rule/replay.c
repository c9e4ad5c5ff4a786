// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* The program that decides, as a function: the sources of the data plane over sockets made from a recorded decision.
 * In the place of bpf.h stands what it takes here. */
#define SOCKHOP_BPF_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define SEC(name)
#define INLINE static inline __attribute__((always_inline))
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name

#define read_only(type, address) ((type *)(long)(address))
#define field_exists(field) ((void)sizeof(field), true)
#define bitfield(pointer, field) ((pointer)->field)
#define __builtin_preserve_enum_value(value, kind) 0

enum {
	BPF_MAP_TYPE_HASH,
	BPF_MAP_TYPE_ARRAY,
	BPF_MAP_TYPE_PERCPU_ARRAY,
	BPF_MAP_TYPE_LRU_HASH,
	BPF_MAP_TYPE_SOCKHASH,
	BPF_MAP_TYPE_SK_STORAGE,
	BPF_MAP_TYPE_RINGBUF,
	BPF_F_NO_PREALLOC,
	BPF_F_INGRESS,
	BPF_ANY,
	BPF_NOEXIST,
};

enum { SK_DROP = 0, SK_PASS = 1 };

struct bpf_sock;

struct sk_msg_md {
	__u32 size;
	struct bpf_sock *sk;
	void *kern;
};

static struct {
	__u64 coarse_ns;
	__u64 jiffies;
	void *end;
	void *registers;
	void *task;
} now;

#define bpf_ktime_get_ns() now.coarse_ns
#define bpf_ktime_get_coarse_ns() now.coarse_ns
#define bpf_jiffies64() now.jiffies
#define bpf_get_current_task_btf() ((struct task_struct *)now.task)
#define bpf_task_pt_regs(task) ((void)(task), (long)now.registers)
#define bpf_cast_to_kern_ctx(msg) ((msg)->kern)
#define bpf_sk_storage_get(map, sk, value, flags) ((void)(sk), now.end)
#define bpf_msg_redirect_hash(msg, map, key, flags) SK_PASS

INLINE long bpf_probe_read_kernel(void *to, __u32 size, const void *from)
{
	memcpy(to, from, size);
	return 0;
}

/* No classes, rules or counters, and nobody who traces. */
#define bpf_map_lookup_elem(map, key) ((void)(key), NULL)
#define bpf_map_update_elem(map, key, value, flags) ((void)(key), (void)(value))
#define bpf_map_delete_elem(map, key) ((void)(key))
#define bpf_ringbuf_reserve(map, size, flags) NULL
#define bpf_ringbuf_submit(record, flags) ((void)(record))
#define SOCKHOP_RULES_H

#include "abi.h"
#include "kernel.h"

INLINE enum action rule_for(struct sock *sk, struct sock_common *common, struct class_key *key)
{
	(void)sk, (void)common, (void)key;
	return ACTION_LEARNED;
}

#include "send.bpf.h"
#include "decision.h"

static void make(struct tcp_sock *tcp, struct sk_psock *psock, struct proto *proto, const struct seen *seen)
{
	static struct mem_cgroup full = { .memory = { .usage = { 7 }, .max = 8 } };
	static struct socket socket;
	struct sock *sk = sock_of(tcp);

	sk->__sk_common.skc_cookie.counter = seen->cookie;
	sk->__sk_common.skc_state = seen->state;
	sk->__sk_common.skc_prot = proto;
	sk->sk_shutdown = seen->shutdown;
	tcp->write_seq = seen->write_seq;
	tcp->snd_una = seen->snd_una;
	tcp->copied_seq = seen->copied_seq;
	tcp->rcv_nxt = seen->rcv_nxt;
	tcp->rcv_wup = seen->rcv_wup;
	tcp->rcv_wnd = seen->rcv_wnd;
	tcp->mss_cache = seen->mss_cache;
	tcp->rx_opt.mss_clamp = seen->mss_clamp;
	tcp->nonagle = seen->nonagle;
	sk->sk_rcvbuf = seen->rcvbuf;
	sk->sk_sndbuf = seen->sndbuf;
	sk->sk_backlog.rmem_alloc.counter = seen->unread;
	sk->sk_forward_alloc = seen->forward_alloc;
	sk->sk_rcvlowat = seen->rcvlowat;
	sk->sk_receive_queue.qlen = seen->tcp_queue;
	psock->ingress_skb.qlen = seen->backlog;
	sk->sk_socket = seen->accepted ? &socket : NULL;
	sk->sk_memcg = seen->near_limit ? &full : NULL;
	if (seen->in_map)
		sk->sk_user_data = (void *)((__u64)(long)psock | SK_USER_DATA_PSOCK);
}

/* Decides anew: reads all but `after` and `finish`, writes `after`. */
void replay(struct decision *decision)
{
	static unsigned long no_pressure;
	_Alignas(8) struct sk_psock mine = {}, others = {}; /* below are flags */
	struct pt_regs registers = {
		.orig_ax = decision->call, .dx = decision->third, .r10 = decision->fourth,
	};
	struct proto proto = { .memory_pressure = &no_pressure };
	struct end end = decision->before, other = {};
	struct tcp_sock me = {}, peer = {};
	struct task_struct task = { .stack = &registers }; /* so that call_of() asks for them each time */
	struct sk_msg kern = { .sk = sock_of(&me) };
	struct sk_msg_md msg = { .size = decision->size, .sk = (void *)&me, .kern = &kern };

	make(&me, &mine, &proto, &decision->start.me);
	make(&peer, &others, &proto, &decision->start.peer);
	other.sent = decision->start.peer_sent;
	other.room = decision->start.peer_room;
	end.peer.sock = (long)&peer;
	end.peer.end = (long)&other;
	memcpy((void *)&config, &decision->config, sizeof(config));
	gauge.turns = decision->turns;
	now.coarse_ns = decision->start.coarse_ns;
	now.jiffies = decision->start.jiffies;
	now.end = &end;
	now.registers = &registers;
	now.task = &task;
	sockhop_send(&msg);
	end.peer = decision->before.peer;
	decision->after = end;
}
