"""sockhop as a library."""

from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from sockhop.control import places
from sockhop.control.classes import Class
from sockhop.control.instance import Instance
from sockhop.control.probes import suitability
from sockhop.control.settings import Settings
from sockhop.control.status import Status
from sockhop.control.watching import Watch
from sockhop.errors import Locked, NotUp
from sockhop.kernel import cgroups, signals

DRAIN_SECONDS = 5.0


class Accelerator:
    """Hops for the sockets that are made in one cgroup, or below it, while the block lasts.

    ::

        with sockhop.Accelerator(cgroup="/sys/fs/cgroup/my.slice") as hops:
            ...
            print(hops.status().hop.messages)

    Connections that exist already are left alone. At the end hops are paused, no new connection is taken in, and
    each socket leaves the map when it is empty and nobody is inside ``recv`` or ``send`` on it, one that blocks or
    has received a FIN when it has also been quiet for a second. What is left after 5 seconds goes on, through the
    stack and without loss, and is taken out by the next use of sockhop after this process has ended. Killing this
    process at any moment changes nothing for the connections.

    :param cgroup: a cgroup of version 2.
    :param accept_data_loss: take a kernel that was found to lose or reorder bytes, or to hang.
    :param settings: see :class:`~sockhop.control.settings.Settings`, of which any field may be given by name.

    ``with`` raises :class:`~sockhop.errors.NotPermitted`, :class:`~sockhop.errors.Unsupported`,
    :class:`~sockhop.errors.BadScope`, :class:`~sockhop.errors.BadObject` and :class:`~sockhop.errors.Locked`.
    """

    def __init__(self, cgroup: str | Path, *, accept_data_loss: bool = False, **settings: float | str) -> None:
        self._cgroup = Path(cgroup)
        self._accept_data_loss = accept_data_loss
        self._settings = Settings(**settings)  # type: ignore[arg-type]
        self._instance: Instance | None = None
        self._watch = Watch()

    def __enter__(self) -> Self:
        directory = places.private()
        cgroup = cgroups.check(self._cgroup)
        try:
            with places.lock(), signals.deferred():
                places.collect()
                instance = Instance.create(directory, self._settings)
                try:
                    suitability.require(instance, self._settings, accept_data_loss=self._accept_data_loss)
                    instance.attach(cgroup)
                except BaseException:
                    instance.unpin()
                    raise
                self._instance = instance
        except BaseException as error:  # Ctrl-C, as soon as it was no longer held back
            if self._instance is not None:
                self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        instance, self._instance = self._up(), None
        if not instance.drain(DRAIN_SECONDS):
            # If others hold the lock for long, it is left as one with sockets is: the block's own end counts more.
            with suppress(Locked), places.lock(), signals.deferred():
                instance.unpin()

    def _up(self) -> Instance:
        if self._instance is None:
            raise NotUp("this Accelerator is not up: use it inside its with block")
        return self._instance

    def status(self) -> Status:
        """Return the counters of this accelerator. Raises :class:`~sockhop.errors.NotUp` outside the block."""
        return self._up().status()

    def pause(self) -> None:
        """Send every message through the stack from now on; nothing is unloaded."""
        self._up().pause()

    def resume(self) -> None:
        """Let messages hop again."""
        self._up().resume()

    def classes(self) -> list[Class]:
        """Return what was learned about each service."""
        return self._up().classes()

    def walk(self) -> int:
        """Take in connections that exist already and may hop, and take out those that no longer may.

        Nothing else does it while the block lasts, so call it now and then. When it finds nothing to learn a few
        times in a row, reads are no longer watched, which costs a little; from then on new services are learned
        only if it is called again. Return how many sockets went in. Raises :class:`OSError`.
        """
        instance = self._up()
        self._watch.look(instance)
        return instance.walk()

    def recheck(self) -> None:
        """Make each direction show its next message to the stack, and so to firewalls, before it hops again."""
        self._up().recheck()
