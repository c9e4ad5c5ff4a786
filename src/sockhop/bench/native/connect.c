/* SPDX-License-Identifier: Apache-2.0
 *
 * Connection set-up: connect, exchange EXCHANGES single bytes each way, close; one after the other.
 *
 *   connect serve ADDRESS                             until killed
 *   connect ask   ADDRESS EXCHANGES WARM_MS RUN_MS    prints {"messages", "connections", "seconds"}
 */
#include "net.h"

static void serve(const struct address *address)
{
	int server = open_server(address);
	char byte;

	for (;;) {
		int fd = accept_client(server, address);

		while (read_all(fd, &byte, 1))
			write_all(fd, &byte, 1);
		close(fd);
	}
}

static uint64_t connect_for(const struct address *address, int exchanges, uint64_t ns)
{
	uint64_t count = 0, end = now_ns() + ns;
	char byte = 0;

	do {
		int fd = open_client(address);

		for (int i = 0; i < exchanges; i++) {
			write_all(fd, &byte, 1);
			if (!read_all(fd, &byte, 1))
				errx(1, "the server closed");
		}
		close(fd);
		count++;
	} while (now_ns() < end);
	return count;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "usage: connect serve|ask ADDRESS [EXCHANGES WARM_MS RUN_MS]");

	struct address address = parse_address(argv[2]);

	if (strcmp(argv[1], "serve") == 0)
		serve(&address);
	if (argc != 6)
		errx(2, "ask needs EXCHANGES, WARM_MS and RUN_MS");

	int exchanges = atoi(argv[3]);
	uint64_t warm = connect_for(&address, exchanges, strtoull(argv[4], NULL, 10) * 1000000);
	uint64_t start = now_ns();
	uint64_t count = connect_for(&address, exchanges, strtoull(argv[5], NULL, 10) * 1000000);
	uint64_t ns = now_ns() - start;

	printf("{\"messages\": %llu, \"connections\": %llu, \"seconds\": %.9f}\n",
	       2ull * exchanges * (warm + count), (unsigned long long)count, ns / 1e9);
	return 0;
}
