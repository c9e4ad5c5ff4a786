/* SPDX-License-Identifier: Apache-2.0
 *
 * Many connections that do nothing, to weigh them.
 *
 *   idle serve ADDRESS            accepts and keeps everything; answers the first byte of each; until killed
 *   idle hold  ADDRESS --connections COUNT
 *                                 opens COUNT, one byte there and back on each, prints "holding", waits for
 *                                 the end of its stdin, and resets them all (a TIME_WAIT would weigh too)
 */
#include "options.h"

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
	struct options options = parse_options(argc, argv, "serve|hold");

	raise_limit();
	if (is_role(&options, "serve"))
		serve(&options.address);
	hold(&options.address, options.connections);
	return 0;
}
