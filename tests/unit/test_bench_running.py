"""A run: what befalls one case, or the end, takes nothing else with it."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sockhop.bench import alone, priority, running
from sockhop.bench.cases import control
from sockhop.bench.effort import QUICK, Effort
from sockhop.bench.machine import Failed, Machine
from sockhop.bench.report import Report
from sockhop.bench.results import Result
from sockhop.errors import Unsupported


@dataclass(frozen=True)
class Case:
    """One of which this becomes."""

    name: str
    becomes: BaseException | None = None
    title: str = "title"
    group: str = "group"
    quick: bool = True

    def seconds(self, _effort: Effort) -> float:
        return 1

    def measure(self, _machine: Machine, _effort: Effort) -> Result:
        if self.becomes:
            raise self.becomes
        return Result(self.name, self.title, self.group, [])


def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *cases: Case, end: Exception | None = None) -> Report:
    """A run on a machine that is none, whose end is this."""

    @contextlib.contextmanager
    def set_up(_congestion_control: str | None) -> Iterator[Machine]:
        yield Machine(tmp_path, tmp_path, "near", "far", "middle")
        if end:
            raise end

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(running, "set_up", set_up)
    monkeypatch.setattr(priority, "raised", contextlib.nullcontext)
    monkeypatch.setattr(running, "Accelerator", lambda **_given: contextlib.nullcontext())
    monkeypatch.setattr(alone, "require", lambda _cgroup: None)
    return running.measure(cases, QUICK, lambda _case: None)


@pytest.mark.parametrize(
    "trouble", [subprocess.TimeoutExpired("slow", 60), OSError(28, "No space left"), ValueError("no JSON")]
)
def test_what_befalls_a_case_is_its_result(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trouble: Exception
) -> None:
    report = run(monkeypatch, tmp_path, Case("good"), Case("bad", trouble), Case("better"))
    assert [result.case for result in report.results] == ["good", "bad", "better"]
    (row,) = report.rows
    assert (row.case, row.verdict, row.failed) == ("bad", "failed", f"{type(trouble).__name__}: {trouble}")
    assert report.results[1].group == "group"


def test_an_end_that_fails_keeps_the_results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    report = run(monkeypatch, tmp_path, Case("good"), end=Failed("ip: busy"))
    assert [result.case for result in report.results] == ["good", "tidying"]
    assert report.rows[0].failed == "Failed: ip: busy"


def test_an_interruption_keeps_the_results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    report = run(
        monkeypatch, tmp_path, Case("good"), Case("bad", KeyboardInterrupt()), Case("never"), end=Failed("busy")
    )
    assert report.interrupted
    assert [result.case for result in report.results] == ["good", "tidying"]


def test_a_run_that_never_began_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="the benchmark could not be set up: no room"):
        run(monkeypatch, tmp_path, end=Failed("no room"))


@pytest.mark.parametrize("trouble", [None, KeyboardInterrupt(), subprocess.TimeoutExpired("sockhop", 60)])
def test_whatever_becomes_of_up_down_follows(
    monkeypatch: pytest.MonkeyPatch, trouble: BaseException | None
) -> None:
    asked: list[str] = []

    def called(verb: str, *_options: str) -> "subprocess.CompletedProcess[str]":
        asked.append(verb)
        if verb == "up" and trouble:
            raise trouble
        return subprocess.CompletedProcess(verb, control.NOT_UP if verb == "status" else 0, "", "")

    monkeypatch.setattr(control, "called", called)
    with (
        pytest.raises(type(trouble)) if trouble else contextlib.nullcontext(),
        control.service(Path("/scope")) as seconds,
    ):
        assert seconds >= 0
    assert asked == ["status", "up", "down"]
