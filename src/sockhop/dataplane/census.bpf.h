// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* iter/sockmap: one cookie for each socket in the map, in every network namespace. */
#ifndef SOCKHOP_CENSUS_H
#define SOCKHOP_CENSUS_H

#include "maps.h"

SEC("iter/sockmap")
int sockhop_census(struct bpf_iter__sockmap *ctx)
{
	struct sock *sk = ctx->sk;
	__u64 cookie;

	if (!sk)
		return 0;
	cookie = sk->__sk_common.skc_cookie.counter;
	bpf_seq_write(ctx->meta->seq, &cookie, sizeof(cookie));
	return 0;
}

#endif
