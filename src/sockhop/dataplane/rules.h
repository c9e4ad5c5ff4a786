// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* The user's rules: the first that matches an end decides for it. */
#ifndef SOCKHOP_RULES_H
#define SOCKHOP_RULES_H

#include "maps.h"
#include "socket.h"

struct address {
	__u32 words[4]; /* as they stand in the packet; IPv4 is v4-mapped */
};

/* One end, as rules look at it. */
struct subject {
	__u64 cgroup; /* struct cgroup * */
	__u16 port;
	__u16 role;
	__u32 action; /* of the rule that matched: enum action */
	struct address local;
	struct address remote;
};

INLINE struct address address_of(__u16 family, const __u32 *ip4, const struct in6_addr *ip6)
{
	struct address address = { .words = { 0, 0, __builtin_bswap32(0xffff), 0 } };

	if (family == AF_INET6)
		bpf_probe_read_kernel(&address, sizeof(address), ip6);
	else
		bpf_probe_read_kernel(&address.words[3], sizeof(__u32), ip4);
	return address;
}

INLINE bool has_prefix(const struct address *address, const struct rule *rule)
{
	const __u32 *wanted = (const __u32 *)rule->address;
	__u32 left = rule->prefix, mask;

	for (int word = 0; word < 4; word++) {
		if (!left)
			return true;
		mask = left >= 32 ? ~0u : __builtin_bswap32(~0u << (32 - left));
		if ((address->words[word] ^ wanted[word]) & mask)
			return false;
		left -= left >= 32 ? 32 : left;
	}
	return true;
}

/* The id of the cgroup at this level (the root is 0) at or above the one at this address; 0: there is
 * none. By address, since a pointer to a kernel type takes no variable index. */
INLINE __u64 ancestor_id(__u64 cgroup, __u32 level)
{
	struct cgroup *type = NULL;
	struct kernfs_node *node_type = NULL;
	__u64 ancestor = 0, node = 0, id = 0;
	int own_level = 0;

	bpf_probe_read_kernel(&own_level, sizeof(own_level), (void *)(cgroup + field_offset(type, level)));
	if (own_level < (int)level)
		return 0;
	bpf_probe_read_kernel(&ancestor, sizeof(ancestor),
			      (void *)(cgroup + field_offset(type, ancestors) + level * sizeof(ancestor)));
	bpf_probe_read_kernel(&node, sizeof(node), (void *)(ancestor + field_offset(type, kn)));
	bpf_probe_read_kernel(&id, sizeof(id), (void *)(node + field_offset(node_type, id)));
	return id;
}

static long try_rule(__u32 index, struct subject *subject)
{
	struct rule *rule = bpf_map_lookup_elem(&rules, &index);

	if (!rule)
		return 1;
	if (!(rule->roles & (1 << (subject->role & 1))))
		return 0;
	if (subject->port < rule->first_port || subject->port > rule->last_port)
		return 0;
	if (rule->prefix && !has_prefix(&subject->local, rule) && !has_prefix(&subject->remote, rule))
		return 0;
	if (rule->cgroup && ancestor_id(subject->cgroup, rule->cgroup_level) != rule->cgroup)
		return 0;
	subject->action = rule->action;
	return 1;
}

/* Not inlined: most hosts have no rules. */
static __attribute__((noinline)) enum action ask_rules(struct subject *subject)
{
	subject->action = ACTION_LEARNED;
	bpf_loop(config.rules, try_rule, subject, 0);
	return subject->action;
}

/* `common` has the addresses: of `sk`, or of a request to it. */
INLINE enum action rule_for(struct sock *sk, struct sock_common *common, const struct class_key *class)
{
	struct subject subject = { .port = class->port, .role = class->role };

	if (!config.rules)
		return ACTION_LEARNED;
	bpf_probe_read_kernel(&subject.cgroup, sizeof(subject.cgroup), &sk->sk_cgrp_data.cgroup);
	subject.local = address_of(common->skc_family, &common->skc_rcv_saddr, &common->skc_v6_rcv_saddr);
	subject.remote = address_of(common->skc_family, &common->skc_daddr, &common->skc_v6_daddr);
	return ask_rules(&subject);
}

#endif
