/* SPDX-License-Identifier: Apache-2.0
 *
 * Connection set-up: connect, exchange single bytes, close; one after the other.
 *
 *   connect serve ADDRESS                        until killed
 *   connect ask   ADDRESS --exchanges COUNT
 */
#include "histogram.h"
#include "options.h"

static void serve(const struct options *options)
{
	int server = open_server(&options->address);
	char byte;

	for (;;) {
		int fd = accept_client(server, &options->address);

		while (read_all(fd, &byte, 1))
			write_all(fd, &byte, 1);
		close(fd);
	}
}

static uint64_t connect_for(const struct options *options, uint64_t ns, struct histogram *durations)
{
	uint64_t count = 0, start = now_ns(), end = start + ns;
	char byte = 0;

	do {
		int fd = open_client(&options->address);

		for (int i = 0; i < options->exchanges; i++) {
			write_all(fd, &byte, 1);
			if (!read_all(fd, &byte, 1))
				errx(1, "the server closed");
		}
		close(fd);

		uint64_t now = now_ns();

		record(durations, now - start);
		start = now;
		count++;
	} while (start < end);
	return count;
}

int main(int argc, char **argv)
{
	static struct histogram ignored, durations;
	struct options options = parse_options(argc, argv, "serve|ask");

	if (is_role(&options, "serve"))
		serve(&options);

	uint64_t warm = connect_for(&options, options.warm_ns, &ignored);
	uint64_t start = now_ns();
	uint64_t count = connect_for(&options, options.run_ns, &durations);
	uint64_t ns = now_ns() - start;

	printf("{\"messages\": %llu, \"connections\": %llu, \"done\": %llu, \"seconds\": %.9f, ",
	       2ull * options.exchanges * (warm + count), (unsigned long long)(warm + count),
	       (unsigned long long)count, ns / 1e9);
	print_histogram(&durations);
	puts("}");
	return 0;
}
