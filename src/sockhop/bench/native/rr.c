/* SPDX-License-Identifier: Apache-2.0
 *
 * Request/response: one message of SIZE bytes there, one back, blocking, one connection.
 *
 *   rr serve ADDRESS SIZE                     echoes whole messages, one client at a time, until killed
 *   rr ask   ADDRESS SIZE WARM_MS RUN_MS      prints {"messages", "seconds", "tcp_bytes_sent", "bytes_sent"}
 */
#include "net.h"

static void serve(const struct address *address, char *buffer, size_t size)
{
	int server = open_server(address);

	for (;;) {
		int fd = accept_client(server, address);

		while (read_all(fd, buffer, size))
			write_all(fd, buffer, size);
		close(fd);
	}
}

/* Round trips made in a time, which is looked at only every 16th so that the clock costs nothing. */
static uint64_t ask_for(int fd, char *buffer, size_t size, uint64_t ns)
{
	uint64_t count = 0, end = now_ns() + ns;

	do {
		for (int i = 0; i < 16; i++) {
			write_all(fd, buffer, size);
			if (!read_all(fd, buffer, size))
				errx(1, "the server closed");
		}
		count += 16;
	} while (now_ns() < end);
	return count;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		errx(2, "usage: rr serve|ask ADDRESS SIZE [WARM_MS RUN_MS]");

	struct address address = parse_address(argv[2]);
	size_t size = strtoul(argv[3], NULL, 10);
	char *buffer = calloc(1, size);

	if (strcmp(argv[1], "serve") == 0)
		serve(&address, buffer, size);
	if (argc != 6)
		errx(2, "ask needs WARM_MS and RUN_MS");

	int fd = open_client(&address);
	uint64_t warm = ask_for(fd, buffer, size, strtoull(argv[4], NULL, 10) * 1000000);
	uint64_t start = now_ns();
	uint64_t trips = ask_for(fd, buffer, size, strtoull(argv[5], NULL, 10) * 1000000);
	uint64_t ns = now_ns() - start;

	printf("{\"messages\": %llu, \"trips\": %llu, \"seconds\": %.9f, \"bytes_sent\": %llu, \"tcp_bytes_sent\": %lld}\n",
	       2ull * (warm + trips), (unsigned long long)trips, ns / 1e9,
	       (unsigned long long)(warm + trips) * size, tcp_bytes_sent(fd, &address));
	return 0;
}
