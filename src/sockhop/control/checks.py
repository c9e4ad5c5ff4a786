"""``check``: what this kernel and machine allow, found out by trying."""

import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sockhop.control import loading, places
from sockhop.control.instance import Instance
from sockhop.control.settings import Settings
from sockhop.dataplane import object_path
from sockhop.errors import SockhopError
from sockhop.kernel import cgroups, libbpf, mounts, namespaces, objects, privileges

OK, MISSING, UNKNOWN = "ok", "missing", "unknown"
BTF = Path("/sys/kernel/btf/vmlinux")


@dataclass(frozen=True)
class Answer:
    """One probe: ``state`` is ``ok``, ``missing`` or ``unknown``; ``reason`` and ``fix`` are for people."""

    id: str
    state: str
    reason: str
    fix: str = ""


class _Missing(Exception):
    """Raised by a probe that found its answer to be no: the reason and the fix."""


def run_checks() -> list[Answer]:
    """Return the answer of every probe. One whose ground is missing is ``unknown``."""
    answers: list[Answer] = []
    for identifier, probe, grounds in _PROBES:
        lacking = [answer.id for answer in answers if answer.id in grounds and answer.state != OK]
        if lacking:
            answers.append(Answer(identifier, UNKNOWN, f"cannot be tried without {', '.join(lacking)}"))
        else:
            answers.append(_ask(identifier, probe))
    return answers


def is_capable(answers: list[Answer]) -> bool:
    """Whether sockhop can be up here."""
    return all(answer.state == OK for answer in answers)


def _ask(identifier: str, probe: Callable[[], str]) -> Answer:
    try:
        return Answer(identifier, OK, probe())
    except _Missing as missing:
        reason, fix = missing.args
        return Answer(identifier, MISSING, reason, fix)
    except SockhopError as error:
        return Answer(identifier, MISSING, str(error), "see the reason")
    except OSError as error:
        return Answer(identifier, UNKNOWN, f"the probe itself failed: {error}", "report it")


def _privileges() -> str:
    privileges.require()
    return "this process has " + ", ".join(name for name, _ in privileges.NEEDED.values())


def _btf() -> str:
    if not BTF.exists():
        raise _Missing(
            f"no {BTF}: this kernel does not describe its types", "boot one with CONFIG_DEBUG_INFO_BTF=y"
        )
    return "the kernel describes its types"


def _libbpf() -> str:
    return f"libbpf.so.1 answers ({libbpf.num_possible_cpus()} CPUs)"


def _object() -> str:
    return f"build {objects.build_id():016x} of {object_path()}"


def _bpffs() -> str:
    return f"mounted at {mounts.require_bpffs()}"


def _cgroup2() -> str:
    return f"mounted at {mounts.cgroup2().point}"


def _programs() -> str:
    with objects.loaded({}, optional=loading.OPTIONAL_PROGRAMS) as loaded:
        if all(map(loaded.has_program, loading.OPTIONAL_PROGRAMS)):
            return "the kernel takes all programs and maps"
        return (
            "the kernel takes all that hops need; `flows` and `explain` cannot tell which processes hold sockets"
        )


class _Pair:
    """A connection in a private scope."""

    def __init__(self) -> None:
        with ExitStack() as stack:
            stack.enter_context(places.lock())
            directory = places.private()
            cgroup = stack.enter_context(cgroups.fresh(f"sockhop-check-{directory.name}"))
            self.instance = Instance.create(directory, Settings(mode="eager", capacity=16))
            stack.callback(self.instance.unpin)
            self.instance.attach(cgroup)
            with cgroups.visiting(cgroup):
                listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
                self.client = stack.enter_context(socket.create_connection(listener.getsockname(), timeout=2))
            self.server = stack.enter_context(listener.accept()[0])
            self.server.settimeout(2)
            self._stack = stack.pop_all()

    def __enter__(self) -> "_Pair":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def pass_on(self, data: bytes) -> bytes:
        """Send from the client and return what the server reads."""
        self.client.sendall(data)
        return self.server.recv(1 << 16)


def _hop() -> str:
    with _Pair() as pair:
        received = pair.pass_on(b"hop")
        if received != b"hop" or pair.instance.status().hop.messages != 1:
            raise _Missing(
                f"a message between two sockets of this host did not hop (received {received!r})",
                "this kernel behaves in a way that sockhop does not know: report it",
            )
    return "a message between two sockets hopped"


def _order() -> str:
    with _Pair() as pair:
        pair.instance.pause()
        pair.client.sendall(b"stack,")
        pair.instance.resume()
        pair.client.sendall(b"hop")
        received = b""
        while len(received) < 9:
            received += pair.server.recv(16)
        if received != b"stack,hop":
            raise _Missing(
                f"bytes of the stack were overtaken ({received!r})",
                "this kernel lacks one queue for both ways (sk_skb verdict): use another",
            )
    return "stack and hop keep their order"


def _half_close() -> str:
    with _Pair() as pair:
        pair.client.sendall(b"unread")
        pair.client.shutdown(socket.SHUT_WR)
        received = pair.server.recv(16)
        if received != b"unread" or pair.server.recv(16):
            raise _Missing(
                f"a half-closed reader lost unread bytes ({received!r})", "use a kernel of 5.16 or later"
            )
    return "a half-close keeps unread bytes"


def _drain() -> str:
    with _Pair() as pair:
        pair.client.sendall(b"unread")
        early = pair.instance.drain(0)
        pair.server.recv(16)
        late = pair.instance.drain(0)
        if (early, late) != (1, 0) or pair.pass_on(b"stack") != b"stack":
            raise _Missing("sockets cannot be taken out of the map without loss", "use a newer kernel (iter/tcp)")
    return "sockets leave the map when they are empty"


def _namespaces() -> str:
    return f"{len(namespaces.network_namespaces())} network namespaces can be seen"


_READY = ("privileges", "btf", "libbpf", "object", "bpffs", "cgroup2", "programs")
# Each probe with the ids of those that it stands on.
_PROBES: tuple[tuple[str, Callable[[], str], tuple[str, ...]], ...] = (
    ("privileges", _privileges, ()),
    ("btf", _btf, ()),
    ("libbpf", _libbpf, ()),
    ("object", _object, ()),
    ("bpffs", _bpffs, ("privileges",)),
    ("cgroup2", _cgroup2, ()),
    ("programs", _programs, ("privileges", "btf", "libbpf", "object")),
    ("hop", _hop, _READY),
    ("order", _order, (*_READY, "hop")),
    ("half_close", _half_close, (*_READY, "hop")),
    ("drain", _drain, (*_READY, "hop")),
    ("namespaces", _namespaces, ()),
)
