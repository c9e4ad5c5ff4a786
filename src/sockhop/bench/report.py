"""The results of a run as one document, which can be written down and read again."""

import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sockhop.bench.effort import Effort
from sockhop.bench.figures import NOISY, Row
from sockhop.bench.results import Result
from sockhop.control.status import SCHEMA
from sockhop.errors import BadReport
from sockhop.version import __version__

#: A load above this is somebody else's work.
BUSY = 0.5


@dataclass(frozen=True)
class Report:
    """All that a run has found out."""

    facts: Mapping[str, Any]
    """What a reader needs to judge the numbers."""
    results: Sequence[Result]
    effort: Effort
    seconds: float
    interrupted: bool = False
    version: str = __version__

    @property
    def rows(self) -> list[Row]:
        """Of all cases."""
        return [row for result in self.results for row in result.rows]

    @property
    def groups(self) -> dict[str, list[Result]]:
        """The results by what they are reported with, in order."""
        groups: dict[str, list[Result]] = {}
        for result in self.results:
            groups.setdefault(result.group, []).append(result)
        return groups

    def summary(self) -> str:
        """How many targets were met, in words."""
        count = Counter(row.verdict for row in self.rows)
        return (
            f"Targets met: {count['met']}, missed: {count['missed']}, too noisy to tell: {count['noisy']}. "
            f"Measurements that failed: {count['failed']}."
        )

    def advice(self) -> str | None:
        """What to do about noise that hides results, if it does."""
        noisy = [row for row in self.rows if row.verdict == "noisy"]
        if not noisy:
            return None
        worst = max(row.noise or 0 for row in noisy)
        cases = len({row.case for row in noisy})
        return (
            f"Too noisy to tell, cases: {cases}. There an arm differed from itself by up to {worst:.0%} from one "
            f"round to the next, and {NOISY:.0%} is what a narrow result can bear. Stop what else runs on this "
            "machine (on a virtual one, what its neighbours run counts too), and measure those cases again with "
            "--only."
        )

    def as_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "schema": SCHEMA,
            "version": self.version,
            "machine": dict(self.facts),
            "effort": asdict(self.effort),
            "seconds": self.seconds,
            "interrupted": self.interrupted,
            "results": [result.as_json() for result in self.results],
        }

    @classmethod
    def parse(cls, value: Any) -> "Report":
        """From :meth:`as_json`. Raises :class:`BadReport`."""
        if isinstance(value, dict) and value.get("schema", SCHEMA) != SCHEMA:
            raise BadReport(
                f"this report has schema {value['schema']}, and this sockhop reads {SCHEMA}: measure again"
            )
        try:
            return cls(
                facts=value["machine"],
                results=[Result.parse(result) for result in value["results"]],
                effort=Effort(**value["effort"]),
                seconds=value["seconds"],
                interrupted=value["interrupted"],
                version=value["version"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadReport(f"this is no report of `sockhop bench --json`: {error!r}") from error


def machine_facts(congestion_control: str | None = None) -> dict[str, Any]:
    """Kernel, CPU and whatever else the numbers depend on; a congestion control that replaces the machine's."""
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "kernel": platform.release(),
        "cpu": cpu[0].partition(": ")[2] if cpu else platform.machine(),
        "cpus": os.cpu_count(),
        "congestion_control": congestion_control
        or Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip(),
        "load": os.getloadavg()[0],
    }
