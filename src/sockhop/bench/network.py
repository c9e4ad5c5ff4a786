"""The ways between a client and a server: loopback, IPv6, and veth with or without a bridge and NAT.

Each namespace belongs to the run alone, so that no address can collide with the machine's. What not every
machine has (a bridge, nftables) is made at its first use, so that it fails nobody else::

    near 10.0.0.1 ── veth ── 10.0.0.2 far
    near 10.0.1.1 ── veth ── bridge in middle ── veth ── 10.0.1.2 far
    near asks 10.0.1.254, which is the bridge itself, and is translated to 10.0.1.2
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

from sockhop.bench.machine import FAR, LOCAL, Machine, run

_BRIDGED, _TRANSLATED = "10.0.1.2", "10.0.1.254"
_RULES = f"""
table ip sockhop_bench {{
  chain before {{
    type nat hook prerouting priority dstnat
    ip daddr {_TRANSLATED} tcp dport 5000-5999 dnat to {_BRIDGED}
  }}
  chain after {{
    type nat hook postrouting priority srcnat
    ip daddr {_BRIDGED} masquerade
  }}
}}
"""


@dataclass(frozen=True)
class Route:
    """How a client reaches its server."""

    name: str
    title: str
    asked: str
    """The host that the client asks, as in a URL."""
    served: str
    """The host where the server listens."""
    far: bool
    """Whether the server is in the far namespace, or beside the client."""
    prepare: Callable[[Machine], None]
    """Make it, if that has not been done. Raises Failed."""


def _nothing(machine: Machine) -> None:
    """It is there."""


@functools.cache
def _bridge(machine: Machine) -> None:
    """Connect both namespaces to a bridge in a third one."""
    run("ip", "-n", machine.middle, "link", "add", "bridge", "type", "bridge")
    run("ip", "-n", machine.middle, "link", "set", "bridge", "up")
    for netns, address in ((machine.near, "10.0.1.1"), (machine.far, _BRIDGED)):
        port = netns.rpartition("-")[2]
        run(
            "ip",
            "-n",
            netns,
            "link",
            "add",
            "middle",
            "type",
            "veth",
            "peer",
            "name",
            port,
            "netns",
            machine.middle,
        )
        run("ip", "-n", netns, "addr", "add", f"{address}/24", "dev", "middle")
        run("ip", "-n", netns, "link", "set", "middle", "up")
        run("ip", "-n", machine.middle, "link", "set", port, "master", "bridge", "up")


@functools.cache
def _translate(machine: Machine) -> None:
    """Let the third namespace be a router that translates both addresses."""
    _bridge(machine)
    run("ip", "-n", machine.middle, "addr", "add", f"{_TRANSLATED}/24", "dev", "bridge")
    machine.write_sysctl(machine.middle, "ip_forward", "1")
    run("ip", "netns", "exec", machine.middle, "nft", _RULES)


LOOPBACK = Route("loopback", "loopback", LOCAL, LOCAL, far=False, prepare=_nothing)
VETH = Route("veth", "veth", FAR, FAR, far=True, prepare=_nothing)
ROUTES = (
    Route("ipv6", "IPv6 loopback", "[::1]", "[::1]", far=False, prepare=_nothing),
    VETH,
    Route("bridge", "veth and a bridge", _BRIDGED, _BRIDGED, far=True, prepare=_bridge),
    Route("nat", "veth, a bridge and NAT", _TRANSLATED, _BRIDGED, far=True, prepare=_translate),
)
