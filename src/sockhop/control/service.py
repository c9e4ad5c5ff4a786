"""The persistent service: ``up``, ``down`` and what can be done to it in between.

There is no daemon. The service is an :class:`~sockhop.control.instance.Instance` pinned in a fixed place.
"""

import dataclasses
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sockhop.control import places, status, tuning
from sockhop.control.instance import Instance
from sockhop.control.probes import suitability
from sockhop.control.scopes import check_scopes
from sockhop.control.scopes import collect as collect_scopes
from sockhop.control.settings import Settings
from sockhop.errors import NotUp
from sockhop.kernel import mounts, objects, signals
from sockhop.kernel.abi import Rule

ALL_SETTINGS = frozenset(field.name for field in dataclasses.fields(Settings))


@dataclass(frozen=True)
class Ups:
    """What ``up`` found and did: ``replaced`` another version that was up, ``added`` scopes."""

    status: status.Status
    made: bool
    replaced: bool
    added: tuple[Path, ...]


def up(
    scopes: list[Path],
    settings: Settings,
    rules: Sequence[Rule] | None = None,
    given: Collection[str] = ALL_SETTINGS,
    *,
    accept_data_loss: bool = False,
) -> Ups:
    """Bring the service up over these cgroups, with these rules; scopes that it has already stay.

    A service that is up is kept, and changed in what differs; of the settings only those that are ``given`` count
    then. It needs no scopes, and keeps its rules where ``rules`` is None. If another version of sockhop made it,
    or one of ``tuning.FIXED`` differs, a new one takes over the scopes for new connections, the old one drains; if
    the new one fails, the old one stays as it was. What is new is tried first, unless ``accept_data_loss`` says
    to take the kernel as it is. Raises what :class:`~sockhop.control.accelerator.Accelerator` does.
    """
    place = places.service()
    wanted = check_scopes(scopes)
    with places.lock(), signals.deferred():
        places.collect()
        old = Instance.open(place)
        replaced = old is not None and not old.config().closed
        if not (wanted or replaced):
            raise NotUp("sockhop went down just now, and its scopes with it: say what to watch")
        if rules is None:
            rules = old.rules() if old and replaced else ()
        if old is not None and replaced:
            settings = _changed(old, settings, given)
            if _can_stay(old, settings):
                collect_scopes(old)
                added = _add_scopes(old, wanted)
                old.configure(lambda config: tuning.tune(config, settings))
                old.watch()
                old.set_rules(list(rules))
                return Ups(old.status(), made=False, replaced=False, added=added)
        known = None if settings.mode == "eager" else places.classes()
        was_known = known is not None and known.exists()
        instance = Instance.create(places.private(), settings, known)
        try:
            suitability.require(instance, settings, accept_data_loss=accept_data_loss)
            instance.set_rules(list(rules))
            if old and replaced and old.config().paused:
                instance.pause()
            inherited = [Path(scope.cgroup) for scope in old.scopes()] if old and replaced else []
            added = _add_scopes(instance, wanted + inherited)
        except BaseException:
            instance.unpin()
            if known and not was_known:
                known.unlink(missing_ok=True)
            raise
        if old is not None:
            old.close()
            old.move(places.replaced())
        instance = instance.move(place)
        places.collect()
        return Ups(instance.status(), made=True, replaced=replaced, added=added)


def _changed(instance: Instance, settings: Settings, given: Collection[str]) -> Settings:
    """The settings of the instance, but for those that are given."""
    present = tuning.settings_of(instance.config())
    return dataclasses.replace(present, **{name: getattr(settings, name) for name in given})


def _can_stay(instance: Instance, settings: Settings) -> bool:
    config = instance.config()
    present = tuning.settings_of(config)
    return config.build == objects.build_id() and all(
        getattr(present, name) == getattr(settings, name) for name in tuning.FIXED
    )


def _add_scopes(instance: Instance, wanted: list[Path]) -> tuple[Path, ...]:
    """Attach what no scope covers yet, all of it or nothing, and let go of scopes that a new one covers."""
    present = {Path(scope.cgroup): scope.id for scope in instance.scopes()}
    added: dict[Path, int] = {}
    try:
        for cgroup in wanted:
            if not {cgroup, *cgroup.parents} & (present.keys() | added.keys()):
                added[cgroup] = instance.attach(cgroup)
    except BaseException:
        for number in added.values():
            instance.detach(number)
        raise
    for covered, number in {**present, **added}.items():
        if added.keys() & set(covered.parents):
            instance.detach(number)
    return tuple(added)


def down(seconds: float) -> status.Status:
    """Take the service down: no hops and no new connections at once, then out of the map, without loss.

    What is not empty, sits in a blocking ``recv`` or is busy within ``seconds`` goes on through the stack; the
    result's ``state`` is then ``draining``, and another ``down`` finishes. Raises :class:`NotUp`.
    """
    deadline = time.monotonic() + seconds
    with places.lock(), signals.deferred():
        places.collect()
        places.promote()
        instance = Instance.open(places.service())
        if instance is None:
            raise NotUp("sockhop is not up: there is nothing to take down")
        instance.close()
    pause = 0.001
    # Others may do something in between: the lock is not held while this waits.
    while (left := _take_down()).state == "draining" and time.monotonic() < deadline:
        time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(pause * 2, 0.1)
    return left


def _take_down() -> status.Status:
    """Take out of the closed service, and of those it replaced, what can be; return the status of what is left."""
    with places.lock(), signals.deferred():
        while instance := Instance.open(places.service()):
            if not instance.config().closed or instance.drain(0):
                return instance.status()
            instance.unpin()
            places.collect()
            places.promote()
    return status.down()


def current() -> Instance:
    """Return the service, up or draining. Raises :class:`NotUp`."""
    instance = Instance.open(places.service())
    if instance is None:
        raise NotUp("sockhop is not up. Start it with: sockhop up --all")
    return instance


def identity() -> int | None:
    """Return a number that is this service's own; None when none is up, or what there is drains.

    Raises :class:`~sockhop.errors.NotOurs`.
    """
    if not mounts.has_bpffs():
        return None
    place = places.service()
    with suppress(FileNotFoundError):  # it went down meanwhile
        number = place.stat().st_ino
        instance = Instance.open(place)
        return number if instance and not instance.config().closed else None
    return None


def change(action: Callable[[Instance], object], seconds: float = 10.0) -> None:
    """Do something to the service while nobody else does.

    Raises :class:`NotUp` if it is not up, or draining, and :class:`~sockhop.errors.Locked` when others are at
    work for ``seconds``.
    """
    with places.lock(seconds):
        instance = current()
        if instance.config().closed:
            raise NotUp(
                "sockhop is draining after down: nothing hops any more. Start it again with sockhop up, and the "
                "same scopes as before"
            )
        action(instance)


def look() -> status.Status:
    """Return the service's status; ``down`` where there is none, bpffs or not."""
    if not mounts.has_bpffs():
        return status.down()
    try:
        instance = Instance.open(places.service())
        return instance.status() if instance else status.down()
    except FileNotFoundError:  # it went down meanwhile
        return status.down()
