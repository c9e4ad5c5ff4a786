/* SPDX-License-Identifier: Apache-2.0
 *
 * Request/response: one message there or a burst of several, one back, blocking, one connection.
 *
 *   rr serve ADDRESS --size BYTES [--burst COUNT]     answers with as many bytes, one client at a time, until killed
 *   rr ask   ADDRESS --size BYTES [--burst COUNT]     or --request TEXT --answer BYTES, of a server that is not ours
 */
#include "histogram.h"
#include "options.h"

static void serve(const struct options *options)
{
	int server = open_server(&options->address);
	size_t whole = options->burst * options->size;
	char *buffer = make_buffer(options, whole);

	for (;;) {
		int fd = accept_client(server, &options->address);

		while (read_all(fd, buffer, whole))
			write_all(fd, buffer, options->size);
		close(fd);
	}
}

/* Round trips made in a time. The clock is read once for each: its end is the beginning of the next. */
static uint64_t ask_for(const struct options *options, int fd, char *buffer, uint64_t ns, struct histogram *durations)
{
	const char *request = options->request ? options->request : buffer;
	uint64_t count = 0, start = now_ns(), end = start + ns;

	do {
		for (int i = 0; i < options->burst; i++)
			write_all(fd, request, options->size);
		if (!read_all(fd, buffer, options->answer))
			errx(1, "the server closed");

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

	int fd = open_client(&options.address);
	char *buffer = make_buffer(&options, 0);
	uint64_t warm = ask_for(&options, fd, buffer, options.warm_ns, &ignored);
	uint64_t start = now_ns();
	uint64_t trips = ask_for(&options, fd, buffer, options.run_ns, &durations);
	uint64_t ns = now_ns() - start;

	printf("{\"messages\": %llu, \"done\": %llu, \"seconds\": %.9f, \"bytes_sent\": %llu, \"tcp_bytes_sent\": %lld, ",
	       (1ull + options.burst) * (warm + trips), (unsigned long long)trips, ns / 1e9,
	       (unsigned long long)(warm + trips) * options.burst * options.size, tcp_bytes_sent(fd, &options.address));
	print_histogram(&durations);
	puts("}");
	return 0;
}
