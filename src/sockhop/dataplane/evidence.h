// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* What observed ends tell their class. */
#ifndef SOCKHOP_EVIDENCE_H
#define SOCKHOP_EVIDENCE_H

#include "classes.h"
#include "hazards.h"

/* An end counts by itself, and tells its class each time it has made so many reads or writes. */
#define EVIDENCE_BATCH 16
/* TCP counts a FIN and an urgent byte as a byte each. */
#define SEQ_SLACK 2
#define UNSEEN_CHECKS 8

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

/* A read that was woken without bytes: by a signal (a restart code, or EINTR with SO_RCVTIMEO; nobody sees
 * the result in a process that is killed) or by a reset. In the map each of these becomes EAGAIN, which
 * TCP gives to no blocking reader without SO_RCVTIMEO. */
INLINE bool is_interrupted(struct tcp_sock *tcp, __s32 result)
{
	switch (result) {
	case -ERESTARTSYS:
	case -EINTR:
		return !(bpf_get_current_task_btf()->signal->flags & SIGNAL_GROUP_EXIT);
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

/* Bytes have left TCP's queue by another way than recv(): splice(), TCP_ZEROCOPY_RECEIVE. Nobody counts
 * what an end that is no longer observed reads. While a connection lives, another thread may be between
 * its recv() and the tracepoint, so there it has to be seen again and again. */
INLINE bool has_unseen(struct end *end, struct tcp_sock *tcp, bool is_over)
{
	__u32 gone = tcp->copied_seq - end->first_seq;

	if (!end->observed || (__s32)(gone - (__u32)end->taken) <= SEQ_SLACK) {
		end->unseen = 0;
		return false;
	}
	return is_over || ++end->unseen >= UNSEEN_CHECKS;
}

INLINE void observe_no_more(struct end *end)
{
	if (!end->observed)
		return;
	end->observed = 0;
	__sync_fetch_and_add(&gauge.observed, -1);
}

/* Hands over what has been counted. A class that no longer learns needs no more of it. */
static __attribute__((noinline)) int tell_class(struct end *end, struct tcp_sock *tcp, __u32 is_over)
{
	struct class_info *class;
	struct class_key key;

	if (!end)
		return 0;
	key = end->class;
	class = find_class(&key);
	if (!class)
		return 0;
	hazards_of_socket(tcp, &end->found);
	note(&end->found, has_unseen(end, tcp, is_over), HAZARD(UNSEEN));
	blame_found(&end->found, &key);
	__sync_fetch_and_add(&class->reads, end->reads);
	__sync_fetch_and_add(&class->read_bytes, end->read_bytes);
	__sync_fetch_and_add(&class->writes, end->writes);
	__sync_fetch_and_add(&class->written_bytes, end->written_bytes);
	__sync_fetch_and_add(&class->burst_writes, end->burst_writes);
	__sync_fetch_and_add(&class->recent_messages, end->reads + end->writes);
	if (is_over) {
		__sync_fetch_and_add(&class->connections, 1);
		__sync_fetch_and_add(&class->recent_connections, 1);
	}
	end->reads = end->writes = end->burst_writes = 0;
	end->read_bytes = end->written_bytes = 0;
	judge(&key, class);
	if (is_over || class->state != CLASS_LEARNING)
		observe_no_more(end);
	return 0;
}

/* The connection has closed. */
INLINE void is_over(struct end *end, struct tcp_sock *tcp)
{
	if (!end->observed) { /* a hop is a message that nobody has counted; its answer another */
		end->writes = end->sent;
		end->reads = end->sent;
	}
	tell_class(end, tcp, true);
}

INLINE void has_read(struct end *end, struct tcp_sock *tcp, __u32 bytes)
{
	end->taken += bytes;
	end->read_bytes += bytes;
	end->writes_in_a_row = 0;
	if (++end->reads >= EVIDENCE_BATCH)
		tell_class(end, tcp, false);
}

INLINE void has_written(struct end *end, struct tcp_sock *tcp, __u32 bytes)
{
	end->written_bytes += bytes;
	if (++end->writes_in_a_row > config.burst_messages && bytes < config.burst_bytes &&
	    !bitfield(tcp, nonagle))
		end->burst_writes++;
	if (++end->writes >= EVIDENCE_BATCH)
		tell_class(end, tcp, false);
}

#endif
