"""The scopes of an instance: cgroups whose sockets are watched.

Each is a link of the program ``connections`` to a cgroup, pinned as ``scope-ID``, and an element of the map
``scopes``.
"""

import ctypes
import errno
import os
from pathlib import Path

from sockhop.control import status
from sockhop.control.pins import Pins, closing
from sockhop.errors import BadScope, KernelError
from sockhop.kernel import cgroups, libbpf, maps

PREFIX = "scope-"


class _CgroupLinkInfo(ctypes.Structure):
    """``struct bpf_link_info`` of a link to a cgroup."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("prog_id", ctypes.c_uint32),
        ("cgroup_id", ctypes.c_uint64),
        ("attach_type", ctypes.c_uint32),
    )


def attach(pins: Pins, cgroup: Path) -> int:
    """See :meth:`sockhop.control.instance.Instance.attach`."""
    number = cgroups.identity(cgroup)
    if number in ids(pins):
        return number
    descriptor = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with (
            pins.get("connections") as program,
            closing(libbpf.link_create(program, descriptor, libbpf.BPF_CGROUP_SOCK_OPS, None)) as link,
        ):
            pins.pin(link, f"{PREFIX}{number}")
        with pins.get("scopes") as scopes:
            maps.put(scopes, ctypes.c_uint64(number), ctypes.c_uint32(1))
    except OSError as error:
        detach(pins, number)
        if error.errno == errno.EPERM:  # hierarchy_allows_attach() of kernel/bpf/cgroup.c
            raise BadScope(
                f"{cgroup} cannot be watched: somebody else's sock_ops program is attached there or above, and "
                f"allows no other. Find out whose (bpftool cgroup tree) and detach it, or leave {cgroup} out"
            ) from error
        raise KernelError(f"watching {cgroup} failed: {error}", error.errno or 0) from error
    finally:
        os.close(descriptor)
    return number


def detach(pins: Pins, number: int) -> None:
    """See :meth:`sockhop.control.instance.Instance.detach`."""
    with pins.get("scopes") as scopes:
        maps.delete(scopes, ctypes.c_uint64(number))
    # Last: an element without its link would be found by nobody.
    (pins.directory / f"{PREFIX}{number}").unlink(missing_ok=True)


def collect(pins: Pins) -> None:
    """Let go of cgroups that were removed, and give the others what whoever attached them did not live to."""
    there = ids(pins)
    for pin in list(pins.directory.glob(f"{PREFIX}*")):
        number = int(pin.name.removeprefix(PREFIX))
        if number not in there:
            detach(pins, number)
    with pins.get("scopes") as scopes:
        for number in there:
            maps.put(scopes, ctypes.c_uint64(number), ctypes.c_uint32(1))


def ids(pins: Pins) -> list[int]:
    """Return the ids of the cgroups that are watched. One that was removed no longer is."""
    found = []
    for pin in sorted(pins.directory.glob(f"{PREFIX}*")):
        with pins.get(pin.name) as fd:
            # The kernel detaches the link when the cgroup goes (bpf_cgroup_link_auto_detach).
            if maps.info(fd, _CgroupLinkInfo).cgroup_id:
                found.append(int(pin.name.removeprefix(PREFIX)))
    return found


def found(pins: Pins) -> tuple[status.Scope, ...]:
    """See :meth:`sockhop.control.instance.Instance.scopes`."""
    where = cgroups.find(set(ids(pins)))
    return tuple(
        sorted((status.Scope(str(path), number) for number, path in where.items()), key=lambda s: s.cgroup)
    )


def check_scopes(paths: list[Path]) -> list[Path]:
    """Return the scopes, absolute. Raises :class:`BadScope` for one that is no cgroup, named twice, or nested."""
    checked = [cgroups.check(path) for path in paths]
    for index, path in enumerate(checked):
        if path in checked[:index]:
            raise BadScope(f"{path} is named twice: name each scope once")
        above = [other for other in checked if other in path.parents]
        if above:
            raise BadScope(f"{path} is inside {above[0]}, which covers it: leave one of the two out")
    return checked
