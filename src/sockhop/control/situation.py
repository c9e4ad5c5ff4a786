"""What a data plane is doing, as far as it decides what becomes of a connection."""

import time
from dataclasses import dataclass, field

from sockhop.control import tuning
from sockhop.control.classes import Class
from sockhop.control.instance import Instance
from sockhop.control.settings import Settings

ClassKey = tuple[int, int, str]


@dataclass(frozen=True)
class Situation:
    """``state`` is ``up``, ``draining`` or ``down``.

    ``tracked`` sockets are in the map. ``classes`` are by cgroup, port and role. ``now_ns`` is CLOCK_MONOTONIC.
    """

    state: str
    paused: bool = False
    tracked: int = 0
    settings: Settings = field(default_factory=Settings)
    classes: dict[ClassKey, Class] = field(default_factory=dict)
    now_ns: int = 0

    @property
    def is_full(self) -> bool:
        """Whether there is no room for a connection more."""
        return self.tracked + 2 > self.settings.capacity


DOWN = Situation("down")


def situation_of(instance: Instance) -> Situation:
    """Return what an instance is doing."""
    config = instance.config()
    return Situation(
        "draining" if config.closed else "up",
        bool(config.paused),
        instance.tracked(),
        tuning.settings_of(config),
        {(each.cgroup, each.port, each.role): each for each in instance.classes()},
        time.monotonic_ns(),
    )
