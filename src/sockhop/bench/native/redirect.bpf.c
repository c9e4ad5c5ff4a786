// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* The reference: the well-known "redirect everything" recipe, as fast as sockmap gets.
 *
 * Every established socket of the cgroup goes into a sockhash under its own addresses and ports; every
 * message goes to the socket under the reversed ones. No order, no bounds: it corrupts, hangs and floods,
 * and is here only to be measured against. */
#include "../../dataplane/bpf.h"

#define AF_INET 2

struct tuple {
	__u32 local_ip, remote_ip;
	__u32 local_port, remote_port; /* both as the host writes numbers */
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 65536);
	__type(key, struct tuple);
	__type(value, __u32);
} sockets SEC(".maps");

INLINE __u32 from_network(__u32 value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap32(value);
#else
	return value;
#endif
}

SEC("sockops")
int remember(struct bpf_sock_ops *ops)
{
	if (ops->family != AF_INET)
		return 1;
	if (ops->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB &&
	    ops->op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		return 1;

	struct tuple key = {
		.local_ip = ops->local_ip4,
		.remote_ip = ops->remote_ip4,
		.local_port = ops->local_port,
		.remote_port = from_network(ops->remote_port),
	};

	bpf_sock_hash_update(ops, &sockets, &key, BPF_ANY);
	return 1;
}

SEC("sk_msg")
int redirect(struct sk_msg_md *msg)
{
	struct tuple peer = {
		.local_ip = msg->remote_ip4,
		.remote_ip = msg->local_ip4,
		.local_port = from_network(msg->remote_port),
		.remote_port = msg->local_port,
	};

	/* A miss gives SK_DROP, which is EACCES for the application: let TCP have it. */
	bpf_msg_redirect_hash(msg, &sockets, &peer, BPF_F_INGRESS);
	return SK_PASS;
}

/* Where it is wanted: one queue for both ways, without which no order can be kept. The kernel then reads with another
 * function (tcp_bpf_recvmsg_parser), and that has a price of its own. */
SEC("sk_skb")
int one_queue(struct __sk_buff *skb __attribute__((unused)))
{
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
