"""What the kernel says when it has found a fault of its own."""

from __future__ import annotations

import re

FAULTS = re.compile(
    r"WARNING:|BUG:|Oops|general protection|refcount_t|blocked for more than|Kernel panic|Call Trace"
    r"|self-detected stall|detected stalls|soft lockup|hard LOCKUP|scheduling while atomic|UBSAN:|memory leak"
)


def faults(log: str) -> list[str]:
    """The lines that no kernel of which all is well would have written."""
    return [line.strip() for line in log.splitlines() if FAULTS.search(line)]
