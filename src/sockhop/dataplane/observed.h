// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* Which ends are observed, so that their class learns. That takes reads that are watched, and user space does without
 * while nothing learns, and without the guard while nothing hops: each read of the host would pay for it. */
#ifndef SOCKHOP_OBSERVED_H
#define SOCKHOP_OBSERVED_H

#include "maps.h"

INLINE bool or_missed(bool is_there)
{
	if (!is_there)
		__sync_fetch_and_add(&gauge.missed, 1);
	return is_there;
}

/* False, and told to user space, while reads are not watched. */
INLINE bool may_learn(void)
{
	return or_missed(config.watched);
}

/* The same of what hops. */
INLINE bool is_guarded(void)
{
	return or_missed(config.guarded);
}

/* A read and the close of a socket may both find that it is enough, on two CPUs: only one of them counts. */
INLINE void observe_no_more(struct end *end)
{
	if (__sync_val_compare_and_swap(&end->observed, 1, 0) == 1)
		__sync_fetch_and_add(&gauge.observed, -1);
}

/* User space first says that reads are no longer watched, then looks whether an end is observed, and only then stops:
 * either it sees this one, or this sees what it said. */
INLINE bool observe(struct end *end)
{
	end->observed = 1;
	__sync_fetch_and_add(&gauge.observed, 1);
	if (may_learn())
		return true;
	observe_no_more(end);
	end->is_over = 1; /* as if we had never met it */
	return false;
}

#endif
