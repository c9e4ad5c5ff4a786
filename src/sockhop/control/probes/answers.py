"""What a probe answers, and what is made of all answers."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

from sockhop.errors import SockhopError

OK, MISSING, UNKNOWN = "ok", "missing", "unknown"


class Need(StrEnum):
    """What cannot be had where a probe is not ``ok``."""

    HOPS = "hops"
    AUTO = "auto"
    DETAIL = "detail"
    """A feature that says itself what it lacks."""


class Support(StrEnum):
    """What sockhop does on this machine."""

    FULL = "full"
    EAGER_ONLY = "eager_only"
    REFUSED = "refused"


@dataclass(frozen=True)
class Answer:
    """One probe: ``state`` is ``ok``, ``missing`` or ``unknown``; ``reason`` and ``fix`` are for people.

    ``need`` says what it takes the probe to be ``ok`` for.
    """

    id: str
    state: str
    reason: str
    fix: str = ""
    need: Need = Need.HOPS


class Missing(Exception):
    """Raised by a probe that found its answer to be no."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.reason, self.fix = reason, fix


def asked(name: str, need: Need, probe: Callable[[], str]) -> Answer:
    """Return what the probe answers: the reason why it is ``ok``, or what it raises."""
    try:
        return Answer(name, OK, probe(), need=need)
    except Missing as missing:
        return Answer(name, MISSING, missing.reason, missing.fix, need)
    except (SockhopError, OSError) as error:
        return Answer(name, UNKNOWN, f"the probe itself failed: {error}", need=need)


def support(answers: Collection[Answer]) -> Support:
    """Return what can be done with these answers. What could not be tried is taken to be missing."""
    lacking = {answer.need for answer in answers if answer.state != OK}
    if Need.HOPS in lacking:
        return Support.REFUSED
    return Support.EAGER_ONLY if Need.AUTO in lacking else Support.FULL


def lacking(answers: Collection[Answer], need: Need) -> list[Answer]:
    """Return what stands in the way of a need, except for what only follows from something else that does."""
    found = [answer for answer in answers if answer.need == need and answer.state != OK]
    return [answer for answer in found if answer.state == MISSING] or found
