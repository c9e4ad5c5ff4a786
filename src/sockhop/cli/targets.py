"""What connections a user means: ``PORT``, ``IP:PORT``, ``[IPv6]:PORT``, ``PID``, ``pid:PID``, ``PID/FD``."""

import ipaddress
import re

import click

from sockhop.control.flows import Filter
from sockhop.kernel.abi import MAX_PORT

MAX_PID = 1 << 22  # PID_MAX_LIMIT of include/linux/threads.h
_MOST_DIGITS = 10  # more are no number of anything, and int() takes its time
HELP = "PORT, IP:PORT, [IPv6]:PORT, pid:PID or PID/FD; a bare number above 65535 is a PID"


def parse(text: str) -> Filter:
    """Return the connections that are meant. Raises :class:`click.BadParameter`."""
    if text.isascii() and text.isdigit():
        number = _number(text, text)
        return Filter(pid=_pid(number, text)) if number > MAX_PORT else Filter(port=port(number, text))
    process = re.fullmatch(r"(?:pid:)?([0-9]+)/([0-9]+)|pid:([0-9]+)", text)
    if process:
        descriptor = None if process[2] is None else _number(process[2], text)
        return Filter(pid=_pid(_number(process[1] or process[3], text), text), descriptor=descriptor)
    host, colon, after = text.rpartition(":")
    if colon and after.isascii() and after.isdigit():
        bracketed = host.startswith("[") and host.endswith("]")
        if ":" in host and not bracketed:
            raise click.BadParameter(f"{text!r}: write an IPv6 address in brackets, as in [::1]:{after}")
        host = host[1:-1] if bracketed else host
        return Filter(port=port(_number(after, text), text), address=address(host))
    if text.startswith("pid:") or "/" in text:
        raise click.BadParameter(f"{text!r} is no process: give pid:PID or PID/FD, as in pid:4242 or 4242/7")
    raise click.BadParameter(f"{text!r} is no target: give {HELP}")


def address(text: str) -> str:
    """Return an address as flows have it. Raises :class:`click.BadParameter`."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no IP address (names are not looked up)") from None
    if isinstance(found, ipaddress.IPv6Address):
        if found.scope_id:
            raise click.BadParameter(f"{text!r}: leave out the zone, %{found.scope_id}")
        return str(found.ipv4_mapped or found)
    return str(found)


def port(number: int, text: str) -> int:
    """Return a port that may be that of a connection. Raises :class:`click.BadParameter`."""
    if not 0 < number <= MAX_PORT:
        raise click.BadParameter(f"{text!r}: ports are 1 to {MAX_PORT}")
    return number


def _pid(number: int, text: str) -> int:
    if not 0 < number <= MAX_PID:
        raise click.BadParameter(f"{text!r}: the numbers of processes are 1 to {MAX_PID}")
    return number


def _number(digits: str, text: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise click.BadParameter(
            f"{text!r}: {digits[:_MOST_DIGITS]}… is too large for a port, a process or a descriptor"
        )
    return int(digits)
