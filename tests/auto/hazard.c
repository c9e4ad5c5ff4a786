/*
 * Clients and servers of which one end offends: it does what a socket in a sockmap cannot.
 *
 * hazard [--listen PORT] [--connect PORT] [--seed N] [--deadline MS] [--give-up N] [--rounds N]
 *        [--min-size N] [--max-size N]
 *
 * prints the port of its server, then takes orders on standard input. Each is answered with a line:
 *
 *   CONNECTIONS AT_ONCE HAZARD server|client|both all|once    the results, in JSON
 *   fresh PORT SEED    "yes", with a new server and so new classes; "no" if PORT is taken
 *
 * Each end of a connection is a process with one thread, and blocks. No connection outlives the deadline:
 * its process is killed, and counted as stuck. After --give-up of these, or of calls that wait in vain,
 * the order is done. --listen 0 takes a free port, --listen -1 makes no server.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <getopt.h>

#include "ends/stamps.h"
#include "ends/workers.h"

static unsigned give_up = UINT32_MAX;

static void report(void)
{
	int64_t first = -1, last = -1, faulty = 0;

	for (int64_t i = 0; i < MAX_CONNECTIONS; i++)
		if (shared->faults[i]) {
			first = first < 0 ? i : first;
			last = i;
			faulty++;
		}
	printf("{\"connections\": %u, \"bytes\": %llu, \"offences\": %llu", shared->finished,
	       (unsigned long long)shared->bytes, (unsigned long long)shared->offences);
	printf(", \"first\": %lld, \"last\": %lld, \"faulty\": %lld", (long long)first, (long long)last,
	       (long long)faulty);
	for (unsigned i = 0; i < FAULTS; i++)
		printf(", \"%s\": %llu", fault_names[i], (unsigned long long)shared->counts[i]);
	printf("}\n");
	fflush(stdout);
}

static void obey(unsigned at_once)
{
	struct rng rng = {shared->seed};
	sigset_t children;

	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	shared->next = shared->finished = shared->bytes = shared->offences = 0;
	memset(shared->counts, 0, sizeof(shared->counts));
	memset(shared->faults, 0, sizeof(shared->faults));
	if (shared->hazard == TIMESTAMPS)
		want_stamps();
	for (unsigned i = 0; listener >= 0 && i < at_once + 2; i++)
		if (!shared->slots[i].pid)
			start_worker(&shared->slots[i], SERVER);
	for (unsigned i = 0; i < at_once; i++)
		start_worker(&shared->slots[MAX_WORKERS - 1 - i], CLIENT);
	while (reap() && shared->counts[STUCK] + shared->counts[LOST] < give_up) {
		struct timespec t = {.tv_nsec = shared->hazard == STOPS ? 300000 : 5000000};

		sigtimedwait(&children, NULL, &t);
		if (shared->hazard == STOPS)
			stop_someone(&rng);
	}
	for (unsigned i = 0; i < MAX_WORKERS; i++)
		if (shared->slots[i].end == CLIENT || shared->counts[STUCK])
			end_worker(&shared->slots[i]);
	report();
}

static enum hazard hazard_named(const char *name)
{
	for (unsigned i = 0; i < HAZARDS; i++)
		if (!strcmp(hazard_names[i], name))
			return i;
	errno = EINVAL;
	die("no such hazard: %s", name);
}

static void start_afresh(uint16_t port, uint64_t seed)
{
	end_workers();
	if (listener >= 0)
		close(listener);
	shared->seed = seed;
	shared->port = listen_on(port);
	printf("%s\n", shared->port ? "yes" : "no");
	fflush(stdout);
}

static void read_orders(void)
{
	char line[256], hazard[32], end[32], when[32];
	unsigned at_once, port;
	unsigned long seed;

	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "fresh %u %lu", &port, &seed) == 2) {
			start_afresh(port, seed);
			continue;
		}
		if (sscanf(line, "%u %u %31s %31s %31s", &shared->connections, &at_once, hazard, end, when) != 5 ||
		    shared->connections > MAX_CONNECTIONS || at_once > MAX_WORKERS / 2 - 2)
			die("not an order: %s", line);
		shared->hazard = hazard_named(hazard);
		shared->end = !strcmp(end, "server") ? SERVER : !strcmp(end, "client") ? CLIENT : BOTH;
		shared->once = !strcmp(when, "once");
		obey(at_once);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"listen", required_argument, NULL, 'l'},  {"connect", required_argument, NULL, 'c'},
		{"seed", required_argument, NULL, 's'},	   {"deadline", required_argument, NULL, 'd'},
		{"give-up", required_argument, NULL, 'g'}, {"rounds", required_argument, NULL, 'r'},
		{"max-size", required_argument, NULL, 'm'}, {"min-size", required_argument, NULL, 'n'}, {0},
	};
	int listen_port = 0, option;
	sigset_t children;

	share();
	shared->rounds = 4;
	shared->min_size = 1;
	shared->max_size = 1 << 16;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		long number = strtol(optarg ? optarg : "", NULL, 10);

		switch (option) {
		case 'l':
			listen_port = number;
			break;
		case 'c':
			shared->port = number;
			break;
		case 's':
			shared->seed = number;
			break;
		case 'd':
			deadline_ms = number;
			break;
		case 'g':
			give_up = number;
			break;
		case 'r':
			shared->rounds = number;
			break;
		case 'n':
			shared->min_size = number;
			break;
		case 'm':
			shared->max_size = number;
			break;
		default:
			return EXIT_FAILED;
		}
	}
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, NULL);
	if (listen_port >= 0) {
		uint16_t port = listen_on(listen_port);

		if (!port)
			die("listen at port %d", listen_port);
		if (!shared->port)
			shared->port = port;
	}
	printf("%u\n", shared->port);
	fflush(stdout);
	read_orders();
	end_workers();
	return EXIT_FINE;
}
