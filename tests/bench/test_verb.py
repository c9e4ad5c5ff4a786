"""``bench`` end to end: what it measures is so, and whatever happens it leaves nothing behind."""

import json
import os
import pty
import shutil
import signal
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from sockhop.bench.report import Report
from tests.cli.sandbox import SOCKHOP, Sandbox
from tests.conformance.waiting import until

SMALL = ("bench", "--quick", "--only", "rr-64-nodelay-1cpu")


@pytest.fixture
def scratch(sandbox: Sandbox, tmp_path: Path) -> dict[str, Any]:
    """The options of a command whose temporary files are looked at in the end."""
    return {"env": {**os.environ, "TMPDIR": str(tmp_path)}}


def nothing_left(sandbox: Sandbox, scratch: dict[str, Any]) -> None:
    """No process, cgroup, pin, network namespace or file."""
    sandbox.until_clean()
    assert sandbox.run("ip", "netns", "list").stdout == ""
    assert list(Path(scratch["env"]["TMPDIR"]).iterdir()) == []


def test_a_congestion_control_of_its_own(sandbox: Sandbox, scratch: dict[str, Any]) -> None:
    done = sandbox.sockhop(*SMALL, "--congestion-control", "reno", "--json", **scratch)
    assert json.loads(done.stdout)["machine"]["congestion_control"] == "reno"
    done = sandbox.sockhop(*SMALL, "--congestion-control", "none", **scratch)
    assert (done.returncode, done.stdout) == (4, "")
    assert "this kernel has no congestion control 'none'; it has " in done.stderr
    nothing_left(sandbox, scratch)


def test_one_case(sandbox: Sandbox, scratch: dict[str, Any]) -> None:
    done = sandbox.sockhop(*SMALL, "--json", **scratch)
    assert done.returncode == 0, done
    assert "1 cases, about" in done.stderr
    report = Report.parse(json.loads(done.stdout))
    (result,) = report.results
    assert [arm.arm for arm in result.arms] == ["tcp", "hop", "redirect", "unix"]
    for arm in result.arms:
        assert (arm.failed, len(arm.warm_up), len(arm.samples)) == (None, 1, report.effort.rounds)
        for sample in arm.samples:
            assert sample.usage is not None
            assert sample.usage.user + sample.usage.system > 0
            assert (sample.usage.switches or 0) > 0
            assert 0 < sample.latency["p50"] <= sample.latency["p99"] <= sample.latency["max"]
            assert sample.bytes == 64 * sample.messages
        assert arm.histogram is not None
        # One message waits for another, so that their durations are all of the time.
        counts = arm.histogram.counts
        average = sum(ns * count for ns, count in counts.items()) / sum(counts.values()) / 1e9
        assert 1 / mean(sample.rate for sample in arm.samples) == pytest.approx(average, rel=0.1)
    by_name = {arm.arm: arm for arm in result.arms}
    assert all(sample.hopped is not None and sample.hopped > 0.9 for sample in by_name["hop"].samples)
    assert all(row.value is not None and row.low is not None for row in report.rows)
    nothing_left(sandbox, scratch)


@pytest.mark.timeout(300)
def test_each_kind_of_load(sandbox: Sandbox, scratch: dict[str, Any]) -> None:
    cases = [
        "stream-1K-nagle-2cpu",
        "stream-64K-blocking-1cpu",
        "stream-1M-rcvbuf-2cpu",
        "pipeline-64-8",
        "many-16-1cpu",
        "connect-1",
        "mixed-small",
        "veth-stream-4K-nagle",
        "nat-rr-1K",
        "guard-rr-1",
        "guard-redis",
        "rule-rr-1",
    ]
    only = [option for case in cases for option in ("--only", case)]
    with sandbox.popen(SOCKHOP, "bench", "--quick", *only, "--json", **scratch) as bench:
        out, err = bench.communicate(timeout=280)  # lessons take long on a busy machine
    assert bench.returncode == 0, err
    results = Report.parse(json.loads(out)).results
    assert {result.case for result in results} == set(cases)
    assert all(sample.rate > 0 for result in results for arm in result.arms for sample in arm.samples)
    nothing_left(sandbox, scratch)


def test_a_loss_is_one_that_shows_twice(sandbox: Sandbox, scratch: dict[str, Any], tmp_path_factory: Any) -> None:
    kept = tmp_path_factory.mktemp("ratios") / "ratios.json"
    assert sandbox.sockhop(*SMALL, "--save-ratios", kept, **scratch).returncode == 0
    same = sandbox.sockhop(*SMALL, "--against", kept, **scratch)
    assert (same.returncode, "no ratio is worse" in same.stderr) == (0, True), same
    stored = json.loads(kept.read_text())
    stored["ratios"]["rr-64-nodelay-1cpu: hop / tcp"]["low"] = 100.0
    kept.write_text(json.dumps(stored))
    lost = sandbox.sockhop(*SMALL, "--against", kept, **scratch)
    assert lost.returncode == 1
    assert "measuring again what seems to have become worse: rr-64-nodelay-1cpu" in lost.stderr
    assert "rr-64-nodelay-1cpu: hop / tcp is" in lost.stderr
    assert "hop / unix is" not in lost.stderr
    nothing_left(sandbox, scratch)


def test_on_a_terminal_there_is_a_bar_that_is_drawn_between_cases_only(
    sandbox: Sandbox, scratch: dict[str, Any]
) -> None:
    scratch["env"]["TERM"] = "xterm"
    master, slave = pty.openpty()
    with os.fdopen(master, "rb", buffering=0) as terminal, os.fdopen(slave, "wb", buffering=0) as screen:
        bench = sandbox.popen(SOCKHOP, "bench", "--quick", "--only", "veth-rr-*", stderr=screen, **scratch)
        out, _ = bench.communicate(timeout=30)
        shown = os.read(terminal.fileno(), 1 << 16).decode()
    assert (bench.returncode, "\x1b" in out) == (0, False)
    assert "veth-rr-1K" in shown
    assert "about" in shown
    assert shown.count("\x1b[2K") <= 6


def test_a_service_around_the_run_is_refused(sandbox: Sandbox, scratch: dict[str, Any]) -> None:
    assert sandbox.sockhop("up", "--all").returncode == 0
    done = sandbox.sockhop(*SMALL, **scratch)
    assert (done.returncode, done.stdout) == (4, "")
    assert "and so over what is to be measured: plain TCP would hop, too. Take it down meanwhile" in done.stderr
    assert sandbox.sockhop("down").returncode == 0
    nothing_left(sandbox, scratch)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(sandbox: Sandbox, scratch: dict[str, Any], number: signal.Signals) -> None:
    with sandbox.popen(SOCKHOP, "bench", "--only", "rr-64-*", "--json", **scratch) as bench:
        until(lambda: list(sandbox.root.glob("sockhop-bench-*/hop")), "an arm with hops", 20)
        bench.send_signal(number)
        out, err = bench.communicate(timeout=20)
    assert bench.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    report = Report.parse(json.loads(out))
    assert report.interrupted
    nothing_left(sandbox, scratch)


def test_without_a_compiler(sandbox: Sandbox, scratch: dict[str, Any]) -> None:
    done = sandbox.run("env", "PATH=/nowhere", SOCKHOP, *SMALL, **scratch)
    assert (done.returncode, done.stdout) == (4, "")
    assert "there is no C compiler" in done.stderr
    assert "apt-get install gcc" in done.stderr
    nothing_left(sandbox, scratch)


def test_with_a_compiler_that_is_none(sandbox: Sandbox, scratch: dict[str, Any]) -> None:
    named = sandbox.run("env", "CC=nothing-like-cc", SOCKHOP, *SMALL, **scratch)
    assert (named.returncode, "CC=nothing-like-cc: " in named.stderr) == (4, True)
    failing = sandbox.run("env", f"CC={shutil.which('false')}", SOCKHOP, *SMALL, **scratch)
    assert (failing.returncode, "could not be compiled" in failing.stderr) == (4, True)
    nothing_left(sandbox, scratch)


def test_a_program_that_is_missing_fails_its_case_alone(
    sandbox: Sandbox, scratch: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    programs = tmp_path_factory.mktemp("programs")
    for name in ("sh", "cc", "as", "ld", "ip", "nsenter", "taskset"):
        (programs / name).symlink_to(shutil.which(name) or pytest.fail(f"{name} is not installed"))
    done = sandbox.run("env", f"PATH={programs}", SOCKHOP, "bench", "--quick", "--only", "memcached-1", **scratch)
    assert done.returncode == 1
    assert (
        "memcached-1: hop / tcp failed: hop: memcached is not installed: apt-get install memcached" in done.stdout
    )
    assert "Measurements that failed: 3" in done.stdout
    nothing_left(sandbox, scratch)
