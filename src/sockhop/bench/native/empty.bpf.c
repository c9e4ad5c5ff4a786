// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* What a program on the tracepoint of the guard takes that does nothing: see cases/guard.py. */
#include "../../dataplane/bpf.h"

SEC("tp_btf/tcp_rcv_space_adjust")
int empty(void)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
