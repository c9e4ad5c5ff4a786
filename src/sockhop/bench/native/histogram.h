/* SPDX-License-Identifier: Apache-2.0
 *
 * Durations, counted in buckets as HdrHistogram has them: 64 for each power of two, so that a bucket is at
 * most 1.6 % wide, whatever the duration.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#define PARTS 64
#define PARTS_BITS 6
#define BUCKETS ((64 - PARTS_BITS) * PARTS + PARTS)

struct histogram {
	uint64_t counts[BUCKETS];
	uint64_t max;
};

static inline void record(struct histogram *histogram, uint64_t ns)
{
	int shift = ns < PARTS ? 0 : 63 - __builtin_clzll(ns) - PARTS_BITS;

	histogram->counts[(uint64_t)shift * PARTS + (ns >> shift)]++;
	if (ns > histogram->max)
		histogram->max = ns;
}

/* {"max": NS, "buckets": [[NS, COUNT], ...]}, each bucket by its middle. */
static inline void print_histogram(const struct histogram *histogram)
{
	const char *separator = "";

	printf("\"latency\": {\"max\": %llu, \"buckets\": [", (unsigned long long)histogram->max);
	for (int i = 0; i < BUCKETS; i++) {
		int shift = i < PARTS ? 0 : i / PARTS - 1;
		uint64_t low = (uint64_t)(i - shift * PARTS) << shift;

		if (!histogram->counts[i])
			continue;
		printf("%s[%llu, %llu]", separator, (unsigned long long)(low + ((1ull << shift) >> 1)),
		       (unsigned long long)histogram->counts[i]);
		separator = ", ";
	}
	printf("]}");
}
