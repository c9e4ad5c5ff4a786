"""What the stress tests share: a watched kernel log, and places over veth."""

from collections.abc import Iterator

import pytest

from tests.stress.harness import LOOPBACK, Place, quiet_kernel, two_namespaces

PLACES = [*map(str, LOOPBACK), "veth-4", "veth-6"]


@pytest.fixture(autouse=True)
def _quiet_kernel() -> Iterator[None]:
    with quiet_kernel():
        yield


@pytest.fixture(scope="module")
def _veth() -> Iterator[dict[str, Place]]:
    with two_namespaces() as places:
        yield places


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    """Each place in turn: IPv4, IPv6 and v4-mapped on the loopback, IPv4 and IPv6 over veth."""
    known = {str(place): place for place in LOOPBACK}
    if request.param not in known:
        known = request.getfixturevalue("_veth")
    return known[request.param]
