"""The list of cases: what each one is called, runs, and must prove about the path that it took."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from tests.conformance.context import Context

# What a case saw: JSON, so that two arms compare with ==. Never a time, a port or a file descriptor.
Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Body: TypeAlias = "Callable[[Context], Json]"

UNTRACKED = "untracked"
"""`stays` of a case whose sockets must never be tracked: no message may be counted, hopped or not."""

HANG = "HANG"
"""The observation of an arm that did not end before its deadline."""


@dataclass(frozen=True)
class Differs:
    """A difference from plain TCP that the kernel makes and we cannot cure. It must still be there."""

    reason: str
    """The kernel's reason, naming its function."""
    hopped: Json
    """What the hopped arm sees instead."""


@dataclass(frozen=True)
class Bound:
    """A measured amount: hopped ≤ max(times x plain TCP's, slack)."""

    times: float
    slack: float = 0


@dataclass(frozen=True)
class Case:
    """One behaviour. `run` is called in a fresh process for each arm."""

    name: str
    run: Body
    hops: int = 1
    """The hopped arm must hop at least this many messages."""
    stays: str | None = None
    """Why the messages legitimately stay on the stack: "reasons.unread", "refused.map_full", UNTRACKED."""
    differs: Differs | None = None
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    options: Mapping[str, int] = field(default_factory=dict)
    """Options of the Accelerator."""
    deadline: float = 10.0
    """Seconds until the arm is killed and counts as HANG."""
    own_process: bool = False
    """The Accelerator lives in a process of its own, so that the case may kill it."""
    paused_too: bool = True
    """Run also with hops paused: tracked sockets whose bytes all take the stack."""


CASES: dict[str, Case] = {}


def case(
    *,
    hops: int | None = None,
    stays: str | None = None,
    differs: Differs | None = None,
    bounds: Mapping[str, Bound] | None = None,
    options: Mapping[str, int] | None = None,
    deadline: float = 10.0,
    own_process: bool = False,
    paused_too: bool | None = None,
) -> Callable[[Callable[..., Json]], Callable[..., Json]]:
    """Register the decorated function as a case, named `file.function`."""

    def register(run: Callable[..., Json]) -> Callable[..., Json]:
        name = f"{run.__module__.rpartition('.')[2]}.{run.__name__}"
        _add(
            Case(
                name=name,
                run=run,
                hops=hops if hops is not None else (0 if stays else 1),
                stays=stays,
                differs=differs,
                bounds=bounds or {},
                options=options or {},
                deadline=deadline,
                own_process=own_process,
                paused_too=paused_too if paused_too is not None else not (stays or differs or own_process),
            )
        )
        return run

    return register


def for_each(**values: Sequence[str]) -> Callable[[Callable[..., Json]], Callable[..., Json]]:
    """Multiply the case registered just below over one argument: `@for_each(kind=KINDS)` above `@case()`."""
    ((argument, choices),) = values.items()

    def multiply(run: Callable[..., Json]) -> Callable[..., Json]:
        name = f"{run.__module__.rpartition('.')[2]}.{run.__name__}"
        base = CASES.pop(name)
        for choice in choices:
            _add(replace(base, name=f"{name}-{choice}", run=_with(run, argument, choice)))
        return run

    return multiply


def _with(run: Callable[..., Json], argument: str, choice: str) -> Body:
    def bound(context: Context) -> Json:
        return run(context, **{argument: choice})

    return bound


def _add(new: Case) -> None:
    if new.name in CASES:
        raise ValueError(f"two cases are called {new.name}")
    CASES[new.name] = new
