"""What the attacks share: the compiled programs, and a kernel log that stays quiet."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Scope
from tests.stress.harness import quiet_kernel


@pytest.fixture(autouse=True)
def _quiet_kernel(bpf: None) -> Iterator[None]:
    with quiet_kernel():
        yield


@pytest.fixture(scope="session")
def hazard(c_tool: Callable[[str], Path]) -> Path:
    return c_tool("tests/auto/hazard.c")


@pytest.fixture
def auto(make_scope: Callable[..., Scope]) -> Scope:
    """A scope in auto mode that knows no class yet."""
    return make_scope(mode="auto")


@pytest.fixture
def eager(make_scope: Callable[..., Scope]) -> Scope:
    """A scope in which hops break what they can break."""
    return make_scope(mode="eager")


@pytest.fixture
def scope(make_scope: Callable[..., Scope]) -> Scope:
    """A scope in auto mode, with this process inside."""
    made = make_scope(mode="auto")
    made.enter()
    return made
