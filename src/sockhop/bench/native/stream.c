/* SPDX-License-Identifier: Apache-2.0
 *
 * One-way stream of writes of SIZE bytes, read with a buffer of 64 KB or, for longer writes, their size.
 *
 *   stream serve ADDRESS --size BYTES [--rcvbuf BYTES]     reads, until killed
 *   stream ask   ADDRESS --size BYTES [--blocks]           writes
 *
 * The writer begins with the moments between which bytes count, and the reader counts those that it has
 * *read* between them: what still lies in a buffer was not transferred. Both have the clock of one kernel.
 * The writer waits for that count by poll(), as programs with a loop of events do, or in read(): a class of which one
 * does that after bulk is kept on the stack in auto mode.
 */
#include "options.h"
#include <poll.h>

#define LEAST (64 << 10)

struct window {
	uint64_t from, to; /* of now_ns() */
};

static void serve(const struct options *options)
{
	int server = open_server(&options->address);
	size_t size = options->size > LEAST ? options->size : LEAST;
	char *buffer = make_buffer(options, LEAST);

	for (;;) {
		int fd = accept_client(server, &options->address);
		struct window window;
		uint64_t count = 0;
		int answered = 0;
		ssize_t n;

		if (!read_all(fd, (char *)&window, sizeof(window)))
			errx(1, "the writer closed");
		while ((n = read(fd, buffer, size)) > 0) {
			uint64_t now = now_ns();

			if (now >= window.from && now < window.to)
				count += n;
			if (now < window.to || answered++)
				continue;
			write_all(fd, (char *)&count, sizeof(count));
		}
		if (n < 0)
			err(1, "read");
		close(fd);
	}
}

int main(int argc, char **argv)
{
	struct options options = parse_options(argc, argv, "serve|ask");

	if (is_role(&options, "serve"))
		serve(&options);

	int fd = open_client(&options.address);
	char *buffer = make_buffer(&options, 0);
	uint64_t from = now_ns() + options.warm_ns, count, writes = 0;
	struct window window = {.from = from, .to = from + options.run_ns};

	write_all(fd, (char *)&window, sizeof(window));
	for (int is_over = 0; !is_over; writes++) {
		is_over = now_ns() >= window.to; /* so that the reader gets a last write when it is */
		write_all(fd, buffer, options.size);
	}

	struct pollfd answer = {.fd = fd, .events = POLLIN};

	if (!options.blocks && poll(&answer, 1, -1) < 0)
		err(1, "poll");
	if (recv(fd, &count, sizeof(count), options.blocks ? 0 : MSG_DONTWAIT) != sizeof(count))
		errx(1, "the reader closed");
	printf("{\"messages\": %llu, \"done\": %llu, \"seconds\": %.9f, \"bytes_sent\": %llu, \"tcp_bytes_sent\": %lld}\n",
	       (unsigned long long)writes, (unsigned long long)count, options.run_ns / 1e9,
	       (unsigned long long)writes * options.size, tcp_bytes_sent(fd, &options.address));
	return 0;
}
