// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* Counters and events. */
#ifndef SOCKHOP_ACCOUNT_H
#define SOCKHOP_ACCOUNT_H

#include "maps.h"
#include "socket.h"

INLINE struct traffic *counters(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&traffic, &zero);
}

INLINE void count_refusal(enum refusal why)
{
	struct traffic *counter = counters();

	if (counter)
		counter->refused[why]++;
}

/* Not inlined: events are rare and this is most of the code. */
static __attribute__((noinline)) int emit(struct sock_common *common, struct end *end,
					  enum event_kind kind)
{
	struct event *event;

	if (!common || !end)
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return 0;
	event->time_ns = bpf_ktime_get_coarse_ns();
	event->cookie = common->skc_cookie.counter;
	event->netns_cookie = common->skc_net.net->net_cookie;
	event->kind = kind;
	event->outcome = end->outcome;
	event->family = common->skc_family;
	event->local_port = common->skc_num;
	event->remote_port = __builtin_bswap16(common->skc_dport);
	event->is_server = end->is_server;
	if (event->family == AF_INET6) {
		bpf_probe_read_kernel(event->local_address, 16, &common->skc_v6_rcv_saddr);
		bpf_probe_read_kernel(event->remote_address, 16, &common->skc_v6_daddr);
	} else {
		__builtin_memset(event->local_address, 0, 32);
		bpf_probe_read_kernel(event->local_address, 4, &common->skc_rcv_saddr);
		bpf_probe_read_kernel(event->remote_address, 4, &common->skc_daddr);
	}
	bpf_ringbuf_submit(event, 0);
	return 0;
}

INLINE void trace(struct tcp_sock *tcp, struct end *end, enum event_kind kind)
{
	if (config.trace_until_ns && bpf_ktime_get_coarse_ns() < config.trace_until_ns)
		emit(&sock_of(tcp)->__sk_common, end, kind);
}

#endif
