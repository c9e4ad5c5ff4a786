/* The processes of a run: each is a client or a server, has one thread and blocks. Whose connection outlives the
 * deadline is killed. */
#ifndef AUTO_WORKERS_H
#define AUTO_WORKERS_H

#include <sys/prctl.h>

#include "client.h"

static int listener = -1;
static unsigned deadline_ms = 5000;

/* Returns the port, or 0 if somebody has it. */
static inline uint16_t listen_on(uint16_t port)
{
	struct sockaddr_storage at;
	socklen_t len = make_address(&at, "127.0.0.1", false, port);

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	set_int(listener, SOL_SOCKET, SO_REUSEADDR, 1);
	if (bind(listener, (struct sockaddr *)&at, len) || listen(listener, 4096) ||
	    getsockname(listener, (struct sockaddr *)&at, &len)) {
		if (errno != EADDRINUSE)
			die("bind and listen at port %u", port);
		close(listener);
		listener = -1;
		return 0;
	}
	return port_of(&at);
}

static inline void __attribute__((noreturn)) be_server(void)
{
	uint64_t seed = mix_of(shared->seed, mine - shared->slots, 0, 0);

	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			die("accept");
		serve(fd, mix64(seed++));
	}
}

static inline void __attribute__((noreturn)) be_client(void)
{
	uint32_t number;

	while ((number = __atomic_fetch_add(&shared->next, 1, __ATOMIC_RELAXED)) < shared->connections)
		connect_and_converse(number);
	_exit(0);
}

static inline void start_worker(struct slot *slot, enum end end)
{
	pid_t pid;

	*slot = (struct slot){.end = end, .number = -1};
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid) {
		slot->pid = pid;
		return;
	}
	mine = slot;
	/* A group of its own, for what it forks itself. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	if (end == SERVER)
		be_server();
	be_client();
}

static inline void end_worker(struct slot *slot)
{
	if (!slot->pid)
		return;
	kill(-slot->pid, SIGKILL);
	kill(slot->pid, SIGKILL);
	waitpid(slot->pid, NULL, 0);
	slot->pid = 0;
}

static inline void look_at(struct slot *slot)
{
	uint64_t started = __atomic_load_n(&slot->started_us, __ATOMIC_ACQUIRE);
	/* A server that has lost its client is given time to notice. */
	uint64_t limit = 1000ULL * (slot->end == SERVER ? deadline_ms + 500 : deadline_ms);
	enum end end = slot->end;

	if (!slot->pid || !started || now_us() < started + limit)
		return;
	note_fault(slot->number, STUCK);
	end_worker(slot);
	start_worker(slot, end);
}

static inline bool reap(void)
{
	bool running = false;

	for (struct slot *slot = shared->slots; slot < shared->slots + MAX_WORKERS; slot++) {
		int status;

		if (slot->pid && waitpid(slot->pid, &status, WNOHANG) == slot->pid) {
			if (status)
				die("a worker ended with status %x", status);
			slot->pid = 0;
		}
		look_at(slot);
		running |= slot->pid && slot->end == CLIENT;
	}
	return running;
}

/* A stop and its end wake a process out of any call: a debugger, a freezer and Ctrl-Z do the same. */
static inline void stop_someone(struct rng *rng)
{
	unsigned first = rng_below(rng, MAX_WORKERS);

	for (unsigned i = 0; i < MAX_WORKERS; i++) {
		struct slot *slot = &shared->slots[(first + i) % MAX_WORKERS];

		if (!slot->pid || !(slot->end & shared->end) || !slot->started_us)
			continue;
		kill(slot->pid, SIGSTOP);
		kill(slot->pid, SIGCONT);
		return;
	}
}

static inline void end_workers(void)
{
	for (unsigned i = 0; i < MAX_WORKERS; i++)
		end_worker(&shared->slots[i]);
}

#endif
