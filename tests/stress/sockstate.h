/* What the kernel says of one socket: for the reports of a stall, before anything is closed. */
#ifndef STRESS_SOCKSTATE_H
#define STRESS_SOCKSTATE_H

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h> /* the whole struct tcp_info; glibc's netinet/tcp.h ends early */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

static inline const char *tcp_state_name(unsigned state)
{
	static const char *const names[] = {
		"?",	     "ESTABLISHED", "SYN_SENT",	  "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2",
		"TIME_WAIT", "CLOSE",	    "CLOSE_WAIT", "LAST_ACK", "LISTEN",	   "CLOSING",
	};

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

/* One line; the peek takes nothing and tells a lost wake-up (there are bytes) from lost bytes
 * (there are none). */
static inline void report_socket(FILE *to, const char *label, int fd)
{
	int inq = -1, outq = -1, rcvbuf = -1, sndbuf = -1;
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};
	socklen_t len = sizeof(int);
	struct tcp_info info;
	uint64_t cookie = 0;
	char byte;

	if (fd < 0) {
		fprintf(to, "  %s: no socket (closed, or not accepted yet)\n", label);
		return;
	}
	memset(&info, 0, sizeof(info));
	ioctl(fd, SIOCINQ, &inq);
	ioctl(fd, SIOCOUTQ, &outq);
	getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, &len);
	len = sizeof(int);
	getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, &len);
	len = sizeof(cookie);
	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	len = sizeof(info);
	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	poll(&p, 1, 0);
	fprintf(to,
		"  %s: fd %d cookie %llu %s inq %d outq %d rcvbuf %d sndbuf %d poll 0x%x snd_wnd "
		"%u unacked %u notsent %u "
		"retransmits %u probes %u backoff %u rto_us %u last_sent_ms %u last_recv_ms %u "
		"acked %llu received %llu",
		label, fd, (unsigned long long)cookie, tcp_state_name(info.tcpi_state), inq, outq,
		rcvbuf, sndbuf, (unsigned)p.revents, info.tcpi_snd_wnd, info.tcpi_unacked,
		info.tcpi_notsent_bytes, info.tcpi_retransmits, info.tcpi_probes, info.tcpi_backoff,
		info.tcpi_rto, info.tcpi_last_data_sent, info.tcpi_last_data_recv,
		(unsigned long long)info.tcpi_bytes_acked,
		(unsigned long long)info.tcpi_bytes_received);
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	fprintf(to, " peek %zd%s%s\n", n, n < 0 ? " " : "", n < 0 ? strerror(errno) : "");
}

#endif
