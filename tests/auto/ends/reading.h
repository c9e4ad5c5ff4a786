/* The ways to read that a socket in a sockmap does not have. */
#ifndef AUTO_READING_H
#define AUTO_READING_H

#include <linux/errqueue.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>

#include "side.h"

#ifndef TCP_CM_INQ
#define TCP_CM_INQ TCP_INQ
#endif
#define MAP_BYTES (1 << 17)
#define PATIENCE_MS 1000
#define MOST_MARK 16384

static inline bool read_waitall(struct side *side, unsigned char *out, size_t n)
{
	ssize_t got = recv(side->fd, out, n, MSG_WAITALL);

	if (got <= 0)
		return goes_on(side, got) && read_plain(side, out, n);
	if ((size_t)got < n)
		fault(side, SHORT);
	return read_plain(side, out + got, n - got);
}

static inline void take_urgent(struct side *side)
{
	unsigned char byte;

	if (recv(side->fd, &byte, 1, MSG_OOB) == 1)
		side->urgent = byte;
}

/* One urgent byte comes with the message. */
static inline bool read_oob(struct side *side, unsigned char *out, size_t n)
{
	while (n) {
		struct pollfd pollfd = {.fd = side->fd, .events = POLLIN | POLLPRI};
		ssize_t got;

		if (poll(&pollfd, 1, -1) < 0)
			continue;
		if (pollfd.revents & POLLPRI && side->urgent < 0)
			take_urgent(side);
		if (!(pollfd.revents & ~POLLPRI))
			continue;
		got = recv(side->fd, out, n, 0);
		if (got <= 0) {
			if (!goes_on(side, got))
				return false;
			continue;
		}
		out += got;
		n -= got;
	}
	if (side->urgent < 0 && is_ready(side, POLLPRI, PATIENCE_MS))
		take_urgent(side);
	if (side->urgent < 0)
		fault(side, LOST);
	return true;
}

/* The mark is the message: it is not readable before. A blocking recv() alone would not do: it takes what is there,
 * and tcp_data_ready() wakes it only when a whole mark more has come. Nor would a mark near the receive buffer: a
 * socket is readable before that when its memory is (tcp_rmem_pressure). */
static inline bool read_at_mark(struct side *side, unsigned char *out, size_t n)
{
	size_t mark = n < MOST_MARK ? n : MOST_MARK;
	ssize_t got;

	set_int(side->fd, SOL_SOCKET, SO_RCVLOWAT, mark);
	is_ready(side, POLLIN, -1);
	got = recv(side->fd, out, n, 0);
	if (got > 0 && (size_t)got < mark)
		fault(side, SHORT);
	set_int(side->fd, SOL_SOCKET, SO_RCVLOWAT, 1);
	if (got <= 0)
		return goes_on(side, got) && read_plain(side, out, n);
	return read_plain(side, out + got, n - got);
}

/* Each read brings a control message. */
static inline ssize_t read_some_with_control(struct side *side, unsigned char *out, size_t n)
{
	bool stamps = side->hazard == TIMESTAMPS;
	int level = stamps ? SOL_SOCKET : IPPROTO_TCP, type = stamps ? SO_TIMESTAMPNS : TCP_CM_INQ;
	char control[256];
	struct iovec iov = {.iov_base = out, .iov_len = n};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t got = recvmsg(side->fd, &msg, 0);
	struct cmsghdr *c;

	if (got <= 0)
		return got;
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == level && c->cmsg_type == type)
			break;
	if (!c)
		fault(side, LOST);
	return got;
}

/* Looks at all of it, each look going on where the last one ended, before it takes it. */
static inline bool read_peeking(struct side *side, unsigned char *out, size_t n)
{
	unsigned char *seen = malloc(n);
	size_t looked = 0;
	bool whole;

	set_int(side->fd, SOL_SOCKET, SO_PEEK_OFF, 0);
	while (looked < n) {
		ssize_t got = recv(side->fd, seen + looked, n - looked, MSG_PEEK);

		if (got <= 0 && !goes_on(side, got))
			break;
		if (got > 0)
			looked += got;
	}
	whole = looked == n && read_plain(side, out, n);
	if (whole && memcmp(seen, out, n))
		fault(side, CORRUPT);
	free(seen);
	set_int(side->fd, SOL_SOCKET, SO_PEEK_OFF, -1);
	return whole;
}

/* Peeks at the bytes, so that they can be checked, then throws as many away. */
static inline bool read_discarding(struct side *side, unsigned char *out, size_t n)
{
	while (n) {
		ssize_t got = recv(side->fd, out, n, MSG_PEEK), gone;

		if (got <= 0) {
			if (!goes_on(side, got))
				return false;
			continue;
		}
		gone = recv(side->fd, NULL, got, MSG_TRUNC);
		if (gone <= 0) {
			fault(side, BROKEN);
			return false;
		}
		out += gone;
		n -= gone;
	}
	return true;
}

/* Into a pipe, and out of it. sendfile() to a pipe is splice() with its arguments the other way. */
static inline bool read_splicing(struct side *side, unsigned char *out, size_t n)
{
	while (n) {
		size_t want = n < 65536 ? n : 65536;
		ssize_t moved = side->hazard == SPLICE ? splice(side->fd, NULL, side->pipe[1], NULL, want, 0)
						       : sendfile(side->pipe[1], side->fd, NULL, want);

		if (moved <= 0) {
			if (!goes_on(side, moved))
				return false;
			continue;
		}
		for (ssize_t left = moved; left;) {
			ssize_t got = read(side->pipe[0], out, left);

			if (got <= 0)
				die("read of the pipe");
			out += got;
			left -= got;
		}
		n -= moved;
	}
	return true;
}

/* TCP_ZEROCOPY_RECEIVE: pages where it can, a copy into a buffer of ours where not, and what it does not
 * want to give is for recv(). */
static inline ssize_t read_some_mapped(struct side *side, unsigned char *out, size_t n)
{
	struct tcp_zerocopy_receive zc = {
		.address = (uint64_t)(uintptr_t)side->map,
		.length = n < MAP_BYTES ? n & ~4095u : MAP_BYTES,
		.copybuf_address = (uint64_t)(uintptr_t)out,
		.copybuf_len = n,
	};
	socklen_t len = sizeof(zc);
	int unread = 0;
	ssize_t took;

	is_ready(side, POLLIN, -1);
	ioctl(side->fd, FIONREAD, &unread);
	if (getsockopt(side->fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &zc, &len))
		return errno == EIO ? 0 : -1; /* the end of the stream */
	took = zc.length + (zc.copybuf_len > 0 ? zc.copybuf_len : 0);
	if (zc.length) {
		memmove(out + zc.length, out, took - zc.length);
		memcpy(out, side->map, zc.length);
		if (madvise(side->map, MAP_BYTES, MADV_DONTNEED))
			die("madvise");
	}
	if (took)
		return took;
	if (unread && n >= 4096 && !zc.recv_skip_hint)
		fault(side, LOST);
	return recv(side->fd, out, n, 0);
}

/* A message, or a part of one, whose length is known. */
static inline bool receive(struct side *side, unsigned char *out, size_t n)
{
	enum hazard hazard = side->hazard;

	if (!offends(side, hazard))
		return read_plain(side, out, n);
	switch (hazard) {
	case WAITALL:
		return read_waitall(side, out, n);
	case RCVLOWAT:
		return read_at_mark(side, out, n);
	case TIMESTAMPS:
	case INQ:
		return read_all_by(read_some_with_control, side, out, n);
	case PEEK_OFFSET:
		return read_peeking(side, out, n);
	case DISCARD:
		return read_discarding(side, out, n);
	case SPLICE:
	case SENDFILE:
		return read_splicing(side, out, n);
	case MAPPED:
		return read_all_by(read_some_mapped, side, out, n);
	default:
		return read_plain(side, out, n);
	}
}

#endif
