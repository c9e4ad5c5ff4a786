// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* Hop or stack: the whole rule. Any doubt is the stack. */
#ifndef SOCKHOP_DECIDE_H
#define SOCKHOP_DECIDE_H

#include "classes.h"
#include "memory.h"
#include "peer.h"
#include "syscalls.h"

/* More than TCP_DELACK_MAX, the longest that an acknowledgement is put off. */
#define ACKNOWLEDGED_WITHIN_NS 250000000ull

/* After a shutdown or a close the stack has the right errors; tcp_bpf_sendmsg() looks at neither.
 * tcp_shutdown() leaves these two states as soon as there is no more to be sent. */
INLINE bool may_send(struct tcp_sock *me)
{
	int state = state_of(me);

	return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT;
}

/* One that sends its end may be leaving the map: half_closed(). It is called between the moments at
 * which sk_shutdown (inet_shutdown) and the state (tcp_set_state) change. */
INLINE bool may_receive(struct tcp_sock *peer)
{
	int state = state_of(peer);

	if (state == TCP_ESTABLISHED)
		return !(sock_of(peer)->sk_shutdown & SEND_SHUTDOWN);
	return (state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2) && psock_of(peer);
}

/* Every byte that we ever gave to TCP has been read, or at least stands in the peer's one queue. The
 * peer may be moving bytes between its queues on another CPU right now; it does that under its
 * lock, which bpf_tcp_ingress() takes before it appends. */
INLINE bool has_arrived(struct tcp_sock *me, struct tcp_sock *peer)
{
	__u32 sent = me->write_seq;
	struct sk_psock *psock;

	if (peer->copied_seq == sent)
		return true;
	if (peer->rcv_nxt != sent)
		return false;
	psock = psock_of(peer);
	return psock && sock_of(peer)->sk_socket && one_queue(peer, psock);
}

/* Looks at the clock only when it has ticked since the last time: jiffies cost one load. */
INLINE bool is_time(struct end *end)
{
	__u32 jiffies = bpf_jiffies64();

	if (jiffies == end->jiffies)
		return false;
	end->jiffies = jiffies;
	/* Signed: the coarse clock may be a tick behind the one that was read when the end went in. */
	return (__s64)(bpf_ktime_get_coarse_ns() - end->checked_ns) >= (__s64)config.recheck_ns;
}

/* With Nagle's algorithm, what takes the stack before that acknowledgement waits for it, and an answer
 * that hops brings none: it comes when TCP_DELACK_MIN is over, 40 ms later. So there it is enough at
 * first that the message has arrived. */
INLINE bool may_hop_unacknowledged(struct end *end, struct tcp_sock *me, struct tcp_sock *peer)
{
	return is_nagle(me) && has_arrived(me, peer) &&
	       bpf_ktime_get_coarse_ns() - end->checked_ns < ACKNOWLEDGED_WITHIN_NS;
}

/* A hop is invisible to firewalls, so it is earned: when the epoch changes or the interval has
 * passed, a message takes the stack, and nothing hops until some of it has been acknowledged. A rule
 * against either direction's packets stops it there. */
INLINE bool must_show(struct end *end, struct tcp_sock *me, struct tcp_sock *peer)
{
	if (end->epoch != config.epoch || is_time(end)) {
		end->epoch = config.epoch;
		end->checked_ns = bpf_ktime_get_coarse_ns();
		end->recheck_seq = me->write_seq;
		end->recheck_pending = 1;
		return true;
	}
	if (!end->recheck_pending)
		return false;
	if (me->write_seq == end->recheck_seq)
		return true;
	if (!before(end->recheck_seq, me->snd_una))
		return !may_hop_unacknowledged(end, me, peer);
	end->recheck_pending = 0;
	return false;
}

/* Whether the peer still has the receive buffer that we gave it. */
INLINE bool has_our_room(struct end *end, struct tcp_sock *peer)
{
	__u32 room = 0;

	bpf_probe_read_kernel(&room, sizeof(room), &end_of_peer(end)->room);
	return room && room == (__u32)sock_of(peer)->sk_rcvbuf;
}

/* Whether so little of the buffer that is ours is left that reading does not soon open TCP's window, which takes a
 * sixteenth of it (__tcp_select_window): half of that may be read while we look. */
INLINE bool is_nearly_full(struct end *end, struct tcp_sock *peer, __u32 unread)
{
	__u32 room = sock_of(peer)->sk_rcvbuf;

	return unread >= room - room / 32 && has_our_room(end, peer);
}

/* The kernel charges a hop to sk_rmem_alloc and compares that with nothing (bpf_tcp_ingress). Where the buffer
 * is ours, small messages may fill it twice once it is full. So TCP's window stays closed until all of that has
 * been read, and the message that waits for the window is followed by many hops; with one bound for both, each
 * bit of room that a slow reader makes would be TCP's. */
INLINE bool has_room(struct end *end, struct tcp_sock *peer, __u32 unread, __u32 size)
{
	__u32 room = sock_of(peer)->sk_rcvbuf;

	if (unread + size <= room)
		return true;
	return size <= SMALL_WINDOW && unread + size <= 2 * room && is_nearly_full(end, peer, unread);
}

/* Whether the window that the peer has promised is of no use for this message: nothing is left, or too little for it
 * and for a segment, so that it would wait until the window opens. A smaller message may still use that rest once hops
 * have filled the buffer: TCP takes such a segment in all the same, since the peer's own queue is empty, and closes
 * the window (tcp_data_queue, sk_forced_mem_schedule). */
INLINE bool is_shut(struct tcp_sock *me, __s32 promised, __u32 size)
{
	if (promised <= 0)
		return true;
	return promised < SMALL_REST && promised < (__s32)size && promised < (__s32)me->mss_cache;
}

/* Nor may a hop fill what TCP has promised, the window that the peer has advertised and that we have not used:
 * segments within it would be dropped (tcp_data_queue, zero window) and wait for a retransmission timeout. A
 * reader on another CPU may be promising that much right now, unless its buffer is nearly full. */
INLINE bool keeps_promise(struct end *end, struct tcp_sock *me, struct tcp_sock *peer, __u32 unread, __u32 size)
{
	__s32 promised = peer->rcv_wup + peer->rcv_wnd - peer->rcv_nxt;
	__u32 room = sock_of(peer)->sk_rcvbuf;
	__u32 kept = room / 4 < SMALL_WINDOW ? room / 4 : SMALL_WINDOW;

	if (is_nearly_full(end, peer, unread))
		return is_shut(me, promised, size);
	if (promised > (__s32)kept)
		kept = promised;
	return unread + size + kept <= room;
}

/* All bytes that we have ever sent, either way. */
INLINE __u32 sent_bytes(struct end *end, struct tcp_sock *me)
{
	return me->write_seq + (__u32)end->hopped_bytes;
}

/* The unread bytes are the last ones, so while fewer of them are unread than were sent since a mark, the
 * messages unread are among those since. The mark moves up when half of the bound has hopped since, and all
 * before it has been read: unread messages are fewer than the bound. A small message costs the kernel about
 * 1 KB that nothing accounts for, so they need a bound of their own. */
INLINE bool has_slots(struct end *end, struct tcp_sock *me, __u32 unread)
{
	if (unread) {
		if (end->hopped_messages - end->mark_messages < config.queue_messages / 2)
			return true;
		if (unread > sent_bytes(end, me) - end->mark)
			return false;
	}
	end->mark_messages = end->hopped_messages;
	end->mark = sent_bytes(end, me);
	return true;
}

/* What TCP joins before it leaves, to segments that hold several writes, and is faster: between two CPUs hops of 16 KB
 * make 0.5 of its speed on loopback, whose segments are 64 KB, and of 1 KB 0.45 where they are 9,000 bytes. What fills
 * a segment gains: 1.4 to 1.7 with those of 1,460 bytes, and twice that with bbr, which paces them. */
INLINE bool is_joined(struct tcp_sock *me, __u32 size)
{
	return joins(me) && size < config.burst_bytes && size < me->rx_opt.mss_clamp;
}

/* What TCP is faster with behind a slow reader: it joins writes in the send buffer, even where it does not join what can
 * leave. Of writes of 4 KB a hop each makes 0.6 of its speed on one CPU, of 8 KB as much, of 16 KB 1.6. */
INLINE bool is_small_write(struct tcp_sock *me, __u32 size)
{
	return size < config.small_bytes || is_joined(me, size);
}

/* Many small writes in a row with no answer, on a socket that joins them: TCP makes large segments of them, and is
 * faster. Of a few that are answered it keeps back the end until the beginning is acknowledged, which is put off by
 * 40 ms: 32 requests at once are answered 300 times as often by hops. */
INLINE bool is_nagle_burst(struct end *end, struct tcp_sock *me, __u32 size)
{
	__u32 peer_sent;

	if (!is_joined(me, size))
		return false;
	peer_sent = word_at(&end_of_peer(end)->sent);
	if (peer_sent != end->peer_sent) {
		end->peer_sent = peer_sent;
		end->streak = 0;
	}
	if (++end->streak <= config.burst_messages)
		return false;
	/* Those that have hopped before were a part of it. */
	end->bursts += end->streak == config.burst_messages + 1 ? end->streak : 1;
	return true;
}

/* Many small writes in a row before a reader that comes rarely, on a socket that does not join them: there TCP joins
 * them in the reader's queue, and is twice as fast. So it is where both ends have one CPU: half of the writes find a
 * quarter of the bound unread, or more. Of a reader on a CPU of its own one in twenty does, and hops are faster. */
INLINE bool is_pile(struct end *end, struct tcp_sock *me, __u32 unread, __u32 size)
{
	__u32 many = config.queue_messages / 4;

	if (joins(me))
		return false;
	if (!unread || !is_small_write(me, size)) {
		end->streak = 0;
		return false;
	}
	return ++end->streak > many && unread >= (__u64)many * size;
}

/* bpf_tcp_ingress() fails, and send() with it, when the peer needs more memory than it holds and TCP
 * is near its hard limit (__sk_mem_raise_allocated, tcp_memory_pressure). */
INLINE bool is_memory_short(struct tcp_sock *peer, __u32 size)
{
	struct sock *sk = sock_of(peer);

	return (__s32)size > sk->sk_forward_alloc &&
	       (word_at(sk->__sk_common.skc_prot->memory_pressure) || is_near_limit(sk, size));
}

/* Whether what is sent leaves by itself. A rest held by a cork or by MSG_MORE would stay for a probe timer if the
 * sender waited for it: tcp_bpf_sendmsg() waits for memory without pushing (tcp_sendmsg_locked() does). What Nagle's
 * algorithm holds leaves when the reader has read, which is what the sender waits for. */
INLINE bool leaves_by_itself(struct tcp_sock *me)
{
	return !is_corked(me) && sends_at_once(current_call());
}

/* Whether a message takes the stack for what is unread before it. */
INLINE bool is_crowded(enum outcome outcome)
{
	return outcome == OUTCOME_UNREAD || outcome == OUTCOME_FULL || outcome == OUTCOME_WINDOW;
}

/* Whether the reader of this stream has fallen behind: a large message takes the stack, and what is unread is about as
 * much as a send buffer, which applications count on. It stays so until a message hops. Not for a while after the
 * sender has waited for too long: of two that send much before they read, again and again, each would wait each time. */
INLINE bool has_fallen_behind(struct end *end, struct tcp_sock *me, struct tcp_sock *peer,
			      enum outcome outcome, bool is_small)
{
	__u32 unread = sock_of(peer)->sk_backlog.rmem_alloc.counter;

	if (!is_crowded(outcome) && outcome != OUTCOME_RECHECK)
		return false;
	if (!leaves_by_itself(me) || bpf_ktime_get_coarse_ns() < end->hold_ns)
		return false;
	if (is_small || end->is_behind)
		return end->is_behind;
	return unread >= (__u32)sock_of(peer)->sk_rcvbuf / 2 || unread >= (__u32)sock_of(me)->sk_sndbuf;
}

/* Whether the class of either end, or a rule, has turned against hops since they went in. */
static __attribute__((noinline)) bool look_again(struct end *end, struct tcp_sock *me, struct tcp_sock *peer)
{
	return !end || state_of_pair(end, me, peer) == CLASS_STACK;
}

INLINE bool is_kept(struct end *end, struct tcp_sock *me, struct tcp_sock *peer)
{
	__u32 now = config.generation + gauge.turns;

	if (end->looked != now) {
		end->looked = now;
		end->kept = look_again(end, me, peer);
	}
	return end->kept;
}

INLINE enum outcome decide(struct end *end, struct tcp_sock *me, struct tcp_sock *peer, __u32 size)
{
	__u32 unread;

	if (config.paused)
		return OUTCOME_PAUSED;
	if (!end->peer.cookie || cookie_of(peer) != end->peer.cookie)
		return OUTCOME_NO_PEER;
	if (!may_send(me) || !may_receive(peer))
		return OUTCOME_CLOSING;
	if (is_kept(end, me, peer))
		return OUTCOME_CLASS;
	if (must_show(end, me, peer))
		return OUTCOME_RECHECK;
	if (is_nagle_burst(end, me, size))
		return OUTCOME_NAGLE_BURST;
	if (!has_arrived(me, peer))
		return OUTCOME_UNREAD;
	unread = sock_of(peer)->sk_backlog.rmem_alloc.counter;
	if (!has_room(end, peer, unread, size) || !has_slots(end, me, unread))
		return OUTCOME_FULL;
	if (!keeps_promise(end, me, peer, unread, size))
		return OUTCOME_WINDOW;
	if (sock_of(peer)->sk_rcvlowat > 1)
		return OUTCOME_RCVLOWAT;
	if (is_memory_short(peer, size))
		return OUTCOME_MEMORY;
	if (is_pile(end, me, unread, size))
		end->bursts++;
	return OUTCOME_HOP;
}

#endif
