"""What is said of a connection."""

from dataclasses import dataclass

from sockhop.control.ends import End


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a connection hops, in at least one direction.

    ``code`` is the reason for programs, ``hops`` if there is none. ``text`` is for people, and so is ``fix``,
    which is empty if there is nothing to be done.
    """

    hops: bool
    code: str
    text: str
    fix: str = ""


HOPS = Verdict(True, "hops", "hops")


def stack(code: str, why: str, fix: str = "") -> Verdict:
    """Return that a connection does not hop: ``why`` follows "because"."""
    return Verdict(False, code, f"takes the stack because {why}", fix)


def who(end: End) -> str:
    """Return what to call an end: its role, and the process if there is one."""
    owner = next(iter(end.owners or ()), None)
    return f"the {end.role} ({owner.command}, pid {owner.pid})" if owner else f"the {end.role}"
