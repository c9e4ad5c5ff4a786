"""Ends and connections made up for tests."""

from typing import Any

from sockhop.control.classes import Class
from sockhop.control.ends import End, Owner
from sockhop.control.pairing import Flow
from sockhop.control.settings import Settings
from sockhop.control.situation import Situation
from sockhop.kernel.abi import FlowFlag

PORT, CLIENT_PORT = 6379, 40000
UP = Situation("up", settings=Settings(), now_ns=100 * 10**9)
PLAIN = (FlowFlag.IN_SCOPE, FlowFlag.HAS_FILE)
IN = (*PLAIN, FlowFlag.PAIRED, FlowFlag.TRACKED, FlowFlag.IN_MAP)


def bits(*flags: FlowFlag) -> int:
    return sum(1 << flag for flag in flags)


def end(role: str = "server", flags: tuple[FlowFlag, ...] = IN, **fields: Any) -> End:
    """An end of a connection from 127.0.0.1:40000 to 127.0.0.1:6379, whose class hops."""
    local, remote = (PORT, CLIENT_PORT) if role == "server" else (CLIENT_PORT, PORT)
    values: dict[str, Any] = {
        "cookie": 2 if role == "server" else 1,
        "peer": 1 if role == "server" else 2,
        "netns_cookie": 1,
        "role": role,
        "tcp_state": "established",
        "local_address": "127.0.0.1",
        "local_port": local,
        "remote_address": "127.0.0.1",
        "remote_port": remote,
        "cgroup": 7,
        "cgroup_path": f"/sys/fs/cgroup/{role}",
        "owners": (Owner(100 if role == "server" else 200, 5, f"a-{role}"),),
        "flags": bits(*flags),
        "action": "learned",
        "allowed": "hopping",
        "class_state": "hopping",
        "class_reasons": (),
        "hazards": (),
        "outcome": "hop",
        "messages": 1,
        "hopped_messages": 1,
        "hopped_bytes": 1,
        "snd": 1000 if role == "client" else 2000,
        "rcv": 2000 if role == "client" else 1000,
        "instance": "service",
    }
    return End(**{**values, **fields})


def flow(flags: tuple[FlowFlag, ...] = IN, server: dict[str, Any] | None = None, **client: Any) -> Flow:
    """A connection; ``server`` and the rest are what is different about the ends."""
    return Flow(end("client", flags, **client), end("server", flags, **(server or {})))


def known(role: str = "server", **fields: Any) -> Class:
    """The class of that end."""
    values: dict[str, Any] = {
        "cgroup": 7,
        "port": PORT,
        "role": role,
        "state": "learning",
        "reasons": (),
        **dict.fromkeys(("connections", "reads", "read_bytes", "writes", "written_bytes", "since_ns"), 0),
    }
    return Class(**{**values, **fields})


def situation(*classes: Class, **fields: Any) -> Situation:
    """A service that is up and has learned about these classes."""
    return Situation(
        **{
            "state": "up",
            "now_ns": UP.now_ns,
            "classes": {(each.cgroup, each.port, each.role): each for each in classes},
            **fields,
        }
    )
