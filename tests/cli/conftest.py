"""The sandbox that every test of the command line runs in."""

from collections.abc import Iterator

import pytest

from tests.cli import sandbox as sandboxes
from tests.cli.sandbox import Sandbox


@pytest.fixture
def sandbox(bpf: None) -> Iterator[Sandbox]:
    """A private part of the machine."""
    with sandboxes.sandbox() as made:
        yield made
