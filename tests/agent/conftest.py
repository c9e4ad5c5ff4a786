"""The sandbox of the command line's tests, and agents in it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.agent.running import Agent, running
from tests.cli import sandbox as sandboxes
from tests.cli.sandbox import Sandbox


@pytest.fixture
def sandbox(bpf: None) -> Iterator[Sandbox]:
    """A private part of the machine."""
    with sandboxes.sandbox() as made:
        yield made


@pytest.fixture
def start(sandbox: Sandbox) -> Iterator[Callable[..., Agent]]:
    """Return what starts an agent; its options are those of :func:`running`."""
    with ExitStack() as stack:

        def make(*arguments: str, **options: Any) -> Agent:
            return stack.enter_context(running(sandbox, *arguments, **options))

        yield make
