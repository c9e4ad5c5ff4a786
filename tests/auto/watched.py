"""Whether reads are watched in a scope."""

from sockhop.control.watching import LINK, QUIET_LOOKS
from tests.conftest import Scope

#: After so many walks without anything to learn reads are no longer watched.
WALKS = QUIET_LOOKS + 2


def is_watched(scope: Scope) -> bool:
    """Whether the kernel has the program attached."""
    return (scope.hops._up().directory / LINK).exists()


def stop_watching(scope: Scope) -> None:
    """Do what the agent does."""
    for _ in range(WALKS):
        scope.hops.walk()
    assert not is_watched(scope)
