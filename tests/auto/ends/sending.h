/* The ways to send that a socket in a sockmap does not have. */
#ifndef AUTO_SENDING_H
#define AUTO_SENDING_H

#include "reading.h"

/* Waits until the kernel has said of each MSG_ZEROCOPY send that its pages are free. */
static inline bool await_completions(struct side *side)
{
	while (side->completed < side->sends) {
		char control[128];
		struct msghdr msg = {.msg_control = control, .msg_controllen = sizeof(control)};
		struct sock_extended_err *error;
		struct pollfd pollfd = {.fd = side->fd};

		if (recvmsg(side->fd, &msg, MSG_ERRQUEUE) < 0) {
			if (poll(&pollfd, 1, PATIENCE_MS) > 0)
				continue;
			fault(side, LOST);
			return false;
		}
		error = (struct sock_extended_err *)CMSG_DATA(CMSG_FIRSTHDR(&msg));
		side->completed += error->ee_data - error->ee_info + 1;
	}
	return true;
}

/* TCP says EISCONN, or that it is switched off, and takes nothing. */
static inline void try_fastopen(struct side *side)
{
	unsigned char byte = 0;

	if (send(side->fd, &byte, 1, MSG_FASTOPEN | MSG_NOSIGNAL) == 1)
		fault(side, CORRUPT);
}

/* Sends n bytes in a few pieces, the first of which has the header; then `urgent` if it is one. */
static inline bool transmit(struct side *side, const unsigned char *in, size_t n, int urgent)
{
	int flags = side->hazard == ZEROCOPY && offends(side, ZEROCOPY) ? MSG_ZEROCOPY : 0;
	unsigned pieces = 1 + rng_below(&side->rng, 4);

	if (offends(side, FASTOPEN))
		try_fastopen(side);
	for (; n; pieces--) {
		size_t part = pieces == 1 ? n : n / pieces;
		unsigned char byte = urgent;

		if (part < HEADER_BYTES)
			part = n < HEADER_BYTES ? n : HEADER_BYTES;
		/* An urgent byte at the end would stay in the queue, and make the close a reset. */
		if (urgent >= 0 && part == n)
			part--;
		if (!write_plain(side, in, part, flags))
			return false;
		if (urgent >= 0 && !write_plain(side, &byte, 1, MSG_OOB))
			return false;
		urgent = -1;
		in += part;
		n -= part;
		if (n)
			dawdle(side);
		if (pieces == 1 && n)
			pieces++;
	}
	return await_completions(side);
}

/* Many writes of a few bytes, of which TCP makes large segments. */
static inline bool transmit_small(struct side *side, const unsigned char *in, size_t n)
{
	while (n) {
		size_t part = n < 64 ? n : 64;

		if (!write_plain(side, in, part, 0))
			return false;
		in += part;
		n -= part;
	}
	return true;
}

#endif
