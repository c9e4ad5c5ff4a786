"""``bench`` as far as it measures nothing."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from sockhop.bench import running
from sockhop.bench.effort import QUICK, Effort
from sockhop.bench.machine import Machine
from sockhop.bench.report import Report
from sockhop.cli import exits, progress
from sockhop.cli.bench import command
from sockhop.errors import BadReport, NotPermitted
from tests.unit import making_reports as making


def bench(*arguments: str) -> tuple[int, str, str]:
    """The exit code, and what is printed."""
    done = CliRunner().invoke(command, arguments, standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.return_value, done.stdout, done.stderr


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """What a run printed with --json."""
    path = tmp_path / "run.json"
    path.write_text(json.dumps(making.report(Machine(tmp_path, tmp_path, "near", "far", "middle")).as_json()))
    return path


def test_names_are_names() -> None:
    names = [case.name for case in running.CASES]
    assert len(names) == len(set(names))
    for name in names:
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-KM"), name


def test_a_run_is_as_short_as_it_says() -> None:
    assert sum(case.seconds(Effort()) for case in running.CASES) < 28.5 * 60
    assert sum(case.seconds(QUICK) for case in running.choose([], quick=True)) < 58


def test_patterns_choose() -> None:
    assert [case.name for case in running.choose(["rr-1-*"], quick=False)] == [
        "rr-1-nodelay-1cpu",
        "rr-1-nagle-1cpu",
        "rr-1-nodelay-2cpu",
    ]
    assert running.choose(["rr-64-nodelay-1cpu"], quick=True)  # a pattern chooses among all
    assert [case.name for case in running.choose(["up", "memory"], quick=False)] == ["memory", "up"]
    assert len(running.choose([], quick=True)) < len(running.choose([], quick=False))


def test_the_list() -> None:
    code, out, err = bench("--list", "--only", "redis-*")
    assert code == exits.OK
    head, *lines = out.splitlines()
    assert head.split() == ["case", "seconds", "measured"]
    assert all(line.startswith("redis-") for line in lines)
    assert f"{len(lines)} cases, about" in err


def test_the_list_as_json() -> None:
    _, out, _ = bench("--list", "--json")
    listed = json.loads(out)
    assert listed["schema"] == 1
    assert [case["name"] for case in listed["cases"]] == [case.name for case in running.CASES]


def test_a_pattern_that_matches_nothing_is_a_mistake() -> None:
    code, out, err = bench("--only", "nothing-*")
    assert (code, out) == (exits.USAGE, "")
    assert "no case matches 'nothing-*': `sockhop bench --list` has their names" in err


def test_a_saved_run_is_shown_without_measuring(saved: Path, tmp_path: Path) -> None:
    html = tmp_path / "page.html"
    code, out, _ = bench("--from", str(saved), "--html", str(html))
    assert code == exits.FAILED  # for one of its cases has failed
    assert "Targets met" in out
    assert html.read_text().startswith("<!DOCTYPE html>")
    assert bench("--from", str(saved), "--markdown")[1].startswith("sockhop ")
    assert json.loads(bench("--from", str(saved), "--json")[1]) == json.loads(saved.read_text())


def test_ratios_are_saved_and_compared(saved: Path, tmp_path: Path) -> None:
    kept = tmp_path / "ratios.json"
    bench("--from", str(saved), "--save-ratios", str(kept))
    _, _, err = bench("--from", str(saved), "--against", str(kept))
    assert "no ratio is worse" in err
    better: dict[str, Any] = json.loads(kept.read_text())
    for ratio in better["ratios"].values():
        ratio["low"] *= 2
    kept.write_text(json.dumps(better))
    code, _, err = bench("--from", str(saved), "--against", str(kept))
    assert code == exits.FAILED
    assert "rr-1-nodelay-1cpu: hop / tcp is 1.600 and was" in err


@pytest.fixture
def against(saved: Path, tmp_path: Path) -> Path:
    """Stored ratios that the saved run does not reach."""
    kept = tmp_path / "ratios.json"
    bench("--from", str(saved), "--save-ratios", str(kept))
    better: dict[str, Any] = json.loads(kept.read_text())
    for ratio in better["ratios"].values():
        ratio["low"] *= 2
    better["ratios"]["rr-old: hop / tcp"] = {"low": 1.0}
    kept.write_text(json.dumps(better))
    return kept


def measured(monkeypatch: pytest.MonkeyPatch, *reports: Report) -> list[str | None]:
    """Let these come of the runs to come; what congestion control each was asked for."""
    asked: list[str | None] = []
    left = iter(reports)

    def measure(_cases: object, _effort: Effort, _begins: object, congestion_control: str | None) -> Report:
        asked.append(congestion_control)
        return next(left)

    monkeypatch.setattr(running, "measure", measure)
    return asked


def test_a_loss_is_dropped_only_where_the_second_run_has_measured_it(
    saved: Path, against: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Report.parse(json.loads(saved.read_text()))
    lost = "rr-1-nodelay-1cpu: hop / tcp is 1.600 and was"
    empty = dataclasses.replace(first, results=[])
    assert measured(monkeypatch, first, empty) == []
    code, _, err = bench("--against", str(against))
    assert (code, lost in err) == (exits.FAILED, True)
    assert "stored, but not measured now: rr-old: hop / tcp" in err
    asked = measured(monkeypatch, first, dataclasses.replace(empty, interrupted=True))
    with pytest.raises(click.Abort):
        bench("--against", str(against))
    assert asked == ["reno", "reno"]


def test_ratios_of_another_congestion_control_are_refused_before_anything_is_measured(against: Path) -> None:
    with pytest.raises(BadReport, match="this run's is bbr"):
        bench("--against", str(against), "--congestion-control", "bbr")


def test_ratios_of_a_busy_machine_are_stored_with_a_warning(saved: Path, tmp_path: Path) -> None:
    report = json.loads(saved.read_text())
    report["machine"]["load"] = 1.2
    saved.write_text(json.dumps(report))
    _, _, err = bench("--from", str(saved), "--save-ratios", str(tmp_path / "ratios.json"))
    assert "these ratios are of a busy machine (load 1.20 when it began)" in err


@pytest.mark.parametrize("option", ["--from", "--against"])
def test_a_file_that_is_not_there(tmp_path: Path, option: str) -> None:
    with pytest.raises(BadReport, match="cannot be read"):
        bench(option, str(tmp_path / "missing"))


@pytest.mark.parametrize("option", ["--html", "--save-ratios"])
def test_a_file_that_cannot_be_written_is_known_before_anything_is_measured(tmp_path: Path, option: str) -> None:
    code, out, err = bench(option, str(tmp_path / "missing/file"))
    assert (code, out) == (exits.FAILED, "")
    assert "the results cannot be written to" in err


def test_only_root_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NotPermitted, match="run it as root"):
        bench("--only", "rr-1-nodelay-1cpu")


def test_the_time_that_is_left_follows_the_time_it_took() -> None:
    steps = progress.Steps(300, None)
    assert steps.left(0) == "about 5 min left"
    steps.begin("one", 100)
    steps.begin("two", 100)
    assert steps.left(100) == "about 3 min left"
    assert steps.left(200) == "about 7 min left"


def test_times_in_words() -> None:
    assert (progress.about(45), progress.about(91), progress.about(1500)) == (
        "about 45 s",
        "about 2 min",
        "about 25 min",
    )
