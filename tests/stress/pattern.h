/*
 * Position-dependent bytes: each is a function of the stream's key and its offset, so that a byte
 * that is lost, doubled, overtaken or another stream's is seen on arrival. One 64-bit mix makes
 * eight of them.
 */
#ifndef STRESS_PATTERN_H
#define STRESS_PATTERN_H

#include <stddef.h>
#include <string.h>

#include "random.h"

static inline uint64_t pattern_word(uint64_t key, uint64_t index)
{
	return mix64(key + index * 0x9e3779b97f4a7c15ULL);
}

static inline unsigned char pattern_byte(uint64_t key, uint64_t offset)
{
	uint64_t word = pattern_word(key, offset / 8);
	unsigned char bytes[8];

	memcpy(bytes, &word, 8);
	return bytes[offset % 8];
}

static inline void pattern_fill(uint64_t key, uint64_t offset, unsigned char *out, size_t n)
{
	size_t i = 0;

	for (; i < n && (offset + i) % 8; i++)
		out[i] = pattern_byte(key, offset + i);
	for (; i + 8 <= n; i += 8) {
		uint64_t word = pattern_word(key, (offset + i) / 8);

		memcpy(out + i, &word, 8);
	}
	for (; i < n; i++)
		out[i] = pattern_byte(key, offset + i);
}

/* The index of the first wrong byte, or n when all are right. */
static inline size_t pattern_check(uint64_t key, uint64_t offset, const unsigned char *in, size_t n)
{
	size_t i = 0;

	for (; i < n && (offset + i) % 8; i++)
		if (in[i] != pattern_byte(key, offset + i))
			return i;
	for (; i + 8 <= n; i += 8) {
		uint64_t word = pattern_word(key, (offset + i) / 8);

		if (memcmp(in + i, &word, 8))
			break;
	}
	for (; i < n; i++)
		if (in[i] != pattern_byte(key, offset + i))
			return i;
	return n;
}

/*
 * Where in the stream the n bytes (8 at least) really belong: an offset below `end`, or -1. It
 * tells doubled bytes (an offset before the expected one) from overtaken or lost ones (after it)
 * and from bytes of another stream (-1).
 */
static inline int64_t pattern_find(uint64_t key, uint64_t end, const unsigned char *in, size_t n)
{
	unsigned char probe[8];

	if (n < 8)
		return -1;
	for (uint64_t offset = 0; offset < end; offset++) {
		if (in[0] != pattern_byte(key, offset))
			continue;
		pattern_fill(key, offset, probe, 8);
		if (!memcmp(probe, in, 8))
			return (int64_t)offset;
	}
	return -1;
}

#endif
