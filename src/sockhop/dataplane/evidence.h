// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* What observed ends tell their class. */
#ifndef SOCKHOP_EVIDENCE_H
#define SOCKHOP_EVIDENCE_H

#include "classes.h"
#include "hazards.h"
#include "observed.h"
#include "peer.h"

/* An end counts by itself, and tells its class each time it has made so many reads. */
#define EVIDENCE_BATCH 16

static __attribute__((noinline)) int blame_all(struct class_key *key, __u32 hazards)
{
	struct class_info *class;
	struct class_key copy;

	if (!key)
		return 0;
	copy = *key;
	class = find_class(&copy);
	if (class)
		blame(&copy, class, hazards);
	return 0;
}

/* A read that was woken without bytes: by a signal (a restart code, or EINTR with SO_RCVTIMEO) or by a reset.
 * In the map each of these becomes EAGAIN, which TCP gives to no blocking reader without SO_RCVTIMEO. Nobody
 * sees the result in a process that is killed. */
INLINE bool is_interrupted(struct tcp_sock *tcp, __s32 result)
{
	if (result >= 0 || bpf_get_current_task_btf()->signal->flags & SIGNAL_GROUP_EXIT)
		return false;
	switch (result) {
	case -ERESTARTSYS:
	case -EINTR:
	case -ECONNRESET:
	case -EPIPE:
	case -ETIMEDOUT:
		return true;
	case -EAGAIN:
		return sock_of(tcp)->sk_rcvtimeo == NO_TIMEOUT;
	default:
		return false;
	}
}

/* Tells the class what was found. */
INLINE void blame_found(__u32 *where, struct class_key *class)
{
	__u32 found = *where;

	if (!found)
		return;
	*where = 0;
	blame_all(class, found);
}

INLINE void add(struct class_key *key, struct class_info *class, __u32 reads, __u32 writes)
{
	__sync_fetch_and_add(&class->reads, reads);
	__sync_fetch_and_add(&class->writes, writes);
	__sync_fetch_and_add(&class->recent_messages, reads + writes);
	judge(key, class);
}

/* Hands over what has been counted of an end that is observed. What it sent, only TCP has counted. */
INLINE void tell_observed(struct end *end, struct tcp_sock *tcp, struct class_key *key,
			  struct class_info *class)
{
	__u32 reads = end->reads, segments = tcp->data_segs_out - end->told_segments;

	if (end->seen & SEEN_BLOCKING)
		__sync_fetch_and_or(&class->blocking, BLOCKING_SEEN);
	if (end->seen & SEEN_RING)
		class->watched = 1;
	__sync_fetch_and_add(&class->read_bytes, end->read_bytes);
	__sync_fetch_and_add(&class->written_bytes, tcp->bytes_sent - end->told_bytes);
	end->told_segments += segments;
	end->told_bytes = tcp->bytes_sent;
	end->read_bytes = end->reads = 0;
	add(key, class, reads, segments);
}

/* An end in the map shows only the guard how it is read: no evidence for a class that learns anew. */
INLINE void tell_hops(struct class_key *key, __u32 reads, __u32 writes, __u32 bursts, __u32 corked)
{
	struct class_info *class = find_class(key);

	if (!class || class->state == CLASS_LEARNING)
		return;
	__sync_fetch_and_add(&class->recent_bursts, bursts);
	__sync_fetch_and_add(&class->recent_corked, corked);
	add(key, class, reads, writes);
}

/* A hop is a message that only its sender counts: it tells both classes. */
static __attribute__((noinline)) int tell_sent(struct end *end)
{
	__u32 messages, bursts, corked;
	struct class_key key;

	if (!end)
		return 0;
	messages = (__u32)end->sent - end->told_sent;
	bursts = end->bursts;
	corked = end->corked;
	end->told_sent = end->sent;
	end->bursts = end->corked = 0;
	key = end->class;
	tell_hops(&key, 0, messages, bursts, corked);
	if (peer_of(end) && class_of_peer(end, &key))
		tell_hops(&key, messages, 0, 0, 0);
	return 0;
}

/* TCP may be done with a connection while its reader sleeps, or before it has come for the last bytes (tcp_fin,
 * TIME_WAIT). How these are read nobody sees, so what was not read before is no evidence, unless the application has
 * closed the socket and can read no more. */
INLINE bool is_evidence(struct end *end, struct tcp_sock *tcp)
{
	__u32 end_of_stream = sock_of(tcp)->sk_shutdown & RCV_SHUTDOWN ? 1 : 0;

	if (!end->observed || !sock_of(tcp)->sk_socket)
		return true;
	return end->seen && tcp->rcv_nxt - tcp->copied_seq <= end_of_stream;
}

/* A reset comes while its reader sleeps or is about to: what is_interrupted() would find is known before it has woken,
 * and other connections could be taken in meanwhile. Not EPIPE: that reader has seen the end (tcp_reset). */
INLINE bool interrupts(struct end *end, struct tcp_sock *tcp)
{
	int error = sock_of(tcp)->sk_err;

	return end->seen & SEEN_BLOCKING && (error == ECONNRESET || error == ETIMEDOUT) && tcp->rcv_nxt == tcp->copied_seq;
}

/* An end that was neither observed nor hopped has taught nothing, one that hops nothing new to a class that learns. */
INLINE void has_ended(struct end *end, struct tcp_sock *tcp, struct class_info *class)
{
	if (!end->observed && (!end->tracked || class->state == CLASS_LEARNING))
		return;
	__sync_fetch_and_add(&class->recent_connections, 1);
	if (!is_evidence(end, tcp))
		return;
	__sync_fetch_and_add(&class->connections, 1);
	if (end->seen & SEEN_BLOCKING)
		__sync_fetch_and_or(&class->blocking, BLOCKING_ENDED);
}

/* A class that no longer learns needs to hear no more. */
static __attribute__((noinline)) int tell_class(struct end *end, struct tcp_sock *tcp, __u32 is_over)
{
	struct class_info *class;
	struct class_key key;

	if (!end)
		return 0;
	key = end->class;
	class = find_class(&key);
	if (class) {
		hazards_of_socket(tcp, &end->found);
		note(&end->found, interrupts(end, tcp), HAZARD(INTERRUPTED));
		note(&end->found, end->observed && end->shared, HAZARD(THREADS));
		blame_found(&end->found, &key);
		if (is_over)
			has_ended(end, tcp, class);
		if (end->observed)
			tell_observed(end, tcp, &key, class);
	}
	if (is_over || !class || class->state != CLASS_LEARNING)
		observe_no_more(end);
	return 0;
}

/* The connection has closed. */
INLINE void is_over(struct end *end, struct tcp_sock *tcp)
{
	if (!end->observed)
		tell_sent(end);
	tell_class(end, tcp, true);
}

/* Who has waited for the send buffer may leave SOCK_NOSPACE set (sk_stream_wait_memory: its bound is not that
 * of sk_stream_write_space). Then an acknowledgement wakes whoever sleeps on the socket, in a read as well. */
INLINE bool is_after_bulk(struct end *end, struct tcp_sock *tcp)
{
	__u32 sent = tcp->write_seq - end->read_at;

	end->read_at = tcp->write_seq;
	return sent > (__u32)sock_of(tcp)->sk_sndbuf / 4;
}

/* What is in doubt does not count yet. */
INLINE void has_read(struct end *end, struct tcp_sock *tcp, __u32 bytes)
{
	if (end->shared)
		return;
	end->read_bytes += bytes;
	if (++end->reads >= EVIDENCE_BATCH)
		tell_class(end, tcp, false);
}

#endif
