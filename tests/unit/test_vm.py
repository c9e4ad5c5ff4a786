"""Choosing kernels, reading what a guest left behind, and the page that comes of it."""

import json
from pathlib import Path

import pytest

from tests.kernel_log import faults
from tests.vm import image, results, table
from tests.vm.answers import ANSWERS, RECORD, support
from tests.vm.apt import Package
from tests.vm.kernels import KERNELS, Kernel, asked_for
from tests.vm.qemu import Ended
from tests.vm.results import Result

CARRIED = [
    Package(f"linux-image-{release}-amd64", "1", suite)
    for release, suite in (
        ("6.1.0-47", "bookworm"),
        ("6.1.0-56", "bookworm-security"),
        ("6.12", "bookworm-security"),
        ("6.12.43+deb12", "bookworm-backports"),
        ("6.12.117+deb12", "bookworm-security"),
        ("6.12.117+deb12-cloud", "bookworm-security"),
        ("6.12.118+deb13", "trixie-security"),
        ("7.2.13+deb14", "sid"),
        ("7.3.4+deb13", "trixie-backports"),
        ("7.3", "experimental"),
    )
]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("6.1", "6.1.0-56"),
        ("6.12-early", "6.12"),  # the name of no content: what it needs tells that it is one
        ("6.12", "6.12.117+deb12"),
        ("newest", "7.3.4+deb13"),
        ("7.2", "7.2.13+deb14"),
        ("6.12.118+deb13-amd64", "6.12.118+deb13"),
    ],
)
def test_the_package_that_a_name_means(name: str, first: str) -> None:
    assert image.candidates(asked_for(name), CARRIED)[0].name == f"linux-image-{first}-amd64"


def test_a_series_is_of_whole_numbers() -> None:
    assert not image.candidates(Kernel("6.11", series="6.11"), CARRIED)


def test_names_of_the_list_are_different() -> None:
    assert len({kernel.name for kernel in KERNELS}) == len(KERNELS)


def test_faults_in_the_kernel_log() -> None:
    log = """\
[    0.1] mtrr: your CPUs had inconsistent variable MTRR settings
[    9.1] WARNING: CPU: 0 PID: 7 at net/core/sock.c:1 sk_free
[    9.2] refcount_t: underflow; use-after-free.
[    9.3] INFO: task python:7 blocked for more than 120 seconds.
"""
    assert [line[1:8] for line in faults(log)] == ["    9.1", "    9.2", "    9.3"]


@pytest.mark.parametrize(
    ("check", "means"),
    [
        ({"capable": True}, "full"),
        ({"capable": False}, "refused"),
        ({"capable": True, "support": "eager_only"}, "eager_only"),
    ],
)
def test_support(check: dict[str, object], means: str) -> None:
    assert support(check) == means


CHECK = {"capable": True, "answers": [{"id": "btf", "state": "ok", "reason": ""}]}


def left(where: Path, tests: list[tuple[str, str, dict[str, str]]], console: str = "", speed: bool = True) -> None:
    """Write what a guest leaves behind."""
    answers = [{"name": "check", "answer": CHECK}]
    answers += [{"name": "speed", "answer": {"ratio": 1.5, "failed": None}}] if speed else []
    (where / ANSWERS).write_text("".join(json.dumps(line) + "\n" for line in answers))
    lines = [
        {"test": f"t.py::test[{name}]", "outcome": outcome, "said": "", "properties": properties}
        for name, outcome, properties in tests
    ]
    (where / RECORD).write_text("".join(json.dumps(line) + "\n" for line in lines))
    (where / "console.log").write_text(console)


def test_a_good_guest(tmp_path: Path) -> None:
    left(tmp_path, [("a", "running", {}), ("a", "passed", {"differs": "f()"}), ("b", "passed", {"mended": "g()"})])
    result = results.read("6.12", "6.12.117+deb12-amd64", tmp_path, Ended(60, started=True, code=0, in_time=True))
    assert result.good
    assert (result.differences, result.mended, result.speed) == ({"a": "f()"}, {"b": "g()"}, 1.5)
    assert result.line().startswith("ok     6.12.117+deb12-amd64: check full; 2 passed; 0 failed")
    assert results.kept(tmp_path) == result


def test_a_guest_that_crashed_names_the_test_that_ran(tmp_path: Path) -> None:
    left(tmp_path, [("a", "passed", {}), ("b", "running", {})], "[ 1.0] Oops: 0000 [#1]\n", speed=False)
    with (tmp_path / RECORD).open("a") as file:
        file.write('{"test": "cut o')
    result = results.read("6.12", "6.12.117", tmp_path, Ended(60, started=True, code=None, in_time=True))
    assert not result.good
    assert list(result.failed) == ["t.py::test[b]"]
    assert result.faults == ["[ 1.0] Oops: 0000 [#1]"]
    assert "crashed" in result.line()


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (Ended(5, started=False, code=None, in_time=True), "did not start"),
        (Ended(900, started=True, code=None, in_time=False), "after 900 s"),
        (Ended(60, started=True, code=1, in_time=True), "failed with 1"),
    ],
)
def test_other_ends(tmp_path: Path, ended: Ended, said: str) -> None:
    result = results.read("6.12", "6.12.117", tmp_path, ended)
    assert not result.good
    assert said in result.line()


def test_a_suite_that_did_not_run_is_no_success(tmp_path: Path) -> None:
    left(tmp_path, [("a", "passed", {})])
    with (tmp_path / ANSWERS).open("a") as file:
        file.write(json.dumps({"name": "streams", "answer": 5}) + "\n")
    result = results.read("6.12", "6.12.117", tmp_path, Ended(60, started=True, code=0, in_time=True))
    assert not result.good
    assert "could not run streams" in result.line()


def test_the_page() -> None:
    page = table.text(
        [
            Result("6.1", "6.1.0-56-amd64", 60, "refused", {"programs": "no kfunc | none"}, passed=3),
            Result("6.12", "6.12.1-amd64", 60, "full", passed=9, differences={"a": "f()", "b": "g()"}, speed=1.5),
            Result("newest", "7.3.4-amd64", 60, "full", passed=9, differences={"a": "f()"}, mended={"b": "g()"}),
        ]
    )
    assert "| 6.1.0-56-amd64 | refused; no kfunc \\| none | 3 passed |  | clean |" in page
    assert "| 6.12.1-amd64 | full | 9 passed | 1.50 | clean |" in page
    assert "| case | 6.12.1 | 7.3.4 | the kernel's reason |" in page
    assert "| a | differs | differs | f() |" in page
    assert "| b | differs | TCP | g() |" in page
