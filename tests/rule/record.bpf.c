// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* The data plane, with each run of sockhop_send() written to the ring of events: see record.py. */
#include "connections.bpf.h"
#include "decide.h"
#include "decision.h"
#include "syscalls.h"

/* The shipped program becomes a function of the one below. */
#pragma push_macro("SEC")
#undef SEC
#define SEC(name) INLINE
#define sockhop_send decided
#include "send.bpf.h"
#undef sockhop_send
#pragma pop_macro("SEC")

#include "sockhop.bpf.c"

/* The compiler describes only types that something visible has. */
struct decision described SEC(".data.described");

INLINE void look_at(struct seen *seen, struct tcp_sock *tcp)
{
	struct sk_psock *psock = psock_of(tcp);
	struct sock *sk = sock_of(tcp);

	seen->cookie = cookie_of(tcp);
	seen->state = state_of(tcp);
	seen->shutdown = sk->sk_shutdown;
	seen->write_seq = tcp->write_seq;
	seen->snd_una = tcp->snd_una;
	seen->copied_seq = tcp->copied_seq;
	seen->rcv_nxt = tcp->rcv_nxt;
	seen->rcv_wup = tcp->rcv_wup;
	seen->rcv_wnd = tcp->rcv_wnd;
	seen->mss_cache = tcp->mss_cache;
	seen->mss_clamp = tcp->rx_opt.mss_clamp;
	seen->nonagle = bitfield(tcp, nonagle);
	seen->rcvbuf = sk->sk_rcvbuf;
	seen->sndbuf = sk->sk_sndbuf;
	seen->unread = sk->sk_backlog.rmem_alloc.counter;
	seen->forward_alloc = sk->sk_forward_alloc;
	seen->rcvlowat = sk->sk_rcvlowat;
	seen->in_map = !!psock;
	seen->tcp_queue = sk->sk_receive_queue.qlen;
	seen->backlog = psock ? psock->ingress_skb.qlen : 0;
	seen->accepted = !!sk->sk_socket;
	seen->near_limit = is_near_limit(sk, 0);
}

INLINE void look_around(struct moment *moment, struct end *end, struct tcp_sock *me)
{
	moment->coarse_ns = bpf_ktime_get_coarse_ns();
	moment->jiffies = (__u32)bpf_jiffies64();
	moment->peer_sent = word_at(&end_of_peer(end)->sent);
	moment->peer_room = 0;
	bpf_probe_read_kernel(&moment->peer_room, sizeof(__u32), &end_of_peer(end)->room);
	look_at(&moment->me, me);
	look_at(&moment->peer, read_only(struct tcp_sock, end->peer.sock));
}

SEC("sk_msg")
int sockhop_send(struct sk_msg_md *msg)
{
	struct sk_msg *kern = bpf_cast_to_kern_ctx(msg);
	struct tcp_sock *me = read_only(struct tcp_sock, kern->sk);
	struct bpf_sock *sk = msg->sk;
	struct decision *decision;
	struct syscall call;
	struct end *end;
	int verdict;

	end = sk ? bpf_sk_storage_get(&ends, sk, NULL, 0) : NULL;
	decision = end ? bpf_ringbuf_reserve(&events, sizeof(*decision), 0) : NULL;
	if (!decision)
		return decided(msg);
	find_peer(end);
	call = current_call();
	decision->size = msg->size;
	decision->call = call.number;
	decision->third = third_argument(call);
	decision->fourth = fourth_argument(call);
	decision->turns = gauge.turns;
	bpf_probe_read_kernel(&decision->config, sizeof(decision->config), (void *)&config);
	decision->before = *end;
	look_around(&decision->start, end, me);
	verdict = decided(msg);
	look_around(&decision->finish, end, me);
	decision->after = *end;
	bpf_ringbuf_submit(decision, 0);
	return verdict;
}
