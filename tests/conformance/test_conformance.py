"""Every case, on plain TCP and then hopped: an application cannot tell the difference."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from sockhop.control import accelerator
from tests.conformance import cases  # noqa: F401  # registers them
from tests.conformance.context import Counters
from tests.conformance.harness import Arm, run_arm
from tests.conformance.owner import InItsOwn, InThisProcess, Scope
from tests.conformance.registry import CASES, UNTRACKED, Case

pytestmark = pytest.mark.bpf


@cache
def plain(name: str) -> Arm:
    """The plain arm, which both tests of a case compare with."""
    return run_arm(CASES[name], None, None)


@pytest.fixture(autouse=True)
def _short_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some cases never become empty, and closing waits for them."""
    monkeypatch.setattr(accelerator, "DRAIN_SECONDS", 0.5)


@pytest.mark.parametrize("name", CASES)
def test_hopped(
    name: str, make_scope: Callable[..., Scope], record_property: Callable[[str, object], None]
) -> None:
    case = CASES[name]
    expected = plain(name)
    scope = make_scope(**case.options)
    owner = InItsOwn(scope) if case.own_process else InThisProcess(scope)
    try:
        hopped = run_arm(case, scope.enter, owner.control)
        counted = owner.all_counted()
    finally:
        owner.end()
    if case.differs:
        record_property("mended" if hopped.saw == expected.saw else "differs", case.differs.reason)
        assert hopped.saw == case.differs.hopped, f"not as in: {case.differs.reason}"
        assert expected.saw != case.differs.hopped, "plain TCP does the same now: there is no difference"
    else:
        assert hopped.saw == expected.saw
    for amount, bound in case.bounds.items():
        assert hopped.measured[amount] <= max(bound.times * expected.measured[amount], bound.slack), amount
    assert_path(case, counted)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.paused_too])
def test_paused(name: str, make_scope: Callable[..., Scope]) -> None:
    """Tracked sockets whose bytes all take the stack."""
    case = CASES[name]
    expected = plain(name)
    scope = make_scope(**case.options)
    scope.hops.pause()
    paused = run_arm(case, scope.enter, None)
    assert paused.saw == expected.saw
    status = scope.hops.status()
    assert status.hop.messages == 0
    assert status.stack.reasons["paused"] > 0


def assert_path(case: Case, counted: list[Counters]) -> None:
    """The bytes went where the case says."""
    hops = sum(each["hop"] for each in counted)
    assert hops >= case.hops, counted
    if case.stays == UNTRACKED:
        assert [each["hop"] + each["stack"] for each in counted] == [0] * len(counted), counted
    elif case.stays:
        group, _, reason = case.stays.partition(".")
        table = counted[-1]["reasons"] if group == "reasons" else counted[-1]["refused"]
        assert table[reason] > 0, counted
