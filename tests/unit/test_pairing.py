"""Which sockets are taken for the two ends of one connection."""

from typing import Any

import pytest

from sockhop.control.ends import End
from sockhop.control.flows import Filter
from sockhop.control.pairing import Flow, paired
from sockhop.kernel.abi import FlowFlag
from tests.unit.making_flows import IN, PLAIN, end, flow

NOT_OURS: dict[str, Any] = {"flags": PLAIN, "peer": 0}


def pairs(*ends: End) -> list[tuple[int, int]]:
    """Cookies of the clients and servers that were put together; 0 for what stayed alone."""
    return sorted(
        (flow.client.cookie if flow.client else 0, flow.server.cookie if flow.server else 0)
        for flow in paired(ends)
    )


def test_by_cookie_whatever_the_addresses() -> None:
    client = end("client", remote_address="10.96.0.1", remote_port=80, netns_cookie=5)
    assert pairs(end("server", peer=0), client) == [(1, 2)]
    assert pairs(end("server"), end("client", peer=0, netns_cookie=5, local_port=9)) == [(1, 2)]


def test_a_peer_that_is_gone_is_not_taken_for_another() -> None:
    gone = end("server", (*IN, FlowFlag.PEER_GONE), local_port=9, snd=5)
    assert pairs(gone, end("client", peer=0)) == [(0, 2), (1, 0)]


def test_by_addresses() -> None:
    assert pairs(end("client", **NOT_OURS), end("server", **NOT_OURS)) == [(1, 2)]


def test_the_same_addresses_in_two_namespaces() -> None:
    ends = [
        end(role, **NOT_OURS, cookie=10 * namespace + number, netns_cookie=namespace)
        for namespace in (1, 2)
        for number, role in enumerate(("client", "server"))
    ]
    assert pairs(*ends) == pairs(*reversed(ends)) == [(10, 11), (20, 21)]


def test_from_one_namespace_to_another() -> None:
    assert pairs(end("client", **NOT_OURS), end("server", **NOT_OURS, netns_cookie=2)) == [(1, 2)]


def test_mirrored_addresses_of_other_connections() -> None:
    """A namespace has the same addresses, and another connection."""
    stranger = end("server", **NOT_OURS, netns_cookie=2, snd=1 << 31, rcv=1 << 30)
    assert len(pairs(end("client", **NOT_OURS), stranger)) == 2
    assert (1, 3) in pairs(
        end("client", **NOT_OURS), stranger, end("server", **NOT_OURS, cookie=3, netns_cookie=9)
    )


@pytest.mark.parametrize("sent", [0, 1, 100_000_000])
def test_bytes_may_be_on_their_way(sent: int) -> None:
    around = (1 << 32) - 50
    client = end("client", **NOT_OURS, snd=(around + sent) % (1 << 32))
    assert pairs(client, end("server", **NOT_OURS, rcv=around)) == [(1, 2)]


def test_through_translated_addresses_by_numbers() -> None:
    client = end("client", **NOT_OURS, remote_address="10.96.0.1", remote_port=80)
    assert pairs(client, end("server", **NOT_OURS, netns_cookie=2)) == [(1, 2)]
    assert len(pairs(client, end("server", **NOT_OURS, netns_cookie=2, tcp_state="close_wait"))) == 2


def test_roles_that_were_guessed_alike() -> None:
    """A client that has bound its port looks like a server."""
    one = end("server", **NOT_OURS, cookie=1, local_port=40000, remote_port=6379, snd=1000, rcv=2000)
    (made,) = paired([one, end("server", **NOT_OURS)])
    assert made.client
    assert (made.client.cookie, made.client.role) == (1, "client")


def test_a_socket_connected_to_itself_is_alone() -> None:
    assert pairs(end("server", **{**NOT_OURS, "remote_port": 6379, "rcv": 2000})) == [(0, 2)]


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (Filter(), True),
        (Filter(port=6379), True),
        (Filter(port=40000), True),
        (Filter(port=80), False),
        (Filter(address="127.0.0.1"), True),
        (Filter(address="::1"), False),
        (Filter(address="127.0.0.1", port=6379), True),
        (Filter(pid=100), True),
        (Filter(pid=100, descriptor=5), True),
        (Filter(pid=100, descriptor=6), False),
        (Filter(pid=1), False),
        (Filter(state="established"), True),
        (Filter(state="close_wait"), False),
    ],
)
def test_filters(wanted: Filter, matches: bool) -> None:
    assert wanted.matches(flow()) is matches


def test_an_address_and_a_port_are_those_of_one_end() -> None:
    lone = Flow(end("client", remote_address="10.0.0.9"), None)
    assert Filter(address="10.0.0.9", port=6379).matches(lone)
    assert not Filter(address="10.0.0.9", port=40000).matches(lone)
