/*
 * Very many connections at once, held open: what they cost.
 *
 * usage: crowd [--connections N] [--processes N] [--seed N] [--stall SECONDS]
 *
 * --processes pairs of processes, a client and a server each (a process may hold few descriptors:
 * RLIMIT_NOFILE). Says {"command": "ready"}, then reads commands on stdin, a line each, and answers
 * each with one JSON line when all processes have done it:
 *
 *   open      every client makes its share of the connections, and its server accepts them
 *   exchange  one message each way on each connection, every byte checked
 *   close     every client resets its connections (no TIME_WAIT is left behind), and the servers
 *             close theirs
 *
 * Ends with 0 at the end of stdin, or with the codes of net.h: 2 wrong bytes, 3 a message that did
 * not come for --stall seconds (the end that waits is reported), 4 an error or an EOF that plain
 * TCP would not give.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "net.h"
#include "pattern.h"

enum { MESSAGE = 64, MOST = 32 };

struct message {
	uint64_t id; /* of the connection: the server learns it from here */
	unsigned char bytes[MESSAGE - 8];
};

struct member {
	pid_t pid;
	int orders, answers; /* this end of two pipes */
};

static uint64_t seed = 1, connections = 1000, stall_s = 10;
static unsigned processes = 1;

/* One member: what it knows of itself. */
static int *sockets, listener;
static unsigned share, me;
static uint16_t port;
static bool serves;
static unsigned round_number;

static void __attribute__((noreturn)) fault(int code, const char *what, unsigned i)
{
	int error = errno;

	flockfile(stderr);
	fprintf(stderr, "%s %u, connection %u of %u: %s (%s)\n", serves ? "server" : "client", me,
		i, share, what, strerror(error));
	report_socket(stderr, "this end", sockets[i]);
	funlockfile(stderr);
	_exit(code);
}

static uint64_t key(uint64_t id, bool from_server)
{
	return mix_of(seed, id, from_server, 80 + round_number);
}

static void send_message(unsigned i, uint64_t id)
{
	struct message m = {.id = id};

	pattern_fill(key(id, serves), 0, m.bytes, sizeof(m.bytes));
	if (send(sockets[i], &m, sizeof(m), MSG_NOSIGNAL) != sizeof(m))
		fault(EXIT_WRONG_END, "send", i);
}

static uint64_t receive_message(unsigned i)
{
	struct message m;
	size_t got = 0;

	errno = 0;
	while (got < sizeof(m)) {
		ssize_t n = recv(sockets[i], (char *)&m + got, sizeof(m) - got, 0);

		if (n < 0 && errno == EAGAIN)
			fault(EXIT_STUCK, "no message", i); /* SO_RCVTIMEO */
		if (n <= 0)
			fault(EXIT_WRONG_END, n ? "recv" : "EOF", i);
		got += (size_t)n;
	}
	if (pattern_check(key(m.id, !serves), 0, m.bytes, sizeof(m.bytes)) != sizeof(m.bytes))
		fault(EXIT_CORRUPT, "wrong bytes", i);
	return m.id;
}

static void open_all(void)
{
	for (unsigned i = 0; i < share; i++) {
		struct timeval patience = {.tv_sec = (time_t)stall_s};
		struct sockaddr_storage to;
		socklen_t len;

		if (serves) {
			sockets[i] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
			if (sockets[i] < 0)
				die("accept");
		} else {
			sockets[i] = client_socket(FAMILY_4, "127.0.0.1", port, 0, 0, &to, &len);
			if (connect(sockets[i], (struct sockaddr *)&to, len))
				die("connect");
		}
		if (setsockopt(sockets[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
			die("SO_RCVTIMEO");
	}
}

/* Clients first send on all connections, then read on all: the servers may take them in any order.
 */
static void exchange_all(void)
{
	round_number++;
	for (unsigned i = 0; i < share; i++)
		if (serves)
			send_message(i, receive_message(i));
		else
			send_message(i, (uint64_t)me * share + i);
	for (unsigned i = 0; i < share && !serves; i++)
		if (receive_message(i) != (uint64_t)me * share + i)
			fault(EXIT_CORRUPT, "another connection's answer", i);
}

static void close_all(void)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};

	for (unsigned i = 0; i < share; i++) {
		if (!serves && setsockopt(sockets[i], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)))
			die("SO_LINGER");
		close(sockets[i]);
	}
}

static void __attribute__((noreturn)) obey(int orders, int answers)
{
	char order;

	sockets = calloc(share, sizeof(*sockets));
	if (!sockets)
		die("calloc");
	while (read(orders, &order, 1) == 1) {
		if (order == 'o')
			open_all();
		else if (order == 'e')
			exchange_all();
		else
			close_all();
		if (write(answers, &order, 1) != 1)
			die("answer");
	}
	_exit(EXIT_FINE);
}

static void start(struct member *m)
{
	int down[2], up[2];

	if (pipe2(down, O_CLOEXEC) || pipe2(up, O_CLOEXEC))
		die("pipe");
	m->pid = fork();
	if (m->pid < 0)
		die("fork");
	if (!m->pid) {
		close(down[1]);
		close(up[0]);
		obey(down[0], up[1]);
	}
	close(down[0]);
	close(up[1]);
	m->orders = down[1];
	m->answers = up[0];
}

/* All members carry out the order at the same time. One that ended gives its exit code to the
 * whole. */
static void command(struct member *members, unsigned n, const char *name)
{
	uint64_t began = now_us();
	double seconds;
	char answer;
	int status;

	for (unsigned i = 0; i < n; i++)
		if (write(members[i].orders, name, 1) != 1)
			die("order");
	for (unsigned i = 0; i < n; i++)
		if (read(members[i].answers, &answer, 1) != 1) {
			waitpid(members[i].pid, &status, 0);
			exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED);
		}
	seconds = (double)(now_us() - began) / 1e6;
	printf("{\"command\": \"%s\", \"connections\": %llu, \"seconds\": %.4f, \"per_second\": "
	       "%.0f}\n",
	       name, (unsigned long long)connections, seconds, (double)connections / seconds);
	fflush(stdout);
}

static void parse(int argc, char **argv)
{
	static const struct option names[] = {
		{"connections", 1, 0, 'n'},
		{"processes", 1, 0, 'p'},
		{"seed", 1, 0, 's'},
		{"stall", 1, 0, 't'},
		{0, 0, 0, 0},
	};
	struct rlimit files;
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1)
		switch (c) {
		case 'n': connections = strtoull(optarg, NULL, 0); break;
		case 'p': processes = (unsigned)strtoul(optarg, NULL, 0); break;
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 't': stall_s = strtoull(optarg, NULL, 0); break;
		default: exit(EXIT_FAILED);
		}
	if (!processes || processes > MOST || connections % processes)
		exit(EXIT_FAILED);
	share = (unsigned)(connections / processes);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (share + 100 > files.rlim_max) {
		errno = EMFILE;
		die("%u connections a process", share);
	}
}

int main(int argc, char **argv)
{
	struct member members[2 * MOST];
	char line[64];

	parse(argc, argv);
	for (me = 0; me < processes; me++) {
		listener = listen_at(FAMILY_4, "127.0.0.1", 0, &port);
		serves = true;
		start(&members[2 * me]);
		close(listener);
		serves = false;
		start(&members[2 * me + 1]);
	}
	puts("{\"command\": \"ready\"}");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (strcmp(line, "open") && strcmp(line, "exchange") && strcmp(line, "close"))
			exit(EXIT_FAILED);
		command(members, 2 * processes, line);
	}
	for (unsigned i = 0; i < 2 * processes; i++)
		close(members[i].orders);
	for (unsigned i = 0; i < 2 * processes; i++)
		waitpid(members[i].pid, NULL, 0);
	return EXIT_FINE;
}
