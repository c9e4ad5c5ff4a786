"""Distributions of latency."""

from pathlib import Path

import pytest

from sockhop.bench import tails
from sockhop.bench.cases import postgres, wrk
from sockhop.bench.histogram import Histogram


def test_quantiles_are_those_of_the_messages() -> None:
    histogram = Histogram({1000: 9890, 2000: 100, 9000: 10}, 9100)
    assert histogram.points() == {"p50": 1e-6, "p99": 2e-6, "p99.9": 2e-6, "max": 9.1e-6}


def test_points_beyond_which_there_is_too_little_are_not_told() -> None:
    assert set(Histogram({1000: 9999}, 1000).points()) == {"p50", "p99", "max"}
    assert set(Histogram({1000: 999}, 1000).points()) == {"p50", "max"}
    assert set(Histogram({1000: 10}, 1000).points()) == {"max"}


def test_durations_go_into_the_buckets_of_the_programs() -> None:
    made = Histogram.of([(63, 1), (64, 2), (1_000_000, 3), (1_000_100, 4)])
    # A power of two has 64: 1,000,000 is of the one that begins at 2^19 + 58 * 2^13.
    assert (made.counts, made.longest) == ({63: 1, 64: 2, (64 + 58 << 13) + (1 << 12): 7}, 1_000_100)


def test_what_wrk_tells_is_a_distribution() -> None:
    told = {"requests": 1000, "slowest": [[900, 1], [80, 19]], "others": list(range(1, 50))}
    histogram = wrk.histogram(told)
    assert sum(histogram.counts.values()) == 1000
    assert histogram.points()["max"] == 900e-6
    assert histogram.quantile(0.5) == pytest.approx(25e-6, rel=0.03)
    assert histogram.quantile(0.99) == pytest.approx(80e-6, rel=0.01)


def test_what_pgbench_writes_down_is_a_distribution(tmp_path: Path) -> None:
    (tmp_path / "pgbench.12").write_text("0 1 250 0 1700000000 1\n1 1 63 0 1700000000 2\n")
    histogram = postgres.durations(tmp_path / "pgbench")
    assert (sum(histogram.counts.values()), histogram.longest) == (2, 250_000)
    assert list(tmp_path.iterdir()) == []  # or the next sample would have it too


def test_a_ratio_of_tails_is_that_of_all_rounds_together() -> None:
    quick, slow = Histogram({10: 995, 20: 5}, 20), Histogram({10: 980, 40: 20}, 40)
    assert tails.ratio(0.99, [quick] * 6, [slow] * 6) == (0.25, 0.25, 0.25)
    # One round in six is slow: whether it decides is chance.
    value, low, high = tails.ratio(0.995, [quick] * 5 + [slow], [quick] * 6)
    assert (value, low, high) == (2, 1, 4)
    assert tails.ratio(0.995, [quick] * 5 + [slow], [quick] * 6) == (value, low, high)


def test_a_bucket_ends_at_the_longest() -> None:
    assert Histogram({2048: 3}, 2030).quantile(0.5) == 2030e-9


def test_merged_is_as_if_measured_at_once() -> None:
    merged = Histogram.merge([Histogram({1: 2, 5: 1}, 5), Histogram({1: 1, 7: 4}, 8)])
    assert (merged.counts, merged.longest) == ({1: 3, 5: 1, 7: 4}, 8)


@pytest.mark.parametrize("printed", [{"max": 5, "buckets": [[1, 2], [5, 1]]}, {"max": 0, "buckets": []}])
def test_it_is_written_as_the_programs_print_it(printed: dict[str, object]) -> None:
    assert Histogram.parse(printed).as_json() == printed
