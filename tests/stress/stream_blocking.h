/* An end of a stream with two threads: one in blocking recv, one in blocking send. */
#ifndef STRESS_STREAM_BLOCKING_H
#define STRESS_STREAM_BLOCKING_H

#include <pthread.h>

#include "stream.h"

static inline void *blocking_writer(void *arg)
{
	struct end *e = arg;
	unsigned char *buffer = malloc(LARGEST_WRITE);
	unsigned pause;

	if (!buffer)
		die("malloc");
	while (e->out->sent < e->out->total) {
		uint64_t left = e->out->total - e->out->sent;
		size_t size = next_write(&e->writes, &pause);
		ssize_t n;

		while (holds_back(e))
			poll(NULL, 0, 1);
		if (size > left)
			size = left;
		pattern_fill(e->out->key, e->out->sent, buffer, size);
		e->in_send = true;
		n = send(e->fd, buffer, size, MSG_NOSIGNAL);
		e->in_send = false;
		if (n <= 0)
			stream_fault(e, EXIT_WRONG_END, "send");
		e->out->sent += (uint64_t)n;
		e->n_writes++;
		if (pause)
			poll(NULL, 0, (int)pause);
	}
	if (shutdown(e->fd, SHUT_WR))
		stream_fault(e, EXIT_WRONG_END, "shutdown");
	free(buffer);
	return NULL;
}

/*
 * A blocking recv on a socket in the map waits once only (tcp_msg_wait_data): whatever wakes it
 * ends it, with EAGAIN if nothing came. That is shutdown() by the other thread of this end
 * (inet_shutdown and the ACK of the FIN both call sk_state_change), or an ACK that makes room for
 * the other thread's send() (sk_stream_write_space), also when that has returned meanwhile.
 * Counted, and read again.
 */
static inline void count_woken(struct end *e, bool sending)
{
	if (e->out->sent == e->out->total)
		e->n_woken_by_shutdown++;
	else if (sending)
		e->n_woken_by_space++;
	else
		e->n_woken_else++;
}

static inline void *blocking_reader(void *arg)
{
	struct end *e = arg;
	unsigned char *buffer = malloc(LARGEST_READ);
	unsigned pause;

	if (!buffer)
		die("malloc");
	while (!e->in->ended) {
		uint64_t writes = e->n_writes;
		bool sending = e->in_send;
		int unacked = 0;
		ssize_t n;

		if (ioctl(e->fd, SIOCOUTQ, &unacked))
			die("SIOCOUTQ");
		n = recv(e->fd, buffer, next_read(e), 0);

		if (n < 0 && errno == EAGAIN) {
			count_woken(e, sending || unacked || e->in_send || e->n_writes != writes);
			continue;
		}
		if (n < 0)
			stream_fault(e, EXIT_WRONG_END, "recv");
		take(e, buffer, (size_t)n);
		pause = next_pause(e);
		if (pause)
			poll(NULL, 0, (int)pause);
	}
	free(buffer);
	return NULL;
}

#endif
