// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* The part of the BPF programming interface that we use: helpers by their fixed numbers, map and
 * section macros, CO-RE macros, and the contexts of our program types (include/uapi/linux/bpf.h).
 * Ours, so that building needs a compiler and nothing else. */
#ifndef SOCKHOP_BPF_H
#define SOCKHOP_BPF_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed int __s32;
typedef signed long long __s64;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define WEAK_KSYM __attribute__((section(".ksyms"))) __attribute__((weak))

/* BTF-defined maps. */
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_SOCKHASH = 18,
	BPF_MAP_TYPE_SK_STORAGE = 24,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_F_NO_PREALLOC = 1,
	BPF_F_INGRESS = 1,
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
};

enum { SK_DROP = 0, SK_PASS = 1 };

enum {
	BPF_SOCK_OPS_RWND_INIT = 2,
	BPF_SOCK_OPS_TCP_CONNECT_CB = 3,
	BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB = 4,
	BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB = 5,
	BPF_SOCK_OPS_STATE_CB = 10,
	BPF_SOCK_OPS_TCP_LISTEN_CB = 11,
	BPF_SOCK_OPS_HDR_OPT_LEN_CB = 14,
	BPF_SOCK_OPS_STATE_CB_FLAG = 1 << 2,
	BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG = 1 << 6,
};

struct bpf_sock;
struct seq_file;
struct task_struct;
struct tcp_sock;

struct bpf_sock_ops {
	__u32 op;
	__u32 args[4];
	__u32 family;
	__u32 remote_ip4;
	__u32 local_ip4;
	__u32 remote_ip6[4];
	__u32 local_ip6[4];
	__u32 remote_port;
	__u32 local_port;
	__u32 is_fullsock;
	__u32 snd_cwnd;
	__u32 srtt_us;
	__u32 bpf_sock_ops_cb_flags;
	__u32 state;
	__u32 rtt_min;
	__u32 snd_ssthresh;
	__u32 rcv_nxt;
	__u32 snd_nxt;
	__u32 unused[15];
	__u64 bytes[2];
	struct bpf_sock *sk;
};

struct sk_msg_md {
	void *data;
	void *data_end;
	__u32 family;
	__u32 remote_ip4;
	__u32 local_ip4;
	__u32 remote_ip6[4];
	__u32 local_ip6[4];
	__u32 remote_port;
	__u32 local_port;
	__u32 size;
	struct bpf_sock *sk;
};

struct __sk_buff {
	__u32 len;
};

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_map_update_elem)(void *map, const void *key, const void *value,
					 __u64 flags) = (void *)2;
static long (*const bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static __u64 (*const bpf_ktime_get_ns)(void) = (void *)5;
static __u64 (*const bpf_get_socket_cookie)(void *ctx) = (void *)46;
static long (*const bpf_setsockopt)(void *ctx, int level, int name, void *value,
				    int length) = (void *)49;
static long (*const bpf_skb_adjust_room)(struct __sk_buff *skb, __s32 delta, __u32 mode,
					 __u64 flags) = (void *)50;
static long (*const bpf_sock_ops_cb_flags_set)(struct bpf_sock_ops *ctx, int flags) = (void *)59;
static long (*const bpf_sock_hash_update)(struct bpf_sock_ops *ctx, void *map, void *key,
					  __u64 flags) = (void *)70;
static long (*const bpf_msg_redirect_hash)(struct sk_msg_md *msg, void *map, void *key,
					   __u64 flags) = (void *)71;
static void *(*const bpf_sk_storage_get)(void *map, void *sk, void *value,
					 __u64 flags) = (void *)107;
static long (*const bpf_probe_read_kernel)(void *to, __u32 size, const void *from) = (void *)113;
static struct task_struct *(*const bpf_get_current_task_btf)(void) = (void *)158;
static long (*const bpf_task_pt_regs)(struct task_struct *task) = (void *)175;
static __u64 (*const bpf_jiffies64)(void) = (void *)118;
static long (*const bpf_seq_write)(struct seq_file *seq, const void *data,
				   __u32 size) = (void *)127;
static void *(*const bpf_ringbuf_reserve)(void *ring, __u64 size, __u64 flags) = (void *)131;
static void (*const bpf_ringbuf_submit)(void *data, __u64 flags) = (void *)132;
static struct tcp_sock *(*const bpf_skc_to_tcp_sock)(void *sk) = (void *)137;
static __u64 (*const bpf_ktime_get_coarse_ns)(void) = (void *)160;
static long (*const bpf_loop)(__u32 count, void *callback, void *ctx, __u64 flags) = (void *)181;

/* kfuncs, Linux 6.2. Both compile to a move (verifier.c fixup_kfunc_call). */
extern void *bpf_cast_to_kern_ctx(void *ctx) WEAK_KSYM;
extern void *bpf_rdonly_cast(const void *address, __u32 btf_id) WEAK_KSYM;

/* CO-RE: the second arguments are enum bpf_field_info_kind and bpf_type_id_kind of libbpf. */
#define kernel_type_id(type) __builtin_btf_type_id(*(type *)0, 1)
#define read_only(type, address)                                                                   \
	((type *)bpf_rdonly_cast((const void *)(long)(address), kernel_type_id(type)))
#define field_exists(field) __builtin_preserve_field_info(field, 2)
#define type_size(type) __builtin_preserve_type_info(*(type *)0, 1)
#define field_offset(pointer, field) __builtin_preserve_field_info((pointer)->field, 0)

/* clang does not relocate a plain access to a bitfield, so the bytes that hold it are located,
 * loaded and shifted by hand. */
#define bitfield(pointer, field)                                                                   \
	({                                                                                         \
		const void *at = (const void *)(pointer) +                                         \
				 __builtin_preserve_field_info((pointer)->field, 0);               \
		__u64 bits = 0;                                                                    \
		switch (__builtin_preserve_field_info((pointer)->field, 1)) {                      \
		case 1:                                                                            \
			bits = *(const __u8 *)at;                                                  \
			break;                                                                     \
		case 2:                                                                            \
			bits = *(const __u16 *)at;                                                 \
			break;                                                                     \
		case 4:                                                                            \
			bits = *(const __u32 *)at;                                                 \
			break;                                                                     \
		case 8:                                                                            \
			bits = *(const __u64 *)at;                                                 \
			break;                                                                     \
		}                                                                                  \
		bits <<= __builtin_preserve_field_info((pointer)->field, 4);                       \
		bits >>= __builtin_preserve_field_info((pointer)->field, 5);                       \
		bits;                                                                              \
	})

#endif
