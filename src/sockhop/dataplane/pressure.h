// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* Back pressure: what the stack needs to be told while hops go on beside it. */
#ifndef SOCKHOP_PRESSURE_H
#define SOCKHOP_PRESSURE_H

#include "entering.h"

/* Less than TCP_RTO_MIN, after which TCP probes a window that stays closed (tcp_probe_timer). */
#define STALLED_NS 150000000ull

/* So long no message is held after that. */
#define LET_GO_NS 10000000000ull

/* Takes back what hold_back() has set, but not what the application has set since. `ctx` is what bpf_setsockopt()
 * takes. */
INLINE void let_go(void *ctx, struct tcp_sock *tcp, struct end *end)
{
	int no_lowat = 0;

	if (end->is_held && tcp->notsent_lowat == 1)
		bpf_setsockopt(ctx, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &no_lowat, sizeof(no_lowat));
	end->is_held = 0;
}

/* With TCP_NOTSENT_LOWAT the sender is woken when everything has left, which is when it may hop. Not for
 * longer than until TCP probes: of two that both send before they read, each may fill a send buffer as on plain
 * TCP, and would wait for the other for ever. Nor once it has corked the socket: see leaves_by_itself(). */
INLINE void hold_back(struct bpf_sock_ops *ctx, struct tcp_sock *tcp, struct end *end)
{
	__u64 now;
	int lowat = 1;

	if (end->wait) {
		now = bpf_ktime_get_coarse_ns();
		if (now - end->hold_ns > STALLED_NS && before(tcp->snd_una, tcp->write_seq)) {
			end->wait = 0;
			end->hold_ns = now + LET_GO_NS;
		}
	}
	if (!end->wait || is_corked(tcp)) {
		let_go(ctx, tcp, end);
		return;
	}
	if (tcp->notsent_lowat)
		return; /* as it should be, or the application's own */
	end->is_held = 1;
	bpf_setsockopt(ctx, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof(lowat));
}

/* What TCP promises, hops cannot use: keeps_promise(). Two full segments are enough where the peer hops. A stream that
 * the stack carries for long gets the window that it would have had, unless it is one of large writes whose reader is
 * behind: that loses nothing. */
INLINE void set_window(struct bpf_sock_ops *ctx, struct tcp_sock *tcp, struct end *end)
{
	__u8 on_stack;

	find_peer(end); /* it may never send */
	bpf_probe_read_kernel(&on_stack, sizeof(on_stack),
			      &end_of_peer(end)->on_stack);
	clamp_window(ctx, tcp, on_stack ? (__u32)sock_of(tcp)->sk_rcvbuf : small_window(tcp));
}

#endif
