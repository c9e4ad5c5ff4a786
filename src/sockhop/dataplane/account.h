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
	event->time_ns = bpf_ktime_get_ns();
	event->cookie = common->skc_cookie.counter;
	event->netns_cookie = common->skc_net.net->net_cookie;
	event->kind = kind;
	event->outcome = end->outcome;
	event->family = common->skc_family;
	event->local_port = common->skc_num;
	event->remote_port = __builtin_bswap16(common->skc_dport);
	event->role = end->class.role;
	event->state = event->reasons = 0;
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

/* Its `cgroup` is where the address of a socket would be. */
static __attribute__((noinline)) int emit_class(struct class_key *key, struct class_info *class)
{
	struct event *event;

	if (!key || !class)
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return 0;
	__builtin_memset(event, 0, sizeof(*event));
	event->time_ns = bpf_ktime_get_ns();
	event->cookie = key->cgroup;
	event->kind = EVENT_CLASS;
	event->state = class->state;
	event->reasons = class->reasons;
	event->local_port = key->port;
	event->role = key->role;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

INLINE bool is_traced(void)
{
	return config.trace_until_ns && bpf_ktime_get_ns() < config.trace_until_ns;
}

INLINE void trace(struct tcp_sock *tcp, struct end *end, enum event_kind kind)
{
	if (is_traced())
		emit(&sock_of(tcp)->__sk_common, end, kind);
}

INLINE void trace_class(struct class_key *key, struct class_info *class)
{
	if (is_traced())
		emit_class(key, class);
}

#endif
