"""What there is before anything hops: privileges, file systems, the kernel's types, the programs that it loads."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sockhop.control import loading, watching
from sockhop.control.pins import closing
from sockhop.control.probes.answers import Missing, Need
from sockhop.control.settings import Settings
from sockhop.dataplane import object_path
from sockhop.errors import NotPermitted, Unsupported
from sockhop.kernel import btf, buffers, libbpf, maps, mounts, namespaces, objects, privileges

_WANTED = Settings().receive_buffer
_KFUNCS = ("bpf_cast_to_kern_ctx", "bpf_rdonly_cast")


def _privileges() -> str:
    privileges.require()
    return "this process has " + ", ".join(name for name, _ in privileges.NEEDED.values())


def _btf() -> str:
    if not btf.VMLINUX.exists():
        raise Missing(
            f"no {btf.VMLINUX}: this kernel does not describe its types", "boot one with CONFIG_DEBUG_INFO_BTF=y"
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


def _sockets() -> str:
    with btf.vmlinux() as kernel:
        lacking = [name for name in _KFUNCS if not kernel.has_function(name)]
    if lacking:
        raise Missing(
            f"programs cannot look into the sockets of both ends: this kernel has no {', no '.join(lacking)}",
            "use a kernel with fd264ca02094 and a35b9af4ec2c: Linux 6.2",
        )
    return "programs can look into the sockets of both ends"


def _queue_length() -> str:
    with btf.vmlinux() as kernel:
        if not kernel.has_member("sk_psock", "msg_tot_len"):
            raise Missing(
                "hops that were read move TCP's copied_seq past what was received: bytes would be lost when a "
                "socket leaves the map",
                "use a kernel with b40cc5adaa80 (copied_seq calculation) and 929e30f93125: 7.0, 6.12.85",
            )
    return "the kernel tells hops from TCP's own bytes when they are read"


def _sock_ops() -> str:
    with _loaded("connections"):
        return "the kernel takes the program that pairs the ends of connections"


def _sk_msg() -> str:
    with _loaded("send") as loaded:
        loading.attach(loaded, "send")
    return "the kernel takes the program that decides over each message"


def _sk_skb() -> str:
    with _loaded("queue") as loaded:
        loading.attach(loaded, "queue")
    return "the kernel takes the program that keeps one queue"


def _iterators() -> str:
    with _loaded(*loading.ITERATORS) as loaded:
        for name in loading.ITERATORS:
            _run(loaded, name)
    return "programs can walk over TCP's sockets"


def _owners() -> str:
    try:
        with _loaded("owners") as loaded:
            _run(loaded, "owners")
    except (NotPermitted, Unsupported, OSError) as error:
        raise Missing(
            f"`flows` and `explain` cannot tell which processes hold sockets: {error}",
            "use a kernel that has iter/task_file: Linux 5.8",
        ) from error
    return "the kernel tells which processes hold a socket"


def _tracepoints() -> str:
    with _loaded(*loading.WATCHERS) as loaded:
        for name in loading.WATCHERS:
            os.close(watching.tracepoint(loaded.program_fd(f"sockhop_{name}")))
    return "what applications do can be watched"


def _rmem_max() -> str:
    if not buffers.receive_buffer(_WANTED):
        raise Missing(
            f"net.core.rmem_max is {buffers.rmem_max() or 'not to be seen'}: sockets cannot be given "
            f"{_WANTED >> 10} KB to receive in, so that less of bulk streams hops",
            f"sysctl -w net.core.rmem_max={_WANTED // 2} (kernels from 6.16 on begin with 4 MB)",
        )
    return f"sockets can have {_WANTED >> 10} KB to receive in"


def _namespaces() -> str:
    return f"{len(namespaces.network_namespaces())} network namespaces can be seen"


def _loaded(*names: str) -> AbstractContextManager[objects.LoadedObject]:
    """Load these programs and no others."""
    return objects.loaded(loading.sizes(1), without=loading.all_but(*names))


def _run(loaded: objects.LoadedObject, name: str) -> None:
    with closing(loading.iterator(loaded, name)) as link:
        maps.run_iterator(link)


@dataclass(frozen=True)
class Probe:
    """``grounds`` are the ids of the probes that this one stands on."""

    id: str
    ask: Callable[[], str]
    need: Need = Need.HOPS
    grounds: tuple[str, ...] = ()


_LOADER = ("privileges", "btf", "libbpf", "object")
_READER = (*_LOADER, "sockets", "queue_length")
PROBES = (
    Probe("privileges", _privileges),
    Probe("btf", _btf),
    Probe("libbpf", _libbpf),
    Probe("object", _object),
    Probe("bpffs", _bpffs, grounds=("privileges",)),
    Probe("cgroup2", _cgroup2),
    Probe("sockets", _sockets, grounds=("btf", "libbpf")),
    Probe("queue_length", _queue_length, grounds=("btf", "libbpf")),
    Probe("sock_ops", _sock_ops, grounds=_READER),
    Probe("sk_msg", _sk_msg, grounds=_READER),
    Probe("sk_skb", _sk_skb, grounds=_READER),
    Probe("iterators", _iterators, grounds=_READER),
    Probe("tracepoints", _tracepoints, Need.AUTO, _READER),
    Probe("owners", _owners, Need.DETAIL, _LOADER),
    Probe("namespaces", _namespaces, Need.DETAIL),
    Probe("rmem_max", _rmem_max, Need.DETAIL),
)
