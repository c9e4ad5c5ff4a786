/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line that all measuring programs have: PROGRAM ROLE ADDRESS [OPTION ...].
 */
#pragma once

#include "net.h"
#include <getopt.h>

struct options {
	const char *role;
	struct address address;
	size_t size;		/* of a message, or of a write */
	size_t answer;		/* what a request is answered with: as many bytes, unless said otherwise */
	const char *request;	/* its content, where the server is not ours */
	long connections;
	int exchanges;		/* there and back, before a connection is closed */
	int burst;		/* messages that are written before an answer is awaited */
	int blocks;		/* in read(), for what comes after bulk */
	uint64_t warm_ns, run_ns;
};

static inline struct options parse_options(int argc, char **argv, const char *roles)
{
	static const struct option known[] = {
		{"size", required_argument, NULL, 's'},	      {"answer", required_argument, NULL, 'a'},
		{"request", required_argument, NULL, 'q'},    {"connections", required_argument, NULL, 'c'},
		{"exchanges", required_argument, NULL, 'e'},  {"warm-ms", required_argument, NULL, 'w'},
		{"run-ms", required_argument, NULL, 'r'},     {"nagle", no_argument, NULL, 'n'},
		{"burst", required_argument, NULL, 'b'},      {"blocks", no_argument, NULL, 'k'},
		{"rcvbuf", required_argument, NULL, 'v'},     {0},
	};
	struct options options = {.size = 1, .connections = 1, .burst = 1, .warm_ns = 50000000, .run_ns = 250000000};
	int nodelay = 1, rcvbuf = 0;

	for (int which; (which = getopt_long(argc, argv, "", known, NULL)) != -1;) {
		uint64_t number = optarg ? strtoull(optarg, NULL, 10) : 0;

		switch (which) {
		case 's': options.size = number; break;
		case 'a': options.answer = number; break;
		case 'q': options.request = optarg; break;
		case 'c': options.connections = number; break;
		case 'e': options.exchanges = number; break;
		case 'w': options.warm_ns = number * 1000000; break;
		case 'r': options.run_ns = number * 1000000; break;
		case 'n': nodelay = 0; break;
		case 'b': options.burst = number; break;
		case 'k': options.blocks = 1; break;
		case 'v': rcvbuf = number; break;
		default: exit(2);
		}
	}
	if (argc - optind != 2)
		errx(2, "usage: %s %s ADDRESS [OPTION ...]", argv[0], roles);
	options.role = argv[optind];
	options.address = parse_address(argv[optind + 1]);
	options.address.nodelay = nodelay;
	options.address.rcvbuf = rcvbuf;
	if (options.request)
		options.size = strlen(options.request);
	if (!options.answer)
		options.answer = options.size;
	return options;
}

static inline int is_role(const struct options *options, const char *role)
{
	return strcmp(options->role, role) == 0;
}

/* Room for the longest message, filled with the request if there is one. */
static inline char *make_buffer(const struct options *options, size_t least)
{
	size_t length = options->size > options->answer ? options->size : options->answer;
	char *buffer = calloc(1, length > least ? length : least);

	if (!buffer)
		err(1, "calloc");
	return buffer;
}
