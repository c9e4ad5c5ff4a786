"""Trying a data plane before it is trusted with anybody's connections."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from sockhop.control import places, tuning
from sockhop.control.instance import Instance
from sockhop.control.probes import behaviour
from sockhop.control.probes.answers import UNKNOWN, Answer, Need, Support, asked, lacking, support
from sockhop.control.probes.trial import Trial
from sockhop.control.settings import Settings
from sockhop.errors import Unsupported
from sockhop.kernel import cgroups, maps, private

_ROOM = 128 << 10  # SO_RCVBUF: little, so that it is soon full
_SOCKETS = 64  # room in the map for those of all probes


def require(instance: Instance, settings: Settings, *, accept_data_loss: bool) -> None:
    """Raise :class:`~sockhop.errors.Unsupported` unless the kernel does right what ``settings.mode`` relies on.

    See :func:`tried`. ``accept_data_loss`` takes the kernel as it is.
    """
    if accept_data_loss:
        return
    answers = tried(instance, settings, (Need.HOPS, Need.AUTO))
    found = support(answers)
    need = Need.HOPS if found is Support.REFUSED else Need.AUTO
    if found is Support.FULL or (need is Need.AUTO and settings.mode == "eager"):
        return
    if all(answer.state == UNKNOWN for answer in lacking(answers, need)):
        raise Unsupported(
            f"whether this kernel can be trusted could not be tried: {_reasons(answers, need)}. Mend that; see: "
            "sockhop check. With --accept-data-loss sockhop goes on untried"
        )
    if need is Need.HOPS:
        raise Unsupported(
            f"this kernel cannot be trusted with connections: {_reasons(answers, need)}. See: sockhop check. "
            "With --accept-data-loss sockhop goes on all the same, and connections may lose bytes, hang, or take "
            "all memory"
        )
    raise Unsupported(
        f"on this kernel applications may notice hops: {_reasons(answers, need)}. See: sockhop check. If yours do "
        "not mind: --mode eager"
    )


def _reasons(answers: Collection[Answer], need: Need) -> str:
    """Return what stands in the way of a need: what kept several probes from being tried once."""
    return "; ".join(
        dict.fromkeys(
            f"{answer.reason} ({answer.fix})" if answer.fix else answer.reason for answer in lacking(answers, need)
        )
    )


def tried(instance: Instance, settings: Settings, needs: Collection[Need]) -> list[Answer]:
    """Return how the kernel behaves, as far as these needs ask, tried on a new instance without a scope.

    The instance is left as it was, with these settings.
    """
    probes = {name: probe for name, (probe, need) in behaviour.PROBES.items() if need in needs}
    try:
        with (
            cgroups.fresh(places.home(instance.directory)) as cgroup,
            _prepared(instance, settings, cgroup),
            private.connections(cgroup, len(probes)) as made,
        ):
            return [_ask(name, Trial(instance, *sockets)) for name, sockets in zip(probes, made, strict=True)]
    except OSError as error:
        reason = f"connections to try it on could not be made: {error}"
        return [Answer(name, UNKNOWN, reason, need=behaviour.PROBES[name][1]) for name in probes]


def _ask(name: str, trial: Trial) -> Answer:
    probe, need = behaviour.PROBES[name]
    try:
        return asked(name, need, lambda: probe(trial))
    finally:
        trial.end()


@contextmanager
def _prepared(instance: Instance, settings: Settings, cgroup: Path) -> Iterator[None]:
    """Let whatever can hop in the cgroup, and at once; forget it all in the end."""
    eager = Settings(mode="eager", capacity=max(settings.capacity, _SOCKETS), receive_buffer=_ROOM)
    instance.attach(cgroup)
    with instance.get("config") as config, instance.get("traffic") as traffic:
        maps.write_element(config, tuning.config_of(eager))
        try:
            yield
        finally:
            maps.write_element(config, tuning.config_of(settings))
            maps.clear_per_cpu(traffic)
            number = cgroups.identity(cgroup)
            instance.detach(number)
            instance.forget([known for known in instance.classes() if known.cgroup == number])
