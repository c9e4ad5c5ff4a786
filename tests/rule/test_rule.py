"""The rule decides about recorded messages as it did when real programs sent them, and follows its constants."""

from collections import Counter
from collections.abc import Callable

import pytest

from sockhop.kernel.abi import Outcome
from tests.rule import decisions
from tests.rule.decisions import Decision, Rule

#: What each trace must hold, or it shows nothing.
SEEN = {
    "redis": {Outcome.HOP, Outcome.PAUSED},
    "nginx": {Outcome.HOP},
    "nc-file": {Outcome.HOP},
    "socat-nagle": {Outcome.HOP, Outcome.NAGLE_BURST},
    "paused-reader-large": {Outcome.HOP},
    "paused-reader-small": {Outcome.HOP, Outcome.UNREAD},
}


@pytest.fixture(scope="module")
def rule(tmp_path_factory: pytest.TempPathFactory) -> Rule:
    """The rule as a function."""
    folder = tmp_path_factory.mktemp("recorder")
    return Rule(folder, decisions.layout_of(decisions.compile_recorder(folder)))


def outcomes(taken: list[Decision]) -> Counter[Outcome]:
    """How often each outcome is among the decisions."""
    return Counter(Outcome(decision["after.outcome"]) for decision in taken)


@pytest.mark.parametrize("name", SEEN)
def test_recorded_messages_go_the_same_way(rule: Rule, name: str) -> None:
    """Each decision, and each field of the end that it leaves behind."""
    recorded = decisions.read(name)
    assert SEEN[name] <= outcomes(recorded).keys()
    for number, decision in enumerate(recorded):
        now = rule.decide(decision)
        different = {
            field: (was, now[field])
            for field, was in decision.items()
            if field.startswith("after.") and not field.startswith("after.peer.") and now.get(field) != was
        }
        assert not different, f"decision {number} of {name}: recorded and now"


def test_every_trace_is_replayed() -> None:
    """None lies there for nothing."""
    assert decisions.traces() == sorted(SEEN)


@pytest.mark.parametrize(
    ("name", "changes", "outcome", "more"),
    [
        ("socat-nagle", {"burst_messages": 1 << 30}, Outcome.NAGLE_BURST, False),
        ("socat-nagle", {"burst_bytes": 0}, Outcome.NAGLE_BURST, False),
        ("socat-nagle", {"burst_messages": 0}, Outcome.NAGLE_BURST, True),
        ("paused-reader-small", {"queue_messages": 2}, Outcome.FULL, True),
        ("redis", {"paused": 1}, Outcome.PAUSED, True),
        ("redis", {"epoch": 1 << 20}, Outcome.RECHECK, True),
    ],
)
def test_constants_are_followed(
    rule: Rule, name: str, changes: dict[str, int], outcome: Outcome, more: bool
) -> None:
    """Another setting than the recorded one sends more messages that way, or none."""
    recorded = decisions.read(name)
    before = outcomes(recorded)[outcome]
    after = outcomes([rule.decide(decision, **changes) for decision in recorded])[outcome]
    assert after > before if more else after == 0 < before


def test_what_fills_a_segment_is_no_burst(rule: Rule) -> None:
    """Writes of 8 KB with Nagle's algorithm, on loopback and where segments hold a byte more, and as much."""
    recorded = decisions.read("socat-nagle")
    bursts = outcomes(recorded)[Outcome.NAGLE_BURST]
    for segment, expected in ((8193, bursts), (8192, 0)):
        replayed = [rule.decide(decision | {"start.me.mss_clamp": segment}) for decision in recorded]
        assert outcomes(replayed)[Outcome.NAGLE_BURST] == expected
    assert bursts


def test_who_sends_less_is_not_held_back(rule: Rule) -> None:
    """Of messages that find their reader behind: what is small, and what TCP joins."""
    recorded = decisions.read("paused-reader-large")
    segment = (1 << 16) - 1
    joined = [
        decision | {"start.me.nonagle": 0, "start.me.mss_clamp": segment}
        for decision in recorded
        if decision["size"] < segment
    ]
    assert any(decision["after.wait"] for decision in recorded)
    assert any(rule.decide(decision, burst_bytes=0)["after.wait"] for decision in joined)
    assert not any(rule.decide(decision, small_bytes=1 << 30)["after.wait"] for decision in recorded)
    assert not any(rule.decide(decision, burst_messages=1 << 30)["after.wait"] for decision in joined)


#: What forbids a hop, whatever else is so: columns that the change sets, from those of the decision.
FORBIDS: dict[str, Callable[[Decision], Decision]] = {
    "unread bytes of the stack": lambda was: {
        "start.peer.rcv_nxt": (was["start.me.write_seq"] - 1) % 2**32,
        "start.peer.copied_seq": (was["start.me.write_seq"] - 1) % 2**32,
    },
    "bytes on their way into the queue": lambda was: {
        "start.peer.copied_seq": (was["start.me.write_seq"] - 1) % 2**32,
        "start.peer.backlog": 1,
    },
    "a full queue": lambda was: {"start.peer.unread": 2 * was["start.peer.rcvbuf"]},
    "another socket at the peer's address": lambda was: {"start.peer.cookie": was["start.peer.cookie"] + 1},
    "a peer that has closed": lambda _was: {"start.peer.state": 7},
    "a sender that has shut down": lambda _was: {"start.me.state": 4},
    "a reader that waits for more": lambda _was: {"start.peer.rcvlowat": 2},
    "a reader whose cgroup has used up its memory": lambda _was: {
        "start.peer.near_limit": 1,
        "start.peer.forward_alloc": 0,
    },
}


@pytest.mark.parametrize("why", FORBIDS)
@pytest.mark.parametrize("name", SEEN)
def test_what_forbids_a_hop(rule: Rule, name: str, why: str) -> None:
    """No message that hopped would have hopped then."""
    hopped = [decision for decision in decisions.read(name) if decision["after.outcome"] == Outcome.HOP]
    assert hopped
    for decision in hopped:
        assert rule.decide(decision | FORBIDS[why](decision))["after.outcome"] != Outcome.HOP
