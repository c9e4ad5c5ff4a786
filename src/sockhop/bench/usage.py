"""What a sample cost: CPU time of both ends and of everything else, context switches, memory."""

import os
import resource
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sockhop.kernel.cgroups import pids

_TICK = os.sysconf("SC_CLK_TCK")
#: Of the line ``cpu`` in /proc/stat: user, nice, system, irq and softirq. Neither idle nor stolen.
_BUSY = (1, 2, 3, 6, 7)


@dataclass(frozen=True)
class Usage:
    """While the client of a sample ran."""

    user: float
    system: float
    """CPU seconds of all processes of both ends, the kernel's work for them included."""
    elsewhere: float
    """CPU seconds of everything else, most of all the kernel's own threads.

    In ticks of 10 ms, less what is known exactly: it may be below 0, and counts for all samples together.
    """
    switches: int | None
    """Context switches of both ends; None where processes of the server come and go, which take theirs along."""
    resident: int | None
    """Bytes: the peaks of the server's processes, added up. What they share counts as often as they are."""


class Meter:
    """Reads the cgroups of both ends when it is made, and again in the end."""

    def __init__(self, cgroups: Sequence[Path]) -> None:
        self._cgroups = cgroups
        self._switches = _switches(cgroups)
        self._busy = _busy()
        self._user, self._system = _cpu(cgroups)

    def read(self, client: resource.struct_rusage) -> Usage:
        """What was used since; ``client`` is the one that has ended."""
        user, system = _cpu(self._cgroups)
        user, system = user - self._user, system - self._system
        switches = client.ru_nvcsw + client.ru_nivcsw
        switches += sum(count - self._switches.get(task, 0) for task, count in _switches(self._cgroups).items())
        return Usage(
            user=user,
            system=system,
            elsewhere=_busy() - self._busy - user - system,
            switches=switches,
            # The client's own would be that of the Python it was forked from (setmax_mm_hiwater_rss()).
            resident=sum(_peaks(self._cgroups)),
        )


def _cpu(cgroups: Sequence[Path]) -> tuple[float, float]:
    stats = [dict(map(str.split, (cgroup / "cpu.stat").read_text().splitlines())) for cgroup in cgroups]
    user, system = (sum(int(stat[name]) for stat in stats) for name in ("user_usec", "system_usec"))
    return user / 1e6, system / 1e6


def _busy() -> float:
    words = Path("/proc/stat").read_text().split(maxsplit=8)
    return sum(int(words[index]) for index in _BUSY) / _TICK


def _switches(cgroups: Sequence[Path]) -> dict[str, int]:
    """Of each thread in the cgroups."""
    return {
        task: sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
        for task, lines in _statuses(cgroups, "task/*/status")
    }


def _peaks(cgroups: Sequence[Path]) -> Iterator[int]:
    """Bytes, of each process in the cgroups."""
    for _, lines in _statuses(cgroups, "status"):
        yield from (int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _statuses(cgroups: Sequence[Path], pattern: str) -> Iterator[tuple[str, list[str]]]:
    for pid in (pid for cgroup in cgroups for pid in pids(cgroup)):
        try:
            paths = list(Path(f"/proc/{pid}").glob(pattern))
        except OSError:  # it has ended
            continue
        for path in paths:
            with suppress(OSError):  # so has this thread
                yield str(path), path.read_text().splitlines()
