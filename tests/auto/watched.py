"""Whether reads are watched in a scope."""

from sockhop.control.watching import LINK, LOOKS_TO_STOP
from tests.conftest import Scope


def is_watched(scope: Scope) -> bool:
    """Whether the kernel has the program attached."""
    return (scope.hops._up().directory / LINK).exists()


def stop_watching(scope: Scope) -> None:
    """Do what the agent does."""
    for _ in range(LOOKS_TO_STOP):
        scope.hops.walk()
    assert not is_watched(scope)
