"""A sample counts only if it went its arm's way."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sockhop.bench.arms import BULK, MOST, Carried, HopSession, Least, Sent, prove_hops
from sockhop.bench.machine import Failed

KB = 1000


@pytest.mark.parametrize(
    ("sent", "hop", "stack"),
    [
        (Sent(100, MOST, 50 * KB, 0.0), Carried(100, 100 * KB), Carried()),
        (Sent(100, MOST, 50 * KB, 0.05), Carried(95, 95 * KB), Carried(5, 5 * KB)),
        (Sent(100), Carried(95, 1), Carried(5, 1)),
        (Sent(80, Least(0.5)), Carried(40, 1), Carried(40, 1)),
        # Bulk: a tenth of the bytes, however many messages that are.
        (Sent(100, BULK, 100 * KB, 0.85), Carried(2, 15 * KB), Carried(98, 85 * KB)),
        # Round trips of which all that came back, and half of what was sent, took the stack.
        (Sent(100, BULK, 50 * KB, 0.5), Carried(25, 25 * KB), Carried(75, 75 * KB)),
        # Beside another program: its own bytes are known by TCP alone.
        (Sent(100, MOST, 100 * KB, 0.05, alone=False), Carried(200, 200 * KB), Carried(400, 400 * KB)),
    ],
)
def test_what_hopped_counts(sent: Sent, hop: Carried, stack: Carried) -> None:
    prove_hops(sent, hop, stack)


@pytest.mark.parametrize(
    ("sent", "hop", "stack", "why"),
    [
        (Sent(100), Carried(80), Carried(20), "80 of 100 messages hopped"),
        (Sent(100), Carried(), Carried(), "0 of 100 messages hopped"),
        (Sent(90), Carried(90), Carried(20), "90 of 110 messages hopped"),
        (Sent(100, MOST, KB, 0.5), Carried(100, KB), Carried(), r"TCP carried 50\.0%"),
        (Sent(100, BULK, 100 * KB, 1.0), Carried(), Carried(100, 100 * KB), "0 of 100000 bytes hopped"),
        (Sent(100, BULK, 100 * KB, 0.0), Carried(50, 50 * KB), Carried(50, 50 * KB), "TCP carried 0$"),
        (Sent(100, BULK, 100 * KB, 0.8), Carried(100, 100 * KB), Carried(), "TCP carried 80000$"),
        (Sent(100, MOST, 100 * KB, 0.2, alone=False), Carried(900, 900 * KB), Carried(), r"TCP carried 20\.0%"),
    ],
)
def test_what_did_not_is_no_number(sent: Sent, hop: Carried, stack: Carried, why: str) -> None:
    with pytest.raises(Failed, match=why):
        prove_hops(sent, hop, stack)


@pytest.mark.parametrize(
    ("states", "learned"),
    [
        ([], False),
        ([(1, "hopping"), (1, "hopping")], True),
        ([(1, "hopping"), (1, "learning")], False),
        # The other end of what stays on the stack has nothing more to show.
        ([(1, "stack"), (1, "learning")], True),
        ([(1, "stack"), (2, "learning")], False),
    ],
)
def test_a_service_has_learned_when_both_ends_have_or_one_is_kept(
    states: list[tuple[int, str]], learned: bool
) -> None:
    classes = [SimpleNamespace(cgroup=7, port=port, state=state) for port, state in states]
    hops: Any = SimpleNamespace(classes=lambda: classes)
    assert HopSession(Path("/cgroup"), hops).has_learned() is learned
