"""What becomes of a run: rows, and the kinds of report."""

import contextlib
import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockhop.bench import cells, markdown, page, running, table, units
from sockhop.bench.arms import LEARNING, LOADING, Arm, Hop, Plain, PlainSession, Session
from sockhop.bench.comparison import Comparison, Ratio
from sockhop.bench.effort import LESSON, Effort
from sockhop.bench.histogram import Histogram
from sockhop.bench.machine import Failed, Machine
from sockhop.bench.report import Report
from sockhop.bench.sample import Sample
from sockhop.bench.usage import Usage
from sockhop.errors import BadReport
from tests.unit import making_reports as making


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which nothing runs."""
    return Machine(tmp_path, tmp_path, "near", "far", "middle")


def test_ratios_are_of_the_same_round_and_without_the_warm_up(machine: Machine) -> None:
    rate, latency = making.result(machine).rows
    assert rate.samples == pytest.approx([1.6, 161 / 101, 159 / 99, 1.6, 1.6, 1.6])
    assert rate.rates == (160.0, 100.0)
    assert rate.verdict == "met"
    assert latency.value == pytest.approx(100 / 160, rel=0.02)
    assert len(latency.samples) == 6


def test_a_tail_of_too_few_is_left_out(machine: Machine) -> None:
    few = Histogram({1000: 1000}, 1000)
    case = dataclasses.replace(
        making.comparison(), sample=lambda *_given: dataclasses.replace(making.sample(1), histogram=few)
    )
    assert [row.versus for row in making.result(machine, case).rows] == ["hop / tcp"]


def test_nothing_done_is_no_rate_of_zero() -> None:
    with pytest.raises(Failed, match=r"nothing was done within 0\.25 s"):
        Sample.of({"done": 0, "seconds": 0.25, "messages": 0}, None)


def test_samples_and_the_warm_up_are_kept(machine: Machine) -> None:
    tcp, hop = making.result(machine).arms
    assert [sample.rate for sample in (*hop.warm_up, *hop.samples)] == making.RATES["hop"]
    assert tcp.histogram is not None
    assert sum(tcp.histogram.counts.values()) == 6 * 10_000


def test_each_arm_comes_first_as_often_as_the_others(machine: Machine) -> None:
    came: list[str] = []
    case = making.comparison({name: [1.0] * 7 for name in ("tcp", "hop", "unix")})

    def make(machine: Machine, name: str) -> Arm:
        came.append(name)
        return Plain(machine, name)

    making.result(machine, dataclasses.replace(case, make=make))
    assert came[:9] == ["tcp", "hop", "unix", "hop", "unix", "tcp", "unix", "tcp", "hop"]


def test_where_one_arm_learns_all_get_lessons(machine: Machine) -> None:
    efforts: dict[str, list[Effort]] = {"tcp": [], "auto": []}

    @dataclasses.dataclass(frozen=True)
    class Pupil(PlainSession):
        """One that has learned after two lessons."""

        def has_learned(self) -> bool:
            return efforts["auto"].count(LESSON) % 3 == 2

    @dataclasses.dataclass(frozen=True)
    class School(Plain):
        @contextlib.contextmanager
        def up(self) -> Iterator[Session]:
            yield Pupil(self.machine.scratch)

    def sample(_machine: Machine, effort: Effort, arm: Arm, _session: Session) -> Sample:
        efforts[arm.name].append(effort)
        return making.sample(1)

    case = Comparison(
        "case",
        "title",
        "group",
        ("tcp", "auto"),
        sample,
        (),
        make=lambda machine, name: School(machine, name, learns=name == "auto"),
    )
    making.result(machine, case)
    assert efforts["tcp"] == [LESSON, making.EFFORT] * 7
    assert efforts["auto"] == [LESSON, LESSON, LESSON, making.EFFORT] * 7


def test_the_arms_that_learn_are_those_whose_lessons_are_counted(machine: Machine) -> None:
    for case in running.CASES:
        if isinstance(case, Comparison):
            learning = {name for name in case.arms if case.make(machine, name).learns}
            assert learning == LEARNING & {*case.arms}, case.name
            loading = {name for name in case.arms if isinstance(case.make(machine, name), Hop)}
            assert loading == LOADING & {*case.arms}, case.name


def test_an_arm_that_fails_takes_only_its_own_ratios_with_it(machine: Machine) -> None:
    rates = {"tcp": making.RATES["tcp"], "hop": making.RATES["hop"], "unix": [1.0]}
    ratios = (Ratio("hop", "tcp"), Ratio("hop", "unix"))
    good, bad = making.result(machine, making.comparison(rates, ratios)).rows
    assert good.failed is None
    assert (bad.failed, bad.value, bad.verdict) == ("unix: no more of unix", None, "failed")


def test_what_others_used_is_told_of_all_samples_together(machine: Machine) -> None:
    tcp = making.result(machine).arms[0]
    ticks = (0.01, -0.004, 0.0)
    samples = [
        dataclasses.replace(making.sample(1), usage=Usage(0.1, 0.2, tick, None, None), messages=1000)
        for tick in ticks
    ]
    result, arm = making.result(machine), dataclasses.replace(tcp, samples=tuple(samples))
    shown = dict(zip(cells.ARM_COLUMNS, cells.of_arm(result, arm), strict=True))
    assert (shown["elsewhere"], shown["CPU/msg"], shown["switches"], shown["server"]) == ("2 µs", "300 µs", "", "")


def test_a_report_is_read_as_it_was_written(machine: Machine) -> None:
    report = making.report(machine)
    written = json.dumps(report.as_json())
    again = Report.parse(json.loads(written))
    assert json.dumps(again.as_json()) == written
    assert again.rows == report.rows
    first = report.as_json()["results"][0]["arms"][0]
    assert [sample["warm_up"] for sample in first["samples"]] == [True] + [False] * 6


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"schema": 99}, "measure again"),
        ({}, "no report of"),
        ([], "no report of"),
        ({"results": 1}, "no report of"),
    ],
)
def test_what_is_no_report_is_refused(value: object, why: str) -> None:
    with pytest.raises(BadReport, match=why):
        Report.parse(value)


def test_noise_is_told_with_what_to_do(machine: Machine) -> None:
    rates = {"tcp": [1, 100, 150, 80, 120, 90, 140.0], "hop": [1, 100, 100, 100, 100, 100, 100.0]}
    noisy = making.result(machine, making.comparison(rates))
    report = dataclasses.replace(making.report(machine), results=[noisy])
    assert "too noisy to tell: 2" in report.summary()
    advice = report.advice()
    assert advice is not None
    assert "Stop what else runs" in advice
    assert "--only" in advice
    assert making.report(machine).advice() is None
    for shown in (markdown.render(report), page.render(report)):
        assert advice in shown


def test_markdown_has_a_line_for_each_row_and_each_arm(machine: Machine) -> None:
    report = making.report(machine)
    shown = markdown.render(report)
    lines = [re.split(r"(?<!\\)\|", line) for line in shown.splitlines() if line.startswith("|")]
    rows = [line for line in lines if len(line) == 10]
    assert len(rows) == len(report.rows) + 2 * len(report.groups)
    assert sum(line[2].strip() in ("tcp", "hop") for line in lines) == 6
    assert "- `rr-64-nodelay-1cpu: hop / tcp`: hop: no more of hop" in shown


def test_the_table_has_every_row_and_why_one_failed(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    table.show(making.report(machine))
    out = capsys.readouterr().out
    assert "hop / tcp, p99.9" in out
    assert "rr-64-nodelay-1cpu: hop / tcp failed: hop: no more of hop" in out
    assert "Targets met: 5, missed: 0" in out
    assert "…" not in re.sub(r"\S+ … \S+", "", out)  # nothing is cut


def test_the_page_needs_nothing_else(machine: Machine) -> None:
    shown = page.render(making.report(machine))
    assert not re.search(r"https?://|<script|<link|<img|@import|url\(|src=", shown)
    assert "a &lt;fast&gt; one" in shown
    assert "<one>" not in shown
    # Of each family by size one, and a distribution of each case that has any.
    assert shown.count("<svg") == 1 + 3


def test_a_page_of_nothing_is_a_page(machine: Machine) -> None:
    nothing = dataclasses.replace(making.report(machine), results=[])
    assert "<svg" not in page.render(nothing)
    assert "###" not in markdown.render(nothing)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.2345, "x", "1.234"),
        (0.0000123, "s", "12.3 µs"),
        (0.5, "s", "500 ms"),
        (5e-9, "s", "5 ns"),
        (-2.5e-6, "s", "-2.5 µs"),
        (2048, "B", "2,048 B"),
        (12.3, "/s", "12.3 /s"),
        (45_678, "/s", "45.68 k/s"),
        (3.2e9, "B/s", "3.20 GB/s"),
    ],
)
def test_quantities_are_read_by_people(value: float, unit: str, text: str) -> None:
    assert units.quantity(value, unit) == text
