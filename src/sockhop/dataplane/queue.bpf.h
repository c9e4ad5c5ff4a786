// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* sk_skb verdict: TCP's bytes on their way into the one queue that hops use too. */
#ifndef SOCKHOP_QUEUE_H
#define SOCKHOP_QUEUE_H

#include "maps.h"
#include "socket.h"

/* What one call of bpf_skb_adjust_room() takes (bpf_skb_adjust_room's own limit, 0xfff). */
#define MAX_PULL 4095u
/* Enough of them for the largest packet (GSO_MAX_SIZE, 512 KB). */
#define MAX_PULLS 129

struct overlap {
	struct __sk_buff *skb;
	__u32 left;
};

static long pull(__u32 index __attribute__((unused)), struct overlap *overlap)
{
	__u32 bytes = overlap->left < MAX_PULL ? overlap->left : MAX_PULL;

	if (!bytes || bpf_skb_adjust_room(overlap->skb, -(__s32)bytes, 0, 0))
		return 1;
	overlap->left -= bytes;
	return 0;
}

/* TCP may queue a segment that begins with bytes it already has, and skips them by sequence number
 * when it is read (tcp_recvmsg_locked). This path takes each segment from its first byte, so the
 * overlap is cut off here. */
SEC("sk_skb")
int sockhop_queue(struct __sk_buff *skb)
{
	struct sk_buff *kern = bpf_cast_to_kern_ctx(skb);
	__u64 cookie = bpf_get_socket_cookie(skb);
	struct overlap overlap = { .skb = skb };
	__u32 length = skb->len;
	__u32 *expected;
	__u32 seq, copied;

	expected = bpf_map_lookup_elem(&next_seq, &cookie);
	if (!expected)
		expected = bpf_map_lookup_elem(&last_seq, &cookie);
	if (!length || !expected)
		return SK_PASS;
	/* A recv() that was on its way into tcp_recvmsg() when the socket was adopted still reads TCP's queue,
	 * and may leave a segment half read. */
	copied = read_only(struct tcp_sock, kern->sk)->copied_seq;
	if (before(*expected, copied))
		*expected = copied;
	seq = read_only(struct tcp_skb_cb, &kern->cb)->seq;
	if (before(seq, *expected))
		overlap.left = *expected - seq;
	if (overlap.left < length)
		*expected = seq + length;
	else
		overlap.left = length;
	if (!overlap.left)
		return SK_PASS;
	bpf_loop(MAX_PULLS, pull, &overlap, 0);
	return skb->len ? SK_PASS : SK_DROP;
}

#endif
