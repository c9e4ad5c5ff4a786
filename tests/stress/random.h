/* Seeded random numbers: the same seed draws the same plans, whatever the threads do. */
#ifndef STRESS_RANDOM_H
#define STRESS_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

/* The finaliser of splitmix64: every output bit depends on every input bit. */
static inline uint64_t mix64(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* One number out of four: for the keys of streams and the seeds of generators. */
static inline uint64_t mix_of(uint64_t seed, uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t x = mix64(seed + 0x9e3779b97f4a7c15ULL);

	x = mix64(x ^ (a + 0xd1b54a32d192ed03ULL));
	x = mix64(x ^ (b + 0x8cb92ba72f3d8dd7ULL));
	return mix64(x ^ (c + 0xaaaaaaaaaaaaaaabULL));
}

static inline uint64_t rng_next(struct rng *r)
{
	r->state += 0x9e3779b97f4a7c15ULL;
	return mix64(r->state);
}

/* Uniform in [0, n); n > 0. The bias of the modulo does not matter for sizes this small. */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
	return rng_next(r) % n;
}

static inline bool rng_one_in(struct rng *r, uint64_t n)
{
	return rng_below(r, n) == 0;
}

/* Log-uniform in [low, high]: a power of two first, then a value within it. low >= 1. */
static inline uint64_t rng_log(struct rng *r, uint64_t low, uint64_t high)
{
	unsigned first = 63 - __builtin_clzll(low), last = 63 - __builtin_clzll(high);
	uint64_t base = 1ULL << (first + rng_below(r, last - first + 1));
	uint64_t value = base + rng_below(r, base);

	return value < low ? low : value > high ? high : value;
}

#endif
