"""What a guest has left behind, read into one result: from files alone, however the guest ended."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.kernel_log import faults
from tests.vm.answers import ANSWERS, RECORD, SUITES
from tests.vm.qemu import Ended

RESULT = "result.json"
_NOT_OK = ("missing", "unknown")


@dataclass(frozen=True)
class Result:
    """How sockhop and a kernel get on."""

    name: str
    release: str
    seconds: float
    support: str = ""
    """"full", "eager_only", "refused"; nothing if it was not found out."""
    lacking: dict[str, str] = field(default_factory=dict)
    """The probes of `check` that are missing, each with its reason."""
    passed: int = 0
    skipped: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    """Tests that failed, or were running when the guest ended, each with what it said."""
    differences: dict[str, str] = field(default_factory=dict)
    """Behaviours in which a socket in the map differs from TCP, each with the kernel's reason."""
    mended: dict[str, str] = field(default_factory=dict)
    """Those in which it differs on other kernels, and not on this one."""
    speed: float | None = None
    """Round trips hopped for each over TCP."""
    faults: list[str] = field(default_factory=list)
    """What the kernel's log has that it should not."""
    ended: str = ""
    """What was wrong with the guest's end; nothing if it was as it should."""

    @property
    def good(self) -> bool:
        """Whether this kernel is as the promise says: it passes, or it is refused for a reason that shows."""
        return bool(self.support and self.passed) and not (self.failed or self.faults or self.ended)

    def line(self) -> str:
        """All of it in one line."""
        lacking = f" ({', '.join(self.lacking)})" if self.lacking else ""
        log = f"{len(self.faults)} faults" if self.faults else "clean"
        parts = [
            f"check {self.support or 'unknown'}{lacking}",
            f"{self.passed} passed",
            f"{len(self.failed)} failed",
            f"{self.skipped} skipped",
            f"{len(self.differences)} differences, {len(self.mended)} of the table gone",
            f"kernel log {log}",
            *([f"hop / TCP {self.speed:.2f}"] if self.speed else []),
            *([self.ended] if self.ended else []),
        ]
        return f"{'ok    ' if self.good else 'FAILED'} {self.release}: {'; '.join(parts)} ({self.seconds:.0f} s)"


def read(name: str, release: str, results: Path, ended: Ended) -> Result:
    """Read what the guest has left in `results`, and keep the result there too."""
    answers = {line["name"]: line["answer"] for line in _lines(results / ANSWERS)}
    tests = {line["test"]: line for line in _lines(results / RECORD)}
    check = answers.get("check")
    result = Result(
        name,
        release,
        round(ended.seconds),
        support=check["support"] if check else "",
        lacking=_lacking(check["answers"] if check else []),
        passed=sum(line["outcome"] == "passed" for line in tests.values()),
        skipped=sum(line["outcome"] == "skipped" for line in tests.values()),
        failed={
            test: line["said"] or "was running when the guest ended"
            for test, line in tests.items()
            if line["outcome"] in ("failed", "running")
        },
        differences=_noted(tests, "differs"),
        mended=_noted(tests, "mended"),
        speed=(answers.get("speed") or {}).get("ratio"),
        faults=faults(_text(results / "console.log")),
        ended=_end(ended, answers),
    )
    (results / RESULT).write_text(json.dumps(asdict(result), indent=1) + "\n")
    return result


def kept(results: Path) -> Result | None:
    """The result of an earlier run."""
    path = results / RESULT
    return Result(**json.loads(path.read_text())) if path.exists() else None


def _end(ended: Ended, answers: dict[str, Any]) -> str:
    if not ended.started:
        return "the guest did not start: see console.log"
    if not ended.in_time:
        return f"the guest was ended after {ended.seconds:.0f} s: see output.log and console.log"
    if ended.code is None:
        return "the guest crashed: see console.log"
    if ended.code:
        return f"the guest's program failed with {ended.code}: see output.log"
    for name in SUITES:
        if answers.get(name, 0) not in (0, 1):  # 1: tests have failed, and say so themselves
            return f"pytest could not run {name} (exit code {answers[name]}): see output.log"
    if "speed" in answers and answers["speed"]["failed"]:
        return f"the speed could not be measured: {answers['speed']['failed']}"
    return ""


def _lacking(probes: list[dict[str, str]]) -> dict[str, str]:
    """What is missing; only where nothing is, what could not be found out: mostly it stands on what is missing."""
    found = {
        state: {each["id"]: each["reason"].splitlines()[0] for each in probes if each["state"] == state}
        for state in _NOT_OK
    }
    return found["missing"] or found["unknown"]


def _noted(tests: dict[str, dict[str, Any]], note: str) -> dict[str, str]:
    """The tests that left such a note, by the name of their case."""
    named = {test.partition("[")[2].rstrip("]"): line["properties"] for test, line in tests.items()}
    return {name: properties[note] for name, properties in sorted(named.items()) if note in properties}


def _lines(path: Path) -> list[dict[str, Any]]:
    """Its lines of JSON; the last may have been cut off with the guest."""
    lines = []
    for text in _text(path).splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return lines


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
