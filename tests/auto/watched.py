"""What is attached at reads in a scope."""

from sockhop.control.watching import GUARD, LOOKS_TO_STOP, READS
from tests.conftest import Scope


def is_watched(scope: Scope) -> bool:
    """Whether the kernel has the program attached from which classes learn."""
    return _is_attached(scope, READS)


def is_guarded(scope: Scope) -> bool:
    """The same of what looks after sockets in the map."""
    return _is_attached(scope, GUARD)


def _is_attached(scope: Scope, link: str) -> bool:
    return (scope.hops._up().directory / link).exists()


def stop_watching(scope: Scope) -> None:
    """Do what the agent does."""
    for _ in range(LOOKS_TO_STOP):
        scope.hops.walk()
    assert not is_watched(scope)
