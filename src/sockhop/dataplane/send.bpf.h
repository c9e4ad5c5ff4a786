// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* sk_msg: one message on its way out, under the sender's socket lock. */
#ifndef SOCKHOP_SEND_H
#define SOCKHOP_SEND_H

#include "account.h"
#include "decide.h"
#include "evidence.h"
#include "peer.h"
#include "syscalls.h"

#define MOST_URGENT_BYTES 4

/* The class hears of an end now and then, and when it has lost so often, or hopped: its connections that close are
 * weighed against the messages of all. */
#define TOLD_LOSSES 1024
#define TOLD_MESSAGES 1024

/* What a large message loses that takes the stack from within the map, in small ones that hop. A file is copied there
 * (sk_msg_memcopy_from_iter), which TCP does not: of 10 MB by nginx the stack carries most, at 0.6 to 0.9 of TCP's speed.
 * What fits the queue is faster as hops all the same. And what fits no receive buffer that the application has chosen
 * never hops, at 0.6 of TCP's speed: 512 KB lose what a hundred hops save. */
INLINE __u32 lost_by(struct tcp_sock *me, struct tcp_sock *peer, __u32 size)
{
	if (size > (__u32)sock_of(peer)->sk_rcvbuf)
		return size >> 14;
	return is_corked(me) || waits_for_more(current_call());
}

/* A stream whose reader has fallen behind is held back, so that it hops again as soon as that has been read, and
 * does not fill a send buffer that only the stack could carry on. One of small writes is what the send buffer is good
 * for: TCP makes large segments of them, where each hop has a message of its own. segment_leaves() looks at what is
 * found here. */
INLINE void take_the_stack(struct end *end, struct tcp_sock *me, struct tcp_sock *peer,
			   enum outcome outcome, __u32 size)
{
	bool is_small = is_small_write(me, size);

	end->is_behind = has_fallen_behind(end, me, peer, outcome, is_small);
	end->wait = end->is_behind && !is_small;
	if (end->wait)
		end->hold_ns = bpf_ktime_get_coarse_ns();
	/* Of what TCP joins, is_nagle_burst() counts it. */
	if (is_small && !is_joined(me, size) && (outcome == OUTCOME_FULL || outcome == OUTCOME_UNREAD))
		end->bursts++;
	if (!is_small && is_crowded(outcome))
		end->corked += lost_by(me, peer, size);
	if (outcome != OUTCOME_RECHECK)
		end->on_stack = !is_crowded(outcome) || (is_small && !end->is_held);
}

/* Once a tick: options of the reader that were set after it went in, and what the class has not heard of. */
static __attribute__((noinline)) int look_each_tick(struct end *end, struct tcp_sock *peer)
{
	struct class_key class;

	if (!end || !end->peer.cookie || cookie_of(peer) != end->peer.cookie)
		return 0;
	if ((__u32)end->sent - end->told_sent >= TOLD_MESSAGES)
		tell_sent(end);
	hazards_of_socket(peer, &end->peer_found);
	if (end->peer_found && class_of_peer(end, &class))
		blame_found(&end->peer_found, &class);
	return 0;
}

INLINE void account(struct tcp_sock *me, struct end *end, enum outcome outcome, __u32 size)
{
	struct traffic *counter = counters();

	if (counter) {
		counter->messages[outcome]++;
		counter->bytes[outcome] += size;
	}
	end->sent++;
	if (outcome != end->outcome) {
		end->outcome = outcome;
		trace(me, end, outcome == OUTCOME_HOP ? EVENT_HOP_ON : EVENT_TO_STACK);
	}
}

INLINE void hopped(struct end *end, struct tcp_sock *me, __u32 size)
{
	end->hopped_messages++;
	end->hopped_bytes += size;
	end->on_stack = end->wait = end->is_behind = 0;
	account(me, end, OUTCOME_HOP, size);
}

/* Not inlined: the compiler would have each step of the way to a hop prepare for it. */
static __attribute__((noinline)) int passed(struct end *end, struct tcp_sock *me, struct tcp_sock *peer,
					    enum outcome outcome, __u32 size)
{
	if (!end || outcome >= OUTCOMES)
		return 0;
	if (outcome == OUTCOME_RCVLOWAT && !config.eager)
		look_each_tick(end, peer);
	take_the_stack(end, me, peer, outcome, size);
	account(me, end, outcome, size);
	/* It may have to wait for its send buffer, and then its reads: see is_after_bulk(). */
	if (!config.eager && !config.watched && is_crowded(outcome) && is_blocking(sock_of(me)->sk_socket->file))
		must_be_watched(&end->class);
	if (!config.eager && (outcome == OUTCOME_RECHECK || end->bursts + end->corked >= TOLD_LOSSES))
		tell_sent(end);
	return 0;
}

/* tcp_bpf_sendmsg() takes an urgent byte for an ordinary one, and the receiver, who waits for POLLPRI, would never
 * show it. Urgent messages are single bytes, or telnet's three; to look at each message would cost 1 %. */
INLINE bool is_urgent(__u32 size)
{
	return size <= MOST_URGENT_BYTES && flags_of_send(current_call()) & MSG_OOB;
}

SEC("sk_msg")
int sockhop_send(struct sk_msg_md *msg)
{
	struct sk_msg *kern = bpf_cast_to_kern_ctx(msg);
	struct bpf_sock *sk = msg->sk;
	__u32 size = msg->size;
	struct tcp_sock *me, *peer;
	enum outcome outcome;
	struct end *end;

	if (!sk)
		return SK_PASS;
	end = bpf_sk_storage_get(&ends, sk, NULL, 0);
	if (!end)
		return SK_PASS;
	find_peer(end);
	me = read_only(struct tcp_sock, kern->sk);
	peer = read_only(struct tcp_sock, end->peer.sock);
	if (!config.eager && !end->kept && end->jiffies != (__u32)bpf_jiffies64())
		look_each_tick(end, peer);
	if (!config.eager && is_urgent(size))
		blame_all(&end->class, HAZARD(OOB));
	outcome = decide(end, me, peer, size);
	/* SK_DROP on a miss would be EACCES for the application. */
	if (outcome == OUTCOME_HOP && bpf_msg_redirect_hash(msg, &sockets, &end->pair, BPF_F_INGRESS) != SK_PASS)
		outcome = OUTCOME_REDIRECT_FAILED;
	if (outcome == OUTCOME_HOP)
		hopped(end, me, size);
	else
		passed(end, me, peer, outcome, size);
	return SK_PASS;
}

#endif
