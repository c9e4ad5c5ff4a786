"""States that take turns: each is what it says, or there is no number."""

import contextlib
from collections.abc import Iterator

import pytest

from sockhop.bench import turns
from sockhop.bench.machine import Failed
from sockhop.kernel.abi import Outcome, Traffic


class Pair:
    """One that never rests: whenever it is looked at, whatever it is in has counted another hop."""

    def __init__(self, counted_by: dict[str, str]) -> None:
        self.counted_by, self.state = counted_by, ""
        self.counters = {name: Traffic() for name in counted_by}

    @contextlib.contextmanager
    def enter(self, name: str) -> Iterator[None]:
        self.state = name
        yield

    def traffic(self, name: str) -> list[Traffic]:
        self.counters[self.counted_by[self.state]].messages[Outcome.HOP] += 1
        return [self.counters[name]]

    def stage(self) -> turns.Stage:
        """Both states."""
        return turns.Stage(
            {
                name: turns.State(lambda name=name: self.enter(name), lambda name=name: self.traffic(name))  # type: ignore[misc]
                for name in self.counted_by
            }
        )


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLICE", "SETTLE", "START_SECONDS"):
        monkeypatch.setattr(turns, name, 0.0)


def test_each_state_counts_its_own_hops() -> None:
    stage = Pair({"unruled": "unruled", "hop": "hop"}).stage()
    turns.await_hops(stage)
    rates = turns.take_turns(stage, 3)
    assert {name: len(each) for name, each in rates.items()} == {"unruled": 4, "hop": 4}


def test_a_state_that_is_another_gives_no_number() -> None:
    stage = Pair({"unruled": "hop", "hop": "hop"}).stage()
    with pytest.raises(Failed, match="unruled: nothing hopped"):
        turns.await_hops(stage)
    with pytest.raises(Failed, match=r"unruled: \d+ messages hopped by hop"):
        turns.take_turns(stage, 1)
