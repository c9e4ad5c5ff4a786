"""The JSON that other tools rely on, and the sums in it."""

import json

from sockhop.control import status
from sockhop.kernel.abi import Outcome, Refusal, Traffic

# DESIGN of the JSON: names may be added, never renamed.
REASONS = ["unread", "full", "recheck", "no_peer", "paused", "nagle_burst", "redirect_failed"]
ADDED_REASONS = ["closing", "rcvlowat", "memory", "window", "class"]
REFUSALS = ["map_full", "kernel_socket", "mptcp", "ulp", "busy"]
ADDED_REFUSALS = ["repair"]


def counters(first: int) -> Traffic:
    """One CPU's counters, each another number."""
    cpu = Traffic()
    for index in range(len(Outcome)):
        cpu.messages[index] = first + index
        cpu.bytes[index] = 1000 * (first + index)
    for index in range(len(Refusal)):
        cpu.refused[index] = first + index
    return cpu


def test_reasons_and_refusals_have_their_documented_names() -> None:
    assert [outcome.name.lower() for outcome in Outcome] == ["hop", *REASONS, *ADDED_REASONS]
    assert [refusal.name.lower() for refusal in Refusal] == [*REFUSALS, *ADDED_REFUSALS]


def test_json_has_the_documented_fields_in_their_order() -> None:
    shown = status.Status(
        "0.1.0",
        "up",
        "on",
        (status.Scope("/sys/fs/cgroup/a", 42),),
        status.Sockets(2, 65536, status.refusals([])),
        *status.traffic([]),
    ).as_json()
    assert json.dumps(shown) == json.dumps(
        {
            "schema": 1,
            "version": "0.1.0",
            "state": "up",
            "hops": "on",
            "scopes": [{"cgroup": "/sys/fs/cgroup/a", "id": 42}],
            "sockets": {
                "tracked": 2,
                "capacity": 65536,
                "refused": dict.fromkeys(REFUSALS + ADDED_REFUSALS, 0),
            },
            "hop": {"messages": 0, "bytes": 0},
            "stack": {"messages": 0, "bytes": 0, "reasons": dict.fromkeys(REASONS + ADDED_REASONS, 0)},
        }
    )


def test_down_has_the_same_fields() -> None:
    up = status.Status("", "up", "on", (), status.Sockets(0, 0, status.refusals([])), *status.traffic([]))
    assert status.down().as_json().keys() == up.as_json().keys()
    assert (status.down().state, status.down().scopes) == ("down", ())


def test_counters_of_all_cpus_are_added() -> None:
    hop, stack = status.traffic([counters(1), counters(100)])
    assert (hop.messages, hop.bytes) == (101, 101000)
    assert list(stack.reasons.values()) == [101 + 2 * outcome for outcome in Outcome if outcome]
    assert stack.messages == sum(stack.reasons.values())
    assert stack.bytes == 1000 * stack.messages
    refused = status.refusals([counters(1), counters(100)])
    assert list(refused.values()) == [101 + 2 * why for why in Refusal]
