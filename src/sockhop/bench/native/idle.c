/* SPDX-License-Identifier: Apache-2.0
 *
 * Many connections that do nothing, to weigh them.
 *
 *   idle serve ADDRESS            accepts and keeps everything; answers the first byte of each; until killed
 *   idle hold  ADDRESS COUNT      opens COUNT, one byte there and back on each, prints "holding", waits for
 *                                 the end of its stdin, and resets them all (a TIME_WAIT would weigh too)
 */
#include "net.h"
#include <sys/resource.h>

static void raise_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void serve(const struct address *address)
{
	int server = open_server(address);
	char byte;

	for (;;) {
		int fd = accept_client(server, address);

		if (read_all(fd, &byte, 1))
			write_all(fd, &byte, 1);
	}
}

static void hold(const struct address *address, long count)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	char byte = 0;

	for (long i = 0; i < count; i++) {
		int fd = open_client(address);

		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		write_all(fd, &byte, 1);
		if (!read_all(fd, &byte, 1))
			errx(1, "the server closed");
	}
	puts("holding");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "usage: idle serve|hold ADDRESS [COUNT]");

	struct address address = parse_address(argv[2]);

	raise_limit();
	if (strcmp(argv[1], "serve") == 0)
		serve(&address);
	if (argc != 4)
		errx(2, "hold needs COUNT");
	hold(&address, atol(argv[3]));
	return 0;
}
