"""Whatever else this machine does should not be measured: the benchmark goes first while it runs."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

FIRST = -20
#: Where the kernel groups processes by session, their nice value counts only within the session (sched(7)).
AUTOGROUP = Path("/proc/self/autogroup")


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """This process, and what it starts, takes precedence over others meanwhile."""
    own, group = os.getpriority(os.PRIO_PROCESS, 0), _group()
    os.setpriority(os.PRIO_PROCESS, 0, FIRST)
    if group is not None:
        AUTOGROUP.write_text(str(FIRST))
    try:
        yield
    finally:
        if group is not None:
            AUTOGROUP.write_text(str(group))
        os.setpriority(os.PRIO_PROCESS, 0, own)


def _group() -> int | None:
    """The nice value of this session, from ``/autogroup-6 nice 0``; None where sessions have none."""
    try:
        return int(AUTOGROUP.read_text().split()[-1])
    except (OSError, IndexError):
        return None
