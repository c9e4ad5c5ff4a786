"""Distributions of latency."""

import pytest

from sockhop.bench.histogram import Histogram


def test_quantiles_are_those_of_the_messages() -> None:
    histogram = Histogram({1000: 989, 2000: 10, 9000: 1}, 9100)
    assert histogram.points() == {"p50": 1e-6, "p99": 2e-6, "p99.9": 2e-6, "max": 9.1e-6}


def test_a_bucket_ends_at_the_longest() -> None:
    assert Histogram({2048: 3}, 2030).quantile(0.5) == 2030e-9


def test_merged_is_as_if_measured_at_once() -> None:
    merged = Histogram.merge([Histogram({1: 2, 5: 1}, 5), Histogram({1: 1, 7: 4}, 8)])
    assert (merged.counts, merged.longest) == ({1: 3, 5: 1, 7: 4}, 8)


@pytest.mark.parametrize("printed", [{"max": 5, "buckets": [[1, 2], [5, 1]]}, {"max": 0, "buckets": []}])
def test_it_is_written_as_the_programs_print_it(printed: dict[str, object]) -> None:
    assert Histogram.parse(printed).as_json() == printed
