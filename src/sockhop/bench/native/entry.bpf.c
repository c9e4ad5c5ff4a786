// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* The program that a pair goes into the map with, and keeps: a socket has the programs that its map had then
 * (sock_map_link()). What it calls can be changed at any moment. See cases/rule.py. */
#include "../../dataplane/bpf.h"

#define BPF_MAP_TYPE_PROG_ARRAY 3

static long (*const bpf_tail_call)(void *ctx, void *programs, __u32 index) = (void *)12;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} called SEC(".maps");

SEC("sk_msg")
int entry(struct sk_msg_md *msg)
{
	bpf_tail_call(msg, &called, 0);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
