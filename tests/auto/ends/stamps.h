/* Time stamps of received packets, which the kernel takes only while somebody wants them. */
#ifndef AUTO_STAMPS_H
#define AUTO_STAMPS_H

#include "shared.h"

/* Packets are stamped from a moment on after the first socket wants it (net_enable_timestamp): wait for it,
 * and keep it wanted. */
static inline void want_stamps(void)
{
	static int fd = -1;
	struct sockaddr_storage at;
	socklen_t len = make_address(&at, "127.0.0.1", false, 0);
	char control[128], byte;

	if (fd >= 0)
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(fd, (struct sockaddr *)&at, len) || getsockname(fd, (struct sockaddr *)&at, &len) ||
	    connect(fd, (struct sockaddr *)&at, len))
		die("a socket that sends to itself");
	set_int(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	for (;;) {
		struct iovec iov = {&byte, 1};
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
		struct timespec stamp, now;

		if (send(fd, "", 1, 0) != 1)
			die("send to itself");
		/* Without a stamp of its own a packet is stamped when it is read. */
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
		clock_gettime(CLOCK_REALTIME, &now);
		if (recvmsg(fd, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
			die("no time stamp");
		memcpy(&stamp, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(stamp));
		if ((now.tv_sec - stamp.tv_sec) * 1000000000 + now.tv_nsec - stamp.tv_nsec > 1000000)
			return;
	}
}

#endif
