/* SPDX-License-Identifier: Apache-2.0
 *
 * Request/response over many connections at once, each with one request under way, one thread and epoll at
 * each end.
 *
 *   many serve ADDRESS --size BYTES                        echoes whole messages, until killed
 *   many ask   ADDRESS --size BYTES --connections COUNT    or --request TEXT --answer BYTES
 *
 * A message must fit an empty send buffer: nobody here waits to write.
 */
#include "histogram.h"
#include "options.h"
#include <sys/epoll.h>

#define EVENTS 256

struct connection {
	int fd;
	size_t got;
	uint64_t sent_at;
};

static void watch(int epoll, int fd, void *who)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = who};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		err(1, "epoll_ctl");
}

static struct connection *connection_of(int fd)
{
	struct connection *made = calloc(1, sizeof(*made));

	if (!made)
		err(1, "calloc");
	made->fd = fd;
	return made;
}

/* 1: a whole message has come. 0: not yet. -1: the other end has closed. */
static int receive(struct connection *from, char *buffer, size_t size)
{
	ssize_t n = read(from->fd, buffer, size - from->got);

	if (n < 0)
		err(1, "read");
	if (n == 0)
		return -1;
	from->got += n;
	if (from->got < size)
		return 0;
	from->got = 0;
	return 1;
}

static void serve(const struct options *options)
{
	int server = open_server(&options->address), epoll = epoll_create1(0);
	char *buffer = make_buffer(options, 0);
	struct epoll_event events[EVENTS];

	watch(epoll, server, NULL);
	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			struct connection *from = events[i].data.ptr;

			if (!from) {
				int fd = accept_client(server, &options->address);

				watch(epoll, fd, connection_of(fd));
				continue;
			}

			int got = receive(from, buffer, options->size);

			if (got > 0) {
				write_all(from->fd, buffer, options->size);
			} else if (got < 0) {
				close(from->fd);
				free(from);
			}
		}
	}
}

static int wait_for_answers(int epoll, struct epoll_event *events)
{
	int count = epoll_wait(epoll, events, EVENTS, 10000);

	if (count == 0)
		errx(1, "no answer within 10 s");
	return count;
}

/* Round trips completed from one moment to another; requests go on being sent until the end. */
static uint64_t ask_for(const struct options *options, int epoll, char *buffer, uint64_t ns,
			struct histogram *durations)
{
	const char *request = options->request ? options->request : buffer;
	uint64_t trips = 0, now = now_ns(), end = now + ns;
	struct epoll_event events[EVENTS];

	while (now < end) {
		int count = wait_for_answers(epoll, events);

		for (int i = 0; i < count; i++) {
			struct connection *to = events[i].data.ptr;
			int got = receive(to, buffer, options->answer);

			if (got < 0)
				errx(1, "the server closed");
			now = now_ns();
			if (!got)
				continue;
			record(durations, now - to->sent_at);
			trips++;
			to->sent_at = now;
			write_all(to->fd, request, options->size);
		}
	}
	return trips;
}

/* Takes the last answers: who leaves without them resets the connections. */
static void settle(const struct options *options, int epoll, char *buffer)
{
	struct epoll_event events[EVENTS];

	for (long left = options->connections; left;) {
		int count = wait_for_answers(epoll, events);

		for (int i = 0; i < count; i++)
			left -= receive(events[i].data.ptr, buffer, options->answer) != 0;
	}
}

int main(int argc, char **argv)
{
	static struct histogram ignored, durations;
	struct options options = parse_options(argc, argv, "serve|ask");

	raise_limit();
	if (is_role(&options, "serve"))
		serve(&options);

	int epoll = epoll_create1(0);
	char *buffer = make_buffer(&options, 0);
	struct connection **all = calloc(options.connections, sizeof(*all));

	for (long i = 0; i < options.connections; i++) {
		all[i] = connection_of(open_client(&options.address));
		watch(epoll, all[i]->fd, all[i]);
	}
	for (long i = 0; i < options.connections; i++) {
		all[i]->sent_at = now_ns();
		write_all(all[i]->fd, options.request ? options.request : buffer, options.size);
	}

	uint64_t warm = ask_for(&options, epoll, buffer, options.warm_ns, &ignored);
	uint64_t start = now_ns();
	uint64_t trips = ask_for(&options, epoll, buffer, options.run_ns, &durations);
	uint64_t ns = now_ns() - start;

	settle(&options, epoll, buffer);

	uint64_t requests = warm + trips + options.connections;
	long long tcp_bytes = 0;

	for (long i = 0; i < options.connections && tcp_bytes >= 0; i++) {
		long long bytes = tcp_bytes_sent(all[i]->fd, &options.address);

		tcp_bytes = bytes < 0 ? bytes : tcp_bytes + bytes;
	}
	printf("{\"messages\": %llu, \"done\": %llu, \"seconds\": %.9f, \"bytes_sent\": %llu, \"tcp_bytes_sent\": %lld, ",
	       2ull * requests, (unsigned long long)trips, ns / 1e9, (unsigned long long)requests * options.size,
	       tcp_bytes);
	print_histogram(&durations);
	puts("}");
	return 0;
}
