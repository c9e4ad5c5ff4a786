/*
 * Connections with random lives, many at once, both ends in this process, every byte checked where
 * it must arrive.
 *
 * usage: churn [--seed N] [--connections N] [--workers N] [--at-once N] [--pairs N]
 *              [--family 4|6|mapped] [--address A] [--client-netns PATH] [--server-netns PATH]
 *              [--stall SECONDS] [--ending NAME] [--level]
 *
 * Workers (threads with an epoll each) take seven eighths of the connections, --at-once at a time;
 * --pairs of blocking threads the rest. plan.h draws the lives; --ending lets all end in one way,
 * --level leaves out edge-triggered ends. Prints one JSON line. Ends with 0, or with the codes of
 * net.h: 2 wrong bytes, 3 a connection in which nothing moves for --stall seconds (both ends are
 * reported), 4 an error or an EOF that plain TCP would not give.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <pthread.h>

#include "churn_blocking.h"
#include "churn_worker.h"

enum { MOST = 64 };

static struct options options = {
	.seed = 1,
	.connections = 30000,
	.workers = 2,
	.at_once = 64,
	.pairs = 2,
	.stall_s = 10,
	.only = -1,
};
static struct loop *worker[MOST];
static struct pair *pairs[MOST];
static pthread_t thread[MOST];

static void add(struct totals *to, const struct totals *from)
{
	to->connections += from->connections;
	to->bytes += from->bytes;
	to->corrupt += from->corrupt;
	to->wrong += from->wrong;
	for (int i = 0; i < ENDINGS; i++)
		to->endings[i] += from->endings[i];
	for (int i = 0; i < MOST_ERRNO; i++)
		to->errors[i] += from->errors[i];
	to->blocking += from->blocking;
	to->peeks += from->peeks;
	to->stalls += from->stalls;
	to->early += from->early;
	to->gone_early += from->gone_early;
	to->blocked_when_left += from->blocked_when_left;
	to->woken_by_shutdown += from->woken_by_shutdown;
	to->woken_by_reset += from->woken_by_reset;
	to->port_waits += from->port_waits;
	to->late_wakes += from->late_wakes;
	if (from->slowest_wake_us > to->slowest_wake_us)
		to->slowest_wake_us = from->slowest_wake_us;
}

static struct totals sum(void)
{
	struct totals all = {0};

	for (unsigned i = 0; i < options.workers; i++)
		add(&all, &worker[i]->w.totals);
	for (unsigned i = 0; i < options.pairs; i++)
		for (int side = 0; side < 2; side++)
			add(&all, &pairs[i]->talker[side].totals);
	return all;
}

static void field(const char *name, uint64_t value)
{
	printf("\"%s\": %llu, ", name, (unsigned long long)value);
}

static void print_totals(const struct totals *t, uint64_t took_us)
{
	const char *comma = "";

	printf("{");
	field("seed", options.seed);
	field("connections", t->connections);
	field("blocking", t->blocking);
	field("bytes", t->bytes);
	field("corrupt", t->corrupt);
	field("wrong", t->wrong);
	field("stuck", 0);
	field("early", t->early);
	field("gone_early", t->gone_early);
	field("peeks", t->peeks);
	field("stalls", t->stalls);
	field("blocked_when_left", t->blocked_when_left);
	field("slowest_wake_us", t->slowest_wake_us);
	field("late_wakes", t->late_wakes);
	field("woken_by_shutdown", t->woken_by_shutdown);
	field("woken_by_reset", t->woken_by_reset);
	field("port_waits", t->port_waits);
	printf("\"endings\": {");
	for (int i = 0; i < ENDINGS; i++)
		printf("%s\"%s\": %llu", i ? ", " : "", ending_names[i],
		       (unsigned long long)t->endings[i]);
	printf("}, \"errors\": {");
	for (int i = 0; i < MOST_ERRNO; i++)
		if (t->errors[i]) {
			printf("%s\"%s\": %llu", comma, strerrorname_np(i),
			       (unsigned long long)t->errors[i]);
			comma = ", ";
		}
	printf("}, \"seconds\": %.3f}\n", (double)took_us / 1e6);
}

static int ending_named(const char *name)
{
	for (int i = 0; i < ENDINGS; i++)
		if (!strcmp(name, ending_names[i]))
			return i;
	errno = EINVAL;
	die("%s", name);
}

static void parse(int argc, char **argv)
{
	static const struct option names[] = {
		{"ending", 1, 0, 'e'},
		{"level", 0, 0, 'l'},
		{"seed", 1, 0, 's'},
		{"connections", 1, 0, 'n'},
		{"workers", 1, 0, 'w'},
		{"at-once", 1, 0, 'o'},
		{"pairs", 1, 0, 'p'},
		{"family", 1, 0, 'f'},
		{"address", 1, 0, 'a'},
		{"stall", 1, 0, 't'},
		{"server-netns", 1, 0, 'S'},
		{"client-netns", 1, 0, 'C'},
		{0, 0, 0, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1)
		switch (c) {
		case 's': options.seed = strtoull(optarg, NULL, 0); break;
		case 'n': options.connections = strtoull(optarg, NULL, 0); break;
		case 'w': options.workers = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'o': options.at_once = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'p': options.pairs = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'f': options.family = parse_family(optarg); break;
		case 'a': options.address = optarg; break;
		case 't': options.stall_s = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'l': options.level = true; break;
		case 'e': options.only = ending_named(optarg); break;
		case 'S': options.server_netns = optarg; break;
		case 'C': options.client_netns = optarg; break;
		default: exit(EXIT_FAILED);
		}
	if (!options.workers || options.workers > MOST || options.pairs > MOST || !options.at_once)
		exit(EXIT_FAILED);
}

/* True when all is done. A worker whose loop does not turn is in a call that should not block. */
static bool watch(uint64_t quota)
{
	uint64_t now = now_us();
	struct totals all;

	for (unsigned i = 0; i < options.pairs; i++)
		if (pair_stuck(pairs[i], now))
			_exit(EXIT_STUCK);
	for (unsigned i = 0; i < options.workers; i++)
		if (worker[i]->w.beat &&
		    now > worker[i]->w.beat + 2 * options.stall_s * 1000000ULL) {
			fprintf(stderr, "stuck: worker %u is in a call that does not return\n", i);
			_exit(EXIT_STUCK);
		}
	all = sum();
	return all.connections == quota;
}

int main(int argc, char **argv)
{
	uint64_t began = now_us(), blocking, quota;
	struct totals all;
	int home = -1;

	parse(argc, argv);
	if (!options.address)
		options.address = loopback_of(options.family);
	blocking = options.pairs ? options.connections / 8 / options.pairs : 0;
	quota = (options.connections - blocking * options.pairs) / options.workers;
	if (options.server_netns)
		home = enter_netns(options.server_netns);
	for (unsigned i = 0; i < options.workers; i++)
		worker[i] = worker_new(&options, i, quota);
	for (unsigned i = 0; i < options.pairs; i++)
		pairs[i] = pair_new(&options, MOST + i, blocking);
	if (options.server_netns)
		leave_netns(home);
	for (unsigned i = 0; i < options.workers; i++)
		if (pthread_create(&thread[i], NULL, worker_run, worker[i]))
			die("pthread_create");
	for (unsigned i = 0; i < options.pairs; i++)
		pair_start(pairs[i]);
	while (!watch(quota * options.workers + blocking * options.pairs))
		poll(NULL, 0, 20);
	for (unsigned i = 0; i < options.workers; i++)
		pthread_join(thread[i], NULL);
	for (unsigned i = 0; i < options.pairs; i++)
		for (int side = 0; side < 2; side++)
			pthread_join(pairs[i]->thread[side], NULL);
	all = sum();
	print_totals(&all, now_us() - began);
	return all.corrupt ? EXIT_CORRUPT : all.wrong ? EXIT_WRONG_END : EXIT_FINE;
}
