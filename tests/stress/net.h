/* Addresses, listeners and namespaces for the stress programs. Everything that cannot fail here
 * ends the program with 1. */
#ifndef STRESS_NET_H
#define STRESS_NET_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sockstate.h"

/* How a run ends. The tests rely on these. */
enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_CORRUPT = 2, EXIT_STUCK = 3, EXIT_WRONG_END = 4 };

/* FAMILY_MAPPED: an IPv6 listener on a v4-mapped address; its clients are IPv4 and v4-mapped
 * sockets in turn. */
enum family { FAMILY_4, FAMILY_6, FAMILY_MAPPED };

static inline void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	int saved = errno;
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(saved));
	_exit(EXIT_FAILED);
}

static inline uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static inline enum family parse_family(const char *text)
{
	if (!strcmp(text, "4"))
		return FAMILY_4;
	if (!strcmp(text, "6"))
		return FAMILY_6;
	if (!strcmp(text, "mapped"))
		return FAMILY_MAPPED;
	errno = EINVAL;
	die("--family is 4, 6 or mapped, not %s", text);
}

static inline const char *loopback_of(enum family family)
{
	return family == FAMILY_6 ? "::1" : "127.0.0.1";
}

/* `as6`: write an IPv4 address as ::ffff:a.b.c.d. */
static inline socklen_t make_address(struct sockaddr_storage *out, const char *text, bool as6,
				     uint16_t port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	struct in_addr plain;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &plain) == 1) {
		if (!as6) {
			*v4 = (struct sockaddr_in){
				.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = plain};
			return sizeof(*v4);
		}
		v6->sin6_addr.s6_addr[10] = v6->sin6_addr.s6_addr[11] = 0xff;
		memcpy(v6->sin6_addr.s6_addr + 12, &plain, 4);
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1) {
		errno = EINVAL;
		die("not an address: %s", text);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	return sizeof(*v6);
}

static inline uint16_t port_of(const struct sockaddr_storage *a)
{
	return ntohs(a->ss_family == AF_INET ? ((const struct sockaddr_in *)a)->sin_port
					     : ((const struct sockaddr_in6 *)a)->sin6_port);
}

/* A listener on a free port of the address; the port is stored in *port. */
static inline int listen_at(enum family family, const char *address, int flags, uint16_t *port)
{
	struct sockaddr_storage at;
	socklen_t len = make_address(&at, address, family == FAMILY_MAPPED, 0);
	int off = 0, fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd < 0)
		die("socket");
	if (at.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)))
		die("IPV6_V6ONLY");
	if (bind(fd, (struct sockaddr *)&at, len) || listen(fd, 4096))
		die("bind and listen at %s", address);
	if (getsockname(fd, (struct sockaddr *)&at, &len))
		die("getsockname");
	*port = port_of(&at);
	return fd;
}

/* The socket of client number `n` and where it must connect to. */
static inline int client_socket(enum family family, const char *address, uint16_t port, uint64_t n,
				int flags, struct sockaddr_storage *to, socklen_t *len)
{
	int fd;

	*len = make_address(to, address, family == FAMILY_MAPPED && n % 2, port);
	fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0)
		die("socket");
	return fd;
}

static inline void set_int(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		die("setsockopt(%d, %d)", level, name);
}

/* Moves the calling thread into the namespace; its later sockets belong there. Returns the old one,
 * to go back to. */
static inline int enter_netns(const char *path)
{
	int old = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC),
	    fd = open(path, O_RDONLY | O_CLOEXEC);

	if (old < 0 || fd < 0 || setns(fd, CLONE_NEWNET))
		die("enter the network namespace %s", path);
	close(fd);
	return old;
}

static inline void leave_netns(int old)
{
	if (setns(old, CLONE_NEWNET))
		die("return to the network namespace");
	close(old);
}

#endif
