/* The life of a connection between two blocking threads that talk by turns, drawn from the seed. */
#ifndef STRESS_TURNS_H
#define STRESS_TURNS_H

#include "plan.h"

enum turn_ending {
	TURN_SHUT,    /* speaker: send all, shut; listener: read to EOF, answer, close */
	TURN_COUNTED, /* the same without shutdown; the speaker closes when it has the answer */
	TURN_LISTENER_CLOSES, /* in the middle, with unread bytes, while the speaker is in send() */
	TURN_LISTENER_RESETS,
	TURN_SPEAKER_RESETS, /* in the middle, while the listener is in recv() */
	TURN_ENDINGS,
};

struct turns {
	enum turn_ending ending;
	unsigned speaker;
	uint32_t size, answer, mark; /* `mark`: bytes of `size` after which somebody leaves */
	unsigned stall_ms;	     /* before the listener reads */
	bool poll_first, nodelay;    /* poll(POLLIN) before each recv */
	int rcvbuf;
};

static inline struct turns draw_turns(uint64_t seed, uint64_t pair, uint64_t life)
{
	struct rng r = {mix_of(seed, pair, life, 50)};
	struct turns t = {
		.ending = (enum turn_ending)rng_below(&r, TURN_ENDINGS),
		.speaker = (unsigned)rng_below(&r, 2),
		.size = (uint32_t)rng_log(&r, 1, MOST_BYTES),
		.answer = draw_size(&r),
		.stall_ms = rng_one_in(&r, 4) ? 1 + (unsigned)rng_below(&r, 10) : 0,
		.poll_first = rng_one_in(&r, 2),
		.nodelay = rng_one_in(&r, 2),
		.rcvbuf = rng_one_in(&r, 4) ? (int)rng_log(&r, 32 << 10, 256 << 10) : 0,
	};

	if (t.ending == TURN_LISTENER_CLOSES || t.ending == TURN_LISTENER_RESETS)
		t.size *= 4;
	if (t.ending > TURN_COUNTED)
		t.rcvbuf = 0; /* plan.h says why */
	t.mark = (uint32_t)rng_below(&r, t.size);
	return t;
}

#endif
