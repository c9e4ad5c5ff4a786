// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* What stands in place of sockhop_send to see what its rule takes: every message hops. It finds the ends in sockhop's
 * maps, and counts as that does, but in a map of its own: so it shows which of the two was called. See cases/rule.py. */
#include "../../dataplane/account.h"

SEC("sk_msg")
int unruled(struct sk_msg_md *msg)
{
	struct traffic *counter = counters();
	struct bpf_sock *sk = msg->sk;
	struct end *end = sk ? bpf_sk_storage_get(&ends, sk, NULL, 0) : NULL;

	if (end && counter && bpf_msg_redirect_hash(msg, &sockets, &end->pair, BPF_F_INGRESS) == SK_PASS)
		counter->messages[OUTCOME_HOP]++;
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
