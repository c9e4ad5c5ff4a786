// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* Who pays for what is unread. */
#ifndef SOCKHOP_MEMORY_H
#define SOCKHOP_MEMORY_H

#include "socket.h"

/* Of a cgroup and those above it. */
#define MOST_LEVELS 12

/* Whether less than an eighth is left of the memory that one of the receiver's cgroups may have (version 2). What it has
 * not read is charged to them. TCP may go beyond their limit, in softirq with GFP_ATOMIC; a hop is charged with
 * GFP_KERNEL (gfp_memcg_charge): at the limit it reclaims in the sender's context, then kills a process of the
 * receiver's, and the sender is told ENOMEM. Seen with 1 MB left, of which TCP took 0.1. */
INLINE bool is_near_limit(struct sock *sk, __u32 size)
{
	struct mem_cgroup *memory = sk->sk_memcg;
	struct page_counter *counter;

	if (!memory)
		return false;
	counter = &memory->memory;
	for (int level = 0; level < MOST_LEVELS && counter; level++) {
		if (counter->usage.counter + (size >> 12) >= counter->max - counter->max / 8)
			return true;
		counter = counter->parent;
	}
	return false;
}

#endif
