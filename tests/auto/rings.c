/*
 * A server that echoes what it reads, one connection after the other, and reads by io_uring when it is told to.
 *
 * usage: rings [a]
 *
 * Prints its port. With "a" all is read by a worker thread of io_uring (IOSQE_ASYNC). Else the first byte of a message
 * may say 'r', that all later ones are read by io_uring, or 'w', that the next one is read with MSG_WAITALL, MESSAGE
 * bytes of it. Ends when its standard input does.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MESSAGE 10

static struct {
	int fd;
	struct io_uring_sqe *entries;
	struct io_uring_cqe *completions;
	_Atomic unsigned *submitted, *completed;
	unsigned *submission_slots, submission_mask, completion_mask;
	_Atomic unsigned *consumed;
} ring;

static void *must(const char *what, void *result)
{
	if (result == MAP_FAILED) {
		perror(what);
		exit(1);
	}
	return result;
}

static void *map(size_t bytes, off_t what)
{
	return must("mmap", mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, what));
}

static void set_up(void)
{
	struct io_uring_params p = {0};
	char *submissions, *completions;

	ring.fd = syscall(SYS_io_uring_setup, 1, &p);
	if (ring.fd < 0)
		must("io_uring_setup", MAP_FAILED);
	submissions = map(p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	completions = map(p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	ring.entries = map(p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	ring.submitted = (void *)(submissions + p.sq_off.tail);
	ring.submission_slots = (void *)(submissions + p.sq_off.array);
	ring.submission_mask = *(unsigned *)(submissions + p.sq_off.ring_mask);
	ring.consumed = (void *)(completions + p.cq_off.head);
	ring.completed = (void *)(completions + p.cq_off.tail);
	ring.completion_mask = *(unsigned *)(completions + p.cq_off.ring_mask);
	ring.completions = (void *)(completions + p.cq_off.cqes);
}

static int receive_by_ring(int fd, char *to, unsigned size, unsigned flags, unsigned how)
{
	unsigned slot = *ring.submitted & ring.submission_mask, head = *ring.consumed;
	int result;

	ring.entries[slot] = (struct io_uring_sqe){
		.opcode = IORING_OP_RECV,
		.flags = how,
		.fd = fd,
		.addr = (unsigned long)to,
		.len = size,
		.msg_flags = flags,
	};
	ring.submission_slots[slot] = slot;
	atomic_fetch_add(ring.submitted, 1);
	while (*ring.completed == head)
		if (syscall(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0 && errno != EINTR)
			must("io_uring_enter", MAP_FAILED);
	result = ring.completions[head & ring.completion_mask].res;
	*ring.consumed = head + 1;
	return result;
}

static void echo(int fd, bool by_worker)
{
	unsigned flags = 0, how = by_worker ? IOSQE_ASYNC : 0;
	bool by_ring = by_worker;
	char message[4096];

	for (;;) {
		unsigned size = flags ? MESSAGE : sizeof(message);
		int count = by_ring ? receive_by_ring(fd, message, size, flags, how)
				    : recv(fd, message, size, flags);

		if (count <= 0 || send(fd, message, count, MSG_NOSIGNAL) != count)
			return;
		flags = message[0] == 'w' ? MSG_WAITALL : 0;
		by_ring |= message[0] == 'r';
	}
}

int main(int argc, char **argv)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(at);

	if (listener < 0 || bind(listener, (void *)&at, length) || listen(listener, 64) ||
	    getsockname(listener, (void *)&at, &length))
		must("listen", MAP_FAILED);
	set_up();
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	for (;;) {
		struct pollfd wait[] = {{.fd = listener, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
		int fd;

		poll(wait, 2, -1);
		if (wait[1].revents)
			return 0;
		fd = accept(listener, NULL, NULL);
		echo(fd, argc > 1 && argv[1][0] == 'a');
		close(fd);
	}
}
