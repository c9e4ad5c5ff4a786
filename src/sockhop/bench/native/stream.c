/* SPDX-License-Identifier: Apache-2.0
 *
 * One-way stream of writes of SIZE bytes, read with a buffer of the same size.
 *
 *   stream sink ADDRESS SIZE                  reads, until killed
 *   stream pour ADDRESS SIZE WARM_MS RUN_MS   prints {"messages", "bytes", "seconds", "bytes_sent", "tcp_bytes_sent"}
 *
 * A burst is announced by its length and answered by one byte when the last byte was *read*, so bytes that
 * still lie in a buffer never count as transferred. The length of the measured burst follows from the
 * speed of the first, so that every arm runs for about the same time.
 */
#include "net.h"

static void sink(const struct address *address, char *buffer, size_t size)
{
	int server = open_server(address);

	for (;;) {
		int fd = accept_client(server, address);
		uint64_t left;

		while (read_all(fd, (char *)&left, sizeof(left))) {
			while (left) {
				ssize_t n = read(fd, buffer, left < size ? left : size);

				if (n <= 0)
					err(1, "read");
				left -= n;
			}
			write_all(fd, "", 1);
		}
		close(fd);
	}
}

static uint64_t pour(int fd, char *buffer, size_t size, uint64_t writes)
{
	uint64_t length = writes * size, start = now_ns();
	char answer;

	write_all(fd, (char *)&length, sizeof(length));
	for (uint64_t i = 0; i < writes; i++)
		write_all(fd, buffer, size);
	if (!read_all(fd, &answer, 1))
		errx(1, "the sink closed");
	return now_ns() - start;
}

/* Grows the burst until it lasts the wanted time; returns how many writes last about as long. */
static uint64_t calibrate(int fd, char *buffer, size_t size, uint64_t warm_ns, uint64_t run_ns, uint64_t *total)
{
	for (uint64_t writes = 16;; writes *= 2) {
		uint64_t ns = pour(fd, buffer, size, writes);

		*total += writes;
		if (ns >= warm_ns)
			return writes * run_ns / ns + 1;
	}
}

int main(int argc, char **argv)
{
	if (argc < 4)
		errx(2, "usage: stream sink|pour ADDRESS SIZE [WARM_MS RUN_MS]");

	struct address address = parse_address(argv[2]);
	size_t size = strtoul(argv[3], NULL, 10);
	char *buffer = calloc(1, size);

	if (strcmp(argv[1], "sink") == 0)
		sink(&address, buffer, size);
	if (argc != 6)
		errx(2, "pour needs WARM_MS and RUN_MS");

	int fd = open_client(&address);
	uint64_t total = 0;
	uint64_t writes = calibrate(fd, buffer, size, strtoull(argv[4], NULL, 10) * 1000000,
				    strtoull(argv[5], NULL, 10) * 1000000, &total);
	uint64_t ns = pour(fd, buffer, size, writes);

	printf("{\"messages\": %llu, \"bytes\": %llu, \"seconds\": %.9f, \"bytes_sent\": %llu, \"tcp_bytes_sent\": %lld}\n",
	       (unsigned long long)(total + writes), (unsigned long long)(writes * size), ns / 1e9,
	       (unsigned long long)(total + writes) * size, tcp_bytes_sent(fd, &address));
	return 0;
}
