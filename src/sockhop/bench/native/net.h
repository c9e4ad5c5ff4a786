/* SPDX-License-Identifier: Apache-2.0
 *
 * What the measuring programs share: one way to listen, connect and tell the time for every arm, so that
 * arms differ in nothing but the address they are given: "127.0.0.1:5000", "[::1]:5000" or "unix:/tmp/x".
 */
#pragma once

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct address {
	struct sockaddr_storage storage;
	socklen_t length;
	int is_tcp;
	int nodelay;
	int rcvbuf; /* of what a server accepts; 0: as the kernel has it */
};

static inline struct address parse_address(const char *text)
{
	struct address address = {0};

	if (strncmp(text, "unix:", 5) == 0) {
		struct sockaddr_un *path = (struct sockaddr_un *)&address.storage;

		path->sun_family = AF_UNIX;
		if (strlen(text + 5) >= sizeof(path->sun_path))
			errx(2, "%s: path too long", text);
		strcpy(path->sun_path, text + 5);
		address.length = sizeof(*path);
		return address;
	}

	const char *colon = strrchr(text, ':');
	char host[64];

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		errx(2, "%s: not HOST:PORT, [HOST]:PORT or unix:PATH", text);
	memcpy(host, text, colon - text);
	host[colon - text] = 0;
	address.is_tcp = 1;
	if (host[0] == '[') {
		struct sockaddr_in6 *ip = (struct sockaddr_in6 *)&address.storage;

		host[strcspn(host, "]")] = 0;
		ip->sin6_family = AF_INET6;
		ip->sin6_port = htons(atoi(colon + 1));
		address.length = sizeof(*ip);
		if (inet_pton(AF_INET6, host + 1, &ip->sin6_addr) != 1)
			errx(2, "%s: not an IPv6 address", text);
	} else {
		struct sockaddr_in *ip = (struct sockaddr_in *)&address.storage;

		ip->sin_family = AF_INET;
		ip->sin_port = htons(atoi(colon + 1));
		address.length = sizeof(*ip);
		if (inet_pton(AF_INET, host, &ip->sin_addr) != 1)
			errx(2, "%s: not an IPv4 address", text);
	}
	return address;
}

static inline void set_nodelay(int fd, const struct address *address)
{
	int on = 1;

	if (address->nodelay && address->is_tcp && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		err(1, "TCP_NODELAY");
}

/* As many descriptors as this process may have. */
static inline void raise_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Listens and says so on stdout, which is what the runner waits for. */
static inline int open_server(const struct address *address)
{
	int on = 1, fd = socket(address->storage.ss_family, SOCK_STREAM, 0);

	if (fd < 0)
		err(1, "socket");
	if (address->is_tcp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->rcvbuf && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &address->rcvbuf, sizeof(address->rcvbuf)))
		err(1, "SO_RCVBUF");
	if (bind(fd, (const struct sockaddr *)&address->storage, address->length))
		err(1, "bind");
	if (listen(fd, 4096))
		err(1, "listen");
	puts("ready");
	fflush(stdout);
	return fd;
}

static inline int open_client(const struct address *address)
{
	int fd = socket(address->storage.ss_family, SOCK_STREAM, 0);

	if (fd < 0)
		err(1, "socket");
	set_nodelay(fd, address);
	if (connect(fd, (const struct sockaddr *)&address->storage, address->length))
		err(1, "connect");
	return fd;
}

static inline int accept_client(int server, const struct address *address)
{
	int fd = accept(server, NULL, NULL);

	if (fd < 0)
		err(1, "accept");
	set_nodelay(fd, address);
	return fd;
}

/* 1: all read. 0: the other end closed before the first byte. Anything else ends the program. */
static inline int read_all(int fd, char *buffer, size_t length)
{
	size_t got = 0;

	while (got < length) {
		ssize_t n = read(fd, buffer + got, length - got);

		if (n < 0)
			err(1, "read");
		if (n == 0 && got == 0)
			return 0;
		if (n == 0)
			errx(1, "read: closed in the middle of a message");
		got += n;
	}
	return 1;
}

static inline void write_all(int fd, const char *buffer, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = write(fd, buffer + done, length - done);

		if (n < 0)
			err(1, "write");
		done += n;
	}
}

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Bytes that TCP really got to send for this socket. Redirected bytes are not in it, so it is the kernel's own
 * witness of which arm was measured. -1 for sockets that are not TCP's. */
static inline long long tcp_bytes_sent(int fd, const struct address *address)
{
	struct tcp_info info = {0};
	socklen_t length = sizeof(info);

	if (!address->is_tcp)
		return -1;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length))
		err(1, "TCP_INFO");
	return info.tcpi_bytes_sent + info.tcpi_notsent_bytes;
}
