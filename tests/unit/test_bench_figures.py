"""The statistics of the benchmarks, and what is concluded from them."""

import dataclasses
import math
import random

import pytest

from sockhop.bench import running
from sockhop.bench.comparison import Comparison
from sockhop.bench.effort import QUICK, Effort
from sockhop.bench.figures import NEVER_SLOWER, NOISY, SURE, Row, Wanted, interval, noise, summarise


def row(value: float, low: float, high: float, wanted: Wanted | None, noise: float | None = 0.01) -> Row:
    """A row about a ratio."""
    return Row(
        "case",
        "title",
        "hop / tcp",
        "x",
        value=value,
        low=low,
        high=high,
        wanted=wanted,
        noise=noise,
        samples=(value,) * SURE,
    )


def rounds() -> set[int]:
    """How many samples the results of a whole run and of a quick one are made of."""
    efforts = (Effort(), QUICK)
    compared = {case.count(effort) for case in running.CASES if isinstance(case, Comparison) for effort in efforts}
    return compared | {effort.rounds for effort in efforts}


def test_there_are_enough_rounds_for_an_interval() -> None:
    assert min(rounds()) >= SURE


@pytest.mark.parametrize("skewed", [False, True])
@pytest.mark.parametrize("count", sorted(rounds()))
def test_the_interval_holds_the_median_nineteen_times_in_twenty(count: int, skewed: bool) -> None:
    chance, hits = random.Random(1), 0
    for _ in range(1000):
        samples = [chance.gauss(0, 0.5) for _ in range(count)]
        low, high = interval([math.exp(sample) for sample in samples] if skewed else samples)
        hits += low <= (1 if skewed else 0) <= high
    assert hits / 1000 == pytest.approx(0.95, abs=0.02)


def test_the_interval_of_few_samples_is_all_of_them() -> None:
    assert interval([1.0, 1.1, 0.9, 1.2, 1.05]) == (0.9, 1.2)
    assert interval([1.0]) == (1.0, 1.0)


def test_few_samples_are_never_sure() -> None:
    few = dataclasses.replace(row(1.7, 1.65, 1.75, Wanted(1.6)), samples=(1.65, 1.7, 1.75, 1.7, 1.7))
    assert (few.verdict, few.sure) == ("met", False)


def test_a_summary_keeps_the_samples() -> None:
    made = summarise(lambda **given: Row("case", "title", "", "s", **given), [3.0, 1.0, 2.0])
    assert (made.value, made.samples) == (2.0, (3.0, 1.0, 2.0))


def test_noise_is_how_far_an_arm_strays_from_itself() -> None:
    assert noise([100.0] * 8) == 0
    quiet, loud = noise([100, 101, 99, 100, 101, 99, 100]), noise([100, 150, 80, 120, 60, 140, 100])
    assert quiet is not None
    assert loud is not None
    assert quiet < NOISY < loud
    assert noise([100.0, 200.0]) is None  # two cannot tell


@pytest.mark.parametrize(
    ("value", "low", "high", "wanted", "verdict", "sure"),
    [
        (1.7, 1.65, 1.75, Wanted(1.6), "met", True),
        (1.7, 1.55, 1.75, Wanted(1.6), "met", False),
        (1.5, 1.45, 1.65, Wanted(1.6), "missed", False),
        (1.5, 1.45, 1.55, Wanted(1.6), "missed", True),
        (0.9, 0.8, 0.95, Wanted(1.0, at_least=False), "met", True),
        (1.1, 1.05, 1.2, Wanted(1.0, at_least=False), "missed", True),
        (1.1, 1.05, 1.2, None, "", True),
        # Never slower: below 0.97 only counts if the interval leaves out 1.
        (0.98, 0.975, 0.99, NEVER_SLOWER, "met", True),
        (0.95, 0.9, 0.99, NEVER_SLOWER, "missed", True),
        (0.95, 0.9, 1.02, NEVER_SLOWER, "missed", False),
        (1.0, 0.9, 1.02, NEVER_SLOWER, "met", False),
    ],
)
def test_verdicts(value: float, low: float, high: float, wanted: Wanted | None, verdict: str, sure: bool) -> None:
    made = row(value, low, high, wanted)
    assert (made.verdict, made.sure) == (verdict, sure)


def test_a_noisy_machine_tells_only_what_is_beyond_its_noise() -> None:
    narrow = (1.7, 1.65, 1.75, Wanted(1.6))
    assert row(*narrow, noise=0.04).verdict == "met"
    assert row(*narrow, noise=0.2).verdict == "noisy"
    assert row(2.5, 2.4, 2.6, Wanted(1.6), noise=0.2).verdict == "met"
    assert row(1.0, 0.9, 1.1, Wanted(1.6), noise=0.2).verdict == "missed"


def test_a_failure_is_never_a_number() -> None:
    failed = Row("case", "title", "hop / tcp", "x", wanted=Wanted(1.6), failed="why")
    assert (failed.verdict, failed.value, failed.samples) == ("failed", None, ())


def test_a_row_can_be_written_down() -> None:
    for made in (row(1.7, 1.6, 1.8, Wanted(1.6)), row(1.7, 1.6, 1.8, None, None)):
        assert Row.parse(made.as_json()) == made
