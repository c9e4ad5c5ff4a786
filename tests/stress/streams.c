/*
 * Many bidirectional TCP streams at once, every byte checked by its position, both ends in this
 * process.
 *
 * usage: streams [--seed N] [--streams N] [--bytes N] [--load steady|random|switching]
 *                [--reader blocking|level|edge] [--family 4|6|mapped] [--address A]
 *                [--client-netns PATH] [--server-netns PATH] [--stall SECONDS]
 *
 * Each direction carries between bytes/8 and bytes; one in eight carries nothing. Sizes, pauses and
 * kinds of reader follow from the seed alone. Prints one JSON line. Ends with 0, or with the codes
 * of net.h: 2 a corrupt byte, 3 no progress for --stall seconds (both ends of the connection are
 * reported), 4 an error or an EOF that plain TCP would not give.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <pthread.h>

#include "stream.h"
#include "stream_blocking.h"
#include "stream_epoll.h"

static struct options options = {
	.seed = 1, .bytes = 8 << 20, .streams = 16, .stall_s = 10, .load = RANDOM, .only = -1};
static struct stream *streams;
static unsigned threads;
static pthread_t thread[4 << 10];

/* Threads may find faults at the same time: the first one reports, the others wait for the end
 * here. */
void report_stream(unsigned stream, int code)
{
	static atomic_flag reporting = ATOMIC_FLAG_INIT;

	if (atomic_flag_test_and_set(&reporting))
		for (;;)
			pause();
	for (int side = 0; side < 2; side++) {
		struct end *e = &streams[stream].end[side];
		char label[64];

		snprintf(label, sizeof(label), "%s (%s, received %llu of %llu)", side_names[side],
			 reader_names[e->reader], (unsigned long long)e->in->received,
			 (unsigned long long)e->in->total);
		report_socket(stderr, label, e->fd);
	}
	fprintf(stderr, "  seed %llu\n", (unsigned long long)options.seed);
	_exit(code);
}

/*
 * A buffer of its own size. One smaller than a loopback segment (64 KB) makes plain TCP advance by
 * its timers (delayed ACK, zero-window probe), some 50 KB/s, so such a direction carries less.
 */
static void set_buffer(int fd, int which, struct flow *f, struct rng *rng)
{
	int size = (int)rng_log(rng, 4 << 10, 1 << 20);

	set_int(fd, SOL_SOCKET, which, size);
	if (size < 64 << 10 && f->total > 64 << 10)
		f->total = 64 << 10;
}

/* Draws a connection from the seed, and makes it. */
static void open_stream(unsigned i, int listener, uint16_t port)
{
	struct stream *s = &streams[i];
	struct rng rng = {mix_of(options.seed, i, 0, 1)};
	bool switching = options.load == SWITCHING, one_way;
	struct sockaddr_storage to;
	socklen_t len;
	int fd[2];

	fd[CLIENT] = client_socket(options.family, options.address, port, i, 0, &to, &len);
	if (connect(fd[CLIENT], (struct sockaddr *)&to, len))
		die("connect");
	fd[SERVER] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd[SERVER] < 0)
		die("accept");
	for (int side = 0; side < 2; side++) {
		s->flow[side].key = mix_of(options.seed, i, (uint64_t)side, 2);
		s->flow[side].total =
			options.bytes / 8 + rng_below(&rng, options.bytes - options.bytes / 8 + 1);
	}
	one_way = rng_one_in(&rng, 4);
	if (one_way)
		s->flow[rng_below(&rng, 2)].total = 0;
	for (int side = 0; side < 2; side++) {
		struct end *e = &s->end[side];

		*e = (struct end){
			.fd = fd[side],
			.side = side,
			.stream = i,
			.reader = options.only >= 0 ? (enum reader)options.only
						    : rng_below(&rng, READER_KINDS),
			.out = &s->flow[side],
			.in = &s->flow[!side],
			.writes = {.rng = {mix_of(options.seed, i, (uint64_t)side, 3)},
				   .load = options.load},
			.reads = {mix_of(options.seed, i, (uint64_t)side, 4)},
			.shuts_late = one_way || !rng_one_in(&rng, 4),
			.pause_one_in = switching ? 8 : 16,
			.pause_ms = switching ? 5 : 20,
		};
		/* A burst leaves the hops only where Nagle is on. */
		set_int(fd[side], IPPROTO_TCP, TCP_NODELAY,
			options.load == STEADY ||
				(switching ? rng_one_in(&rng, 4) : rng_one_in(&rng, 2)));
		if (switching) /* soon full */
			set_int(fd[side], SOL_SOCKET, SO_RCVBUF,
				(int)rng_log(&rng, 64 << 10, 256 << 10));
		else if (options.load == RANDOM && rng_one_in(&rng, 4))
			set_buffer(fd[side], SO_RCVBUF, &s->flow[!side], &rng);
		if (options.load == RANDOM && rng_one_in(&rng, 4))
			set_buffer(fd[side], SO_SNDBUF, &s->flow[side], &rng);
	}
}

static void start(void *(*run)(void *), struct end *e)
{
	if (pthread_create(&thread[threads++], NULL, run, e))
		die("pthread_create");
}

/*
 * True when all is done; ends the program when some connection has not moved for too long. (One
 * direction alone may rest: an end may shut only when the other direction is through.)
 */
static bool watch(uint64_t *moved, uint64_t *seen)
{
	uint64_t now = now_us();
	bool done = true;

	for (unsigned i = 0; i < options.streams * 2; i++) {
		struct flow *f = &streams[i / 2].flow[i % 2];
		struct flow *other = &streams[i / 2].flow[!(i % 2)];
		uint64_t at = f->sent + f->received + other->sent + other->received;

		if (f->ended)
			continue;
		done = false;
		if (at != seen[i] || !moved[i]) {
			seen[i] = at;
			moved[i] = now;
		} else if (now - moved[i] > options.stall_s * 1000000ULL) {
			fprintf(stderr,
				"stuck: stream %u, %s to %s, sent %llu, received %llu, of %llu\n",
				i / 2, side_names[i % 2], side_names[!(i % 2)],
				(unsigned long long)f->sent, (unsigned long long)f->received,
				(unsigned long long)f->total);
			report_stream(i / 2, EXIT_STUCK);
		}
	}
	return done;
}

static void field(const char *name, uint64_t value)
{
	printf("\"%s\": %llu, ", name, (unsigned long long)value);
}

static void print_totals(uint64_t took_us)
{
	struct end all = {0};
	uint64_t bytes = 0, ends[READER_KINDS] = {0};

	for (unsigned i = 0; i < options.streams * 2; i++) {
		struct end *e = &streams[i / 2].end[i % 2];

		bytes += e->in->received;
		ends[e->reader]++;
		all.n_writes += e->n_writes;
		all.n_reads += e->n_reads;
		all.n_pauses += e->n_pauses;
		all.n_short += e->n_short;
		all.n_woken_by_shutdown += e->n_woken_by_shutdown;
		all.n_woken_by_space += e->n_woken_by_space;
		all.n_woken_else += e->n_woken_else;
	}
	printf("{");
	field("seed", options.seed);
	field("streams", options.streams);
	field("bytes", bytes);
	field("writes", all.n_writes);
	field("reads", all.n_reads);
	field("pauses", all.n_pauses);
	field("short_reads", all.n_short);
	field("woken_by_shutdown", all.n_woken_by_shutdown);
	field("woken_by_space", all.n_woken_by_space);
	field("woken_else", all.n_woken_else);
	for (int i = 0; i < READER_KINDS; i++)
		field(reader_names[i], ends[i]);
	printf("\"corrupt\": 0, \"stuck\": 0, \"seconds\": %.3f}\n", (double)took_us / 1e6);
}

/* The index of the option's argument among the names. */
static int choice(const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(optarg, names[i]))
			return i;
	errno = EINVAL;
	die("%s", optarg);
}

static void parse(int argc, char **argv)
{
	static const char *const load_names[] = {"steady", "random", "switching"};
	static const struct option names[] = {
		{"seed", 1, 0, 's'},	     {"streams", 1, 0, 'n'}, {"bytes", 1, 0, 'b'},
		{"family", 1, 0, 'f'},	     {"address", 1, 0, 'a'}, {"stall", 1, 0, 't'},
		{"load", 1, 0, 'l'},	     {"reader", 1, 0, 'r'},  {"server-netns", 1, 0, 'S'},
		{"client-netns", 1, 0, 'C'}, {0, 0, 0, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1)
		switch (c) {
		case 's': options.seed = strtoull(optarg, NULL, 0); break;
		case 'n': options.streams = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'b': options.bytes = strtoull(optarg, NULL, 0); break;
		case 'f': options.family = parse_family(optarg); break;
		case 'a': options.address = optarg; break;
		case 't': options.stall_s = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'l': options.load = (enum load)choice(load_names, 3); break;
		case 'S': options.server_netns = optarg; break;
		case 'C': options.client_netns = optarg; break;
		case 'r': options.only = choice(reader_names, READER_KINDS); break;
		default: exit(EXIT_FAILED);
		}
	if (!options.streams || options.streams > sizeof(thread) / sizeof(thread[0]) / 4)
		exit(EXIT_FAILED);
}

int main(int argc, char **argv)
{
	uint64_t *moved, *seen, began;
	int listener, home = -1;
	uint16_t port;

	parse(argc, argv);
	if (!options.address)
		options.address = loopback_of(options.family);
	streams = calloc(options.streams, sizeof(*streams));
	moved = calloc(options.streams * 2, sizeof(*moved));
	seen = calloc(options.streams * 2, sizeof(*seen));
	if (!streams || !moved || !seen)
		die("calloc");
	if (options.server_netns)
		home = enter_netns(options.server_netns);
	listener = listen_at(options.family, options.address, 0, &port);
	if (options.server_netns)
		leave_netns(home);
	if (options.client_netns)
		enter_netns(options.client_netns);
	for (unsigned i = 0; i < options.streams; i++)
		open_stream(i, listener, port);
	began = now_us();
	for (unsigned i = 0; i < options.streams * 2; i++) {
		struct end *e = &streams[i / 2].end[i % 2];

		if (e->reader == READER_BLOCKING) {
			start(blocking_writer, e);
			start(blocking_reader, e);
		} else {
			start(epoll_end, e);
		}
	}
	while (!watch(moved, seen))
		poll(NULL, 0, 50);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	print_totals(now_us() - began);
	return EXIT_FINE;
}
