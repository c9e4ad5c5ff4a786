"""The values of a rule's keys, each with its reader, which notes what is wrong in the document."""

import difflib
import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import TypeVar

from sockhop.control import toml_lines
from sockhop.control.document import Document, shown
from sockhop.kernel.abi import MAX_PORT, Action, Role

# Of these units systemd makes cgroups.
_UNIT = re.compile(r"[A-Za-z0-9:_.@\\-]+\.(service|scope|slice|socket|mount|swap)")
_MAPPED = IPv6Network("::ffff:0:0/96")

Ports = tuple[tuple[int, int], ...]
Network = IPv4Network | IPv6Network
Choice = TypeVar("Choice", Action, Role)


def choices(kind: type[Action] | type[Role]) -> str:
    """Return the names that there are, in words."""
    names = [f'"{choice.name.lower()}"' for choice in kind]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _choice(document: Document, path: toml_lines.Path, value: object, kind: type[Choice]) -> Choice | None:
    names = {choice.name.lower(): choice for choice in kind}
    if isinstance(value, str) and value in names:
        return names[value]
    near = difflib.get_close_matches(value.lower(), names, 1) if isinstance(value, str) else []
    hint = (
        f'did you mean "{near[0]}"?'
        if near
        else f"give {'one, ' if isinstance(value, list) else ''}{choices(kind)}"
    )
    document.wrong(path, f"{path[-1]} is {shown(value)}: {hint}")
    return None


def action(document: Document, path: toml_lines.Path, value: object) -> Action | None:
    """Return what a rule does, or None."""
    return _choice(document, path, value, Action)


def role(document: Document, path: toml_lines.Path, value: object) -> Role | None:
    """Return an end of a connection, or None."""
    return _choice(document, path, value, Role)


def port(document: Document, path: toml_lines.Path, value: object) -> Ports:
    """Return ranges of ports, first and last."""
    if value == []:
        document.wrong(path, "port is an empty list, which matches nothing: name a port, or leave port out")
    if isinstance(value, list):
        return tuple(_range(document, (*path, number), part) for number, part in enumerate(value))
    return (_range(document, path, value),)


def _range(document: Document, path: toml_lines.Path, value: object) -> tuple[int, int]:
    first = last = 0
    if isinstance(value, int) and not isinstance(value, bool):
        first = last = value
    elif isinstance(value, str) and (parts := re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", value)):
        first, last = int(parts[1]), int(parts[2])
    elif isinstance(value, str) and re.fullmatch(r"[0-9]{1,5}", value):
        document.wrong(path, f"port is {shown(value)}: give the number without quotes, {int(value)}")
        return (0, 0)
    if first > last:
        document.wrong(path, f'port "{value}" goes downwards: give "{last}-{first}"')
    elif not 1 <= first <= last <= MAX_PORT:
        document.wrong(
            path, f'port is {shown(value)}: give 1 to {MAX_PORT}, a range such as "8000-8100", or a list of these'
        )
    return (first, last)


def cgroup(document: Document, path: toml_lines.Path, value: object) -> Path | None:
    """Return a path that may be a cgroup's, or None."""
    example = "/sys/fs/cgroup/system.slice"
    text = document.text(path, value, example)
    if text is None:
        return None
    if not text.startswith("/") or ".." in text.split("/") or "\0" in text:
        document.wrong(
            path, f'"{text}" is no whole path: give it from the root on, without "..", as in "{example}"'
        )
        return None
    return Path(text)


def unit(document: Document, path: toml_lines.Path, value: object) -> str | None:
    """Return a name that may be a unit's, or None."""
    text = document.text(path, value, "redis.service")
    if text is None or _UNIT.fullmatch(text):
        return text
    stem = re.sub(r"[^A-Za-z0-9:_.@\\-].*", "", text).partition(".")[0] or "redis"
    document.wrong(
        path, f'"{text}" is no unit with processes: give a whole name, as "{stem}.service", or a .slice or .scope'
    )
    return None


def address(document: Document, path: toml_lines.Path, value: object) -> Network | None:
    """Return a network, which may be of one address, or None."""
    text = document.text(path, value, "10.0.0.0/8")
    if text is None:
        return None
    host, percent, _ = text.partition("/")[0].partition("%")
    try:
        network = ip_network(text.replace("%", "/") if percent else text, strict=False)
    except ValueError:
        hint = (
            f'leave out what follows "{host}"'
            if percent
            else 'give one as "10.0.0.0/8", "127.0.0.1" or "fd00::/8"'
        )
        document.wrong(path, f'"{text}" is no address or network of IPv4 or IPv6: {hint}')
        return None
    if ip_address(host) != network.network_address:
        document.wrong(path, f'"{text}" has bits behind its prefix: give "{network}", or "{host}" for that alone')
    elif isinstance(network, IPv6Network) and network.prefixlen < 96 and _MAPPED.subnet_of(network):
        document.wrong(
            path,
            f'"{text}" holds ::ffff:0:0/96 too, which is IPv4: give a narrower one, or leave address out for any',
        )
    return network


def mapped(network: Network) -> IPv6Network:
    """Return the network as the kernel sees it: IPv4 as v4-mapped IPv6 (RFC 4291, 2.5.5.2)."""
    if isinstance(network, IPv6Network):
        return network
    return IPv6Network((int(_MAPPED.network_address) + int(network.network_address), network.prefixlen + 96))
