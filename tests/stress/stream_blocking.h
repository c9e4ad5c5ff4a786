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
		n = send(e->fd, buffer, size, MSG_NOSIGNAL);
		if (n <= 0)
			stream_fault(e, EXIT_WRONG_END, "send");
		e->out->sent += (uint64_t)n;
		e->n_writes++;
		if (pause)
			poll(NULL, 0, (int)pause);
	}
	while (!may_shut(e))
		poll(NULL, 0, 1);
	shut(e);
	free(buffer);
	return NULL;
}

/*
 * A blocking recv on a socket in the map waits once only (tcp_msg_wait_data): whatever wakes it
 * ends it, with EAGAIN if nothing came. That is shutdown() by the other thread of this end
 * (inet_shutdown and the ACK of the FIN both call sk_state_change), or room for what that thread
 * sends (sk_stream_write_space), also when its send() has returned meanwhile. Counted, and read
 * again. An end that does neither must never see it.
 */
static inline void count_woken(struct end *e)
{
	if (e->shut)
		e->n_woken_by_shutdown++;
	else if (e->out->total)
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
		ssize_t n = recv(e->fd, buffer, next_read(e), 0);

		if (n < 0 && errno == EAGAIN) {
			count_woken(e);
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
