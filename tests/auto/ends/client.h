/* The clients: a conversation each, with signals, threads or processes where these are the hazard. */
#ifndef AUTO_CLIENT_H
#define AUTO_CLIENT_H

#include <signal.h>

#include "talking.h"

/* Fewer would not be worth hopping, and that is not what is tried here. */
#define LEAST_ROUNDS 4

struct conversation {
	struct side side, writer; /* the same socket; `writer` is for another thread or process */
	uint64_t plan;
	unsigned rounds;
};

static inline void ask_and_check(struct conversation *c)
{
	static struct message message;
	struct rng asked = {c->plan}, checked = {c->plan};

	for (unsigned round = 0; round < c->rounds; round++) {
		compose(&asked, &message, c->side.number, round);
		if (!give_message(&c->side, &message) || !take_message(&c->side, &message)) {
			if (c->side.ended)
				fault(&c->side, BROKEN);
			return;
		}
		check(&c->side, &checked, &message, round);
	}
}

/* Sends all and, at half of the connections, ends the sending; then waits until the reader is about to wait
 * for more, and shuts down what is left. */
static inline void *write_all(void *argument)
{
	static struct message message;
	struct conversation *c = argument;
	struct rng plan = {c->plan};

	for (unsigned round = 0; round < c->rounds; round++) {
		compose(&plan, &message, c->side.number, round);
		give_message(&c->writer, &message);
		dawdle(&c->writer);
	}
	if (rng_one_in(&c->writer.rng, 2))
		shutdown(c->side.fd, SHUT_WR);
	return NULL;
}

static inline void read_all(struct conversation *c)
{
	static struct message message;
	struct rng plan = {c->plan};

	for (unsigned round = 0; round < c->rounds; round++) {
		if (!take_message(&c->side, &message)) {
			if (c->side.ended)
				fault(&c->side, BROKEN);
			return;
		}
		check(&c->side, &plan, &message, round);
	}
}

static inline void *shut_down_later(void *argument)
{
	struct conversation *c = argument;

	dawdle(&c->writer);
	shutdown(c->side.fd, SHUT_RDWR);
	return NULL;
}

static inline void run_beside(void *(*other)(void *), struct conversation *c,
			      void (*body)(struct conversation *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, other, c))
		die("pthread_create");
	body(c);
	pthread_join(thread, NULL);
}

static inline void await_end(struct conversation *c)
{
	expect_end(&c->side);
}

/* The reader is a process of its own, as in many a program that copies both ways. */
static inline void read_in_child(struct conversation *c)
{
	pid_t child = fork();

	if (!child) {
		read_all(c);
		expect_end(&c->side);
		_exit(0);
	}
	write_all(c);
	shutdown(c->side.fd, SHUT_WR);
	waitpid(child, NULL, 0);
}

static volatile sig_atomic_t alarms;

static inline void count_alarm(int number)
{
	(void)number;
	alarms++;
}

/* Half of the connections have their calls restarted, the others look at EINTR. */
static inline void alarm_often(struct rng *rng)
{
	struct sigaction action = {.sa_handler = count_alarm, .sa_flags = rng_one_in(rng, 2) ? SA_RESTART : 0};
	long us = 200 + rng_below(rng, 1500);
	struct itimerval interval = {{0, us}, {0, us}};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &interval, NULL);
}

static inline void alarm_no_more(void)
{
	setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
}

static inline void write_small(struct conversation *c)
{
	static unsigned char bytes[SMALL_BYTES], back[SMALL_BYTES];

	pattern_fill(c->plan, 0, bytes, sizeof(bytes));
	offends(&c->side, SMALL_WRITES);
	if (!transmit_small(&c->side, bytes, sizeof(bytes)) || !read_plain(&c->side, back, sizeof(back)))
		fault(&c->side, BROKEN);
	else if (memcmp(bytes, back, sizeof(back)))
		fault(&c->side, CORRUPT);
}

static inline void converse(struct conversation *c)
{
	switch (c->side.hazard) {
	case THREADS:
		run_beside(write_all, c, read_all);
		run_beside(shut_down_later, c, await_end);
		break;
	case FORKS:
		read_in_child(c);
		break;
	case SMALL_WRITES:
		write_small(c);
		break;
	case SIGNALS:
		alarm_often(&c->side.rng);
		ask_and_check(c);
		alarm_no_more();
		break;
	default:
		ask_and_check(c);
	}
}

static inline void connect_and_converse(uint32_t number)
{
	static const struct linger reset = {.l_onoff = 1};
	struct rng rng = {mix_of(shared->seed, number, 1, 0)};
	struct sockaddr_storage to;
	socklen_t len;
	struct conversation c = {.plan = rng_next(&rng), .rounds = LEAST_ROUNDS + rng_below(&rng, shared->rounds)};
	int fd = client_socket(FAMILY_4, "127.0.0.1", shared->port, number, 0, &to, &len);

	start_connection(number);
	if (connect(fd, (struct sockaddr *)&to, len))
		die("connect");
	open_side(&c.side, fd, number, CLIENT, rng_next(&rng));
	open_side(&c.writer, fd, number, CLIENT, rng_next(&rng));
	converse(&c);
	if (shared->hazard == RESETS) {
		dawdle(&c.writer);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	}
	close_side(&c.side);
	end_connection();
	__atomic_fetch_add(&shared->finished, 1, __ATOMIC_RELAXED);
}

#endif
