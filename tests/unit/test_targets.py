"""What a target on the command line means."""

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockhop.cli import targets
from sockhop.control.flows import Filter


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1", Filter(port=1)),
        ("6379", Filter(port=6379)),
        ("65535", Filter(port=65535)),
        ("65536", Filter(pid=65536)),
        ("4194304", Filter(pid=4194304)),
        ("pid:7", Filter(pid=7)),
        ("pid:7/0", Filter(pid=7, descriptor=0)),
        ("4242/7", Filter(pid=4242, descriptor=7)),
        ("127.0.0.1:80", Filter(port=80, address="127.0.0.1")),
        ("[::1]:80", Filter(port=80, address="::1")),
        ("[2001:DB8:0:0::2]:80", Filter(port=80, address="2001:db8::2")),
        ("[::ffff:10.0.0.1]:80", Filter(port=80, address="10.0.0.1")),
    ],
)
def test_what_is_meant(text: str, wanted: Filter) -> None:
    assert targets.parse(text) == wanted


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is no target"),
        ("redis", "is no target"),
        ("-1", "is no target"),
        ("6379 ", "is no target"),
        ("٣", "is no target"),
        ("0", "ports are 1 to 65535"),
        ("4194305", "the numbers of processes are 1 to 4194304"),
        ("pid:0", "the numbers of processes are 1 to 4194304"),
        ("0/3", "the numbers of processes are 1 to 4194304"),
        ("pid:", "is no process"),
        ("pid:x", "is no process"),
        ("7/", "is no process"),
        ("/7", "is no process"),
        ("7/8/9", "is no process"),
        ("127.0.0.1", "is no target"),
        ("127.0.0.1:", "is no target"),
        ("127.0.0.1:0", "ports are 1 to 65535"),
        ("127.0.0.1:65536", "ports are 1 to 65535"),
        (":80", "is no IP address"),
        ("localhost:80", "is no IP address (names are not looked up)"),
        ("127.0.0.256:80", "is no IP address"),
        ("::1:80", "write an IPv6 address in brackets, as in [::1]:80"),
        ("[::1]", "is no target"),
        ("[::1]80", "is no target"),
        ("[fe80::1%eth0]:80", "leave out the zone, %eth0"),
        ("9" * 5000, "is too large"),
    ],
)
def test_what_means_nothing(text: str, complaint: str) -> None:
    with pytest.raises(click.BadParameter) as refused:
        targets.parse(text)
    message = str(refused.value.message)
    assert complaint in message
    assert "\n" not in message


@given(st.ip_addresses(), st.integers(1, 65535))
def test_any_address_with_any_port(address: object, port: int) -> None:
    text = f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"
    assert targets.parse(text).port == port


@given(st.text(st.sampled_from("0123456789:/.[]%pid fx-\n"), max_size=24) | st.text(max_size=24))
def test_anything_else_is_refused_as_such(text: str) -> None:
    try:
        found = targets.parse(text)
    except click.BadParameter:
        return
    assert (found.port is None) != (found.pid is None)
