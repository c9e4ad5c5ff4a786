"""What a configuration means on this machine: its cgroups and units are looked up."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sockhop.control import toml_lines
from sockhop.control.config import Config
from sockhop.control.document import complaint
from sockhop.control.matchers import mapped
from sockhop.control.rules import Rule, joined
from sockhop.errors import BadScope
from sockhop.kernel import abi, cgroups


def scope_paths(config: Config) -> list[Path]:
    """Return the cgroups of the configuration's scopes: none if it has none.

    Raises :class:`~sockhop.errors.BadConfig` for what is no cgroup now, is named twice or inside another, and
    :class:`~sockhop.errors.Unsupported` without cgroup v2.
    """
    scopes = config.scopes
    if scopes is None:
        return []
    if scopes.all:
        return [cgroups.mount_point()]
    wanted: list[tuple[toml_lines.Path, Path | str]] = []
    wanted += [(("scopes", "cgroups", number), path) for number, path in enumerate(scopes.cgroups)]
    wanted += [(("scopes", "units", number), name) for number, name in enumerate(scopes.units)]
    found: dict[Path, str] = {}
    with _mistakes(config) as mistakes:
        for place, name in wanted:
            try:
                path = cgroups.of_unit(name) if isinstance(name, str) else cgroups.check(name)
            except BadScope as error:
                mistakes.append((config.lines.get(place, 0), str(error)))
                continue
            for other, called in found.items():
                if other == path or other in path.parents or path in other.parents:
                    within = path if other in path.parents else other
                    how = "are the same cgroup" if other == path else f"overlap: {within} is inside the other"
                    mistakes.append((config.lines.get(place, 0), f"{called} and {name} {how}: leave one out"))
            found[path] = str(name)
    return list(found)


def compile_rules(config: Config) -> list[abi.Rule]:
    """Return the rules as the kernel takes them, in order; a list of ports becomes a rule for each range.

    A cgroup is known by its id: one that is made again, as systemd does when a unit is restarted, is another.
    Raises :class:`~sockhop.errors.BadConfig` for what is no cgroup now, and
    :class:`~sockhop.errors.Unsupported` where cgroups cannot be seen.
    """
    compiled: list[abi.Rule] = []
    with _mistakes(config) as mistakes:
        for number, rule in enumerate(config.rules):
            try:
                compiled += _compiled(rule)
            except BadScope as error:
                key = "unit" if rule.unit else "cgroup"
                mistakes.append((config.lines.get(("rule", number, key), rule.line), str(error)))
    return compiled


@contextmanager
def _mistakes(config: Config) -> Iterator[list[tuple[int, str]]]:
    mistakes: list[tuple[int, str]] = []
    yield mistakes
    if mistakes:
        raise complaint(config.file, mistakes)


def _compiled(rule: Rule) -> list[abi.Rule]:
    cgroup = cgroups.of_unit(rule.unit) if rule.unit else rule.cgroup and cgroups.check(rule.cgroup)
    network = mapped(rule.address) if rule.address else None
    return [
        abi.Rule(
            cgroup=_identity(cgroup) if cgroup else 0,
            cgroup_level=cgroups.level(cgroup) if cgroup else 0,
            action=rule.action,
            first_port=first,
            last_port=last,
            roles=abi.ANY_ROLE if rule.role is None else 1 << rule.role,
            prefix=network.prefixlen if network else 0,
            address=(ctypes.c_uint8 * 16)(*(network.network_address.packed if network else ())),
        )
        for first, last in joined(rule.port) or ((0, abi.MAX_PORT),)
    ]


def _identity(cgroup: Path) -> int:
    try:
        return cgroups.identity(cgroup)
    except FileNotFoundError:
        raise BadScope(f"{cgroup} was removed just now: try again") from None
