// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* The data plane: one object, a file a hook. */
#include "connections.bpf.h"
#include "send.bpf.h"
#include "queue.bpf.h"
#include "learn.bpf.h"
#include "takes.bpf.h"
#include "drain.bpf.h"
#include "discover.bpf.h"
#include "adopt.bpf.h"
#include "flows.bpf.h"
#include "owners.bpf.h"

/* To the kernel these programs are GPL: they call helpers that ask for it. */
char _license[] SEC("license") = "GPL";
