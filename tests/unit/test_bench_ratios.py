"""The guard against regressions: a loss is one beyond the noise of the run that shows it."""

import dataclasses
import json
from pathlib import Path

import pytest

from sockhop.bench import ratios
from sockhop.bench.machine import Machine
from sockhop.bench.report import Report
from sockhop.errors import BadReport
from tests.unit import making_reports as making

KEY = "rr-1-nodelay-1cpu: hop / tcp"


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """A run in which hops are 1.6 times as fast as TCP."""
    return making.report(Machine(tmp_path, tmp_path, "near", "far", "middle"))


def stored(low: float, cpu: object = making.FACTS["cpu"], congestion_control: str = "reno") -> dict[str, object]:
    """What an earlier run had."""
    machine = {"cpu": cpu, "congestion_control": congestion_control}
    return {"machine": machine, "ratios": {KEY: {"value": low, "low": low, "high": low}}}


def with_noise(report: Report, noise: float) -> Report:
    """The same on a noisier machine."""
    results = [
        dataclasses.replace(result, rows=[dataclasses.replace(row, noise=noise) for row in result.rows])
        for result in report.results
    ]
    return dataclasses.replace(report, results=results)


def test_nothing_is_lost_against_oneself(report: Report) -> None:
    kept = json.loads(json.dumps(ratios.to_store(report)))
    assert ratios.Stored.parse(kept).losses(report) == []
    # Neither latencies, nor what failed, nor seconds.
    assert set(kept["ratios"]) == {KEY, "rr-1M-nodelay-1cpu: hop / tcp"}


def test_a_loss_is_told_in_numbers(report: Report) -> None:
    (loss,) = ratios.Stored.parse(stored(2.0)).losses(report)
    assert loss.words().startswith(f"{KEY} is 1.600 and was 2.000 or more")


def test_what_noise_can_explain_is_no_loss(report: Report) -> None:
    assert ratios.Stored.parse(stored(1.9)).losses(with_noise(report, 0.0))
    assert not ratios.Stored.parse(stored(1.9)).losses(with_noise(report, 0.1))
    assert ratios.Stored.parse(stored(2.5)).losses(with_noise(report, 0.1))


def test_another_kind_of_cpu_may_differ_more(report: Report) -> None:
    assert not ratios.Stored.parse(stored(2.0, "another")).losses(report)
    (loss,) = ratios.Stored.parse(stored(3.0, "another")).losses(report)
    assert "65% between runs added" in loss.words()


@pytest.mark.parametrize("versus", ratios.NOT_OURS)
def test_what_tells_of_others_is_not_stored(report: Report, versus: str) -> None:
    results = [
        dataclasses.replace(result, rows=[dataclasses.replace(row, versus=versus) for row in result.rows])
        for result in report.results
    ]
    assert ratios.to_store(dataclasses.replace(report, results=results))["ratios"] == {}


def test_a_gain_is_no_loss(report: Report) -> None:
    assert not ratios.Stored.parse(stored(1.2)).losses(report)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {},
        {"ratios": {KEY: 1}},
        {"ratios": {"other": {"low": 1.0}}},
        stored(1.0) | {"ratios": {KEY: 1}},
        stored(1.0) | {"ratios": {"other": {"low": 1.0}}},
    ],
)
def test_a_file_that_cannot_be_compared_is_refused(report: Report, wrong: object) -> None:
    with pytest.raises(BadReport, match="sockhop bench --quick --save-ratios FILE"):
        ratios.Stored.parse(wrong).losses(report)


def test_another_congestion_control_is_refused(report: Report) -> None:
    with pytest.raises(
        BadReport, match=r"are of TCP with bbr, and this run's is reno: .* --congestion-control bbr"
    ):
        ratios.Stored.parse(stored(1.0, congestion_control="bbr")).losses(report)


def test_what_was_not_measured_has_not_held(report: Report) -> None:
    before = ratios.Stored.parse(
        {
            **stored(1.0),
            "ratios": {KEY: {"low": 1.0}, "rr-1M-nodelay-1cpu: hop / tcp": {"low": 9.0}, "gone": {"low": 1}},
        }
    )
    assert before.held(report) == {KEY}
    assert before.missing(report) == ["gone"]
    failed = [
        dataclasses.replace(result, rows=[dataclasses.replace(row, failed="why") for row in result.rows])
        for result in report.results
    ]
    assert before.held(dataclasses.replace(report, results=failed)) == set()
