"""``check``: what this kernel and machine allow, found out by trying."""

from sockhop.control import places
from sockhop.control.instance import Instance
from sockhop.control.probes import behaviour, machine, suitability
from sockhop.control.probes.answers import OK, UNKNOWN, Answer, Missing, Need, asked
from sockhop.control.settings import Settings
from sockhop.errors import SockhopError
from sockhop.kernel import signals

_SETTINGS = Settings(mode="eager", capacity=64)


def run_checks() -> list[Answer]:
    """Return the answer of every probe. One whose ground is missing is ``unknown``."""
    answers: list[Answer] = []
    for probe in machine.PROBES:
        missing = [answer.id for answer in answers if answer.id in probe.grounds and answer.state != OK]
        answers.append(_unknown(probe.id, probe.need, missing) if missing else ask(probe))
    missing = [answer.id for answer in answers if answer.need is Need.HOPS and answer.state != OK]
    if missing:
        return answers + [_unknown(name, need, missing) for name, (_, need) in behaviour.PROBES.items()]
    return answers + _behaviours()


def _unknown(name: str, need: Need, missing: list[str]) -> Answer:
    return Answer(name, UNKNOWN, f"cannot be tried without {', '.join(missing)}", need=need)


def ask(probe: machine.Probe) -> Answer:
    """Return the probe's answer."""

    def explained() -> str:
        try:
            return probe.ask()
        except SockhopError as error:
            raise Missing(str(error), "see the reason") from error

    return asked(probe.id, probe.need, explained)


def _behaviours() -> list[Answer]:
    try:
        with places.lock(), signals.deferred():
            places.collect()
            instance = Instance.create(places.private(), _SETTINGS)
            try:
                return suitability.tried(instance, _SETTINGS, tuple(Need))
            finally:
                instance.unpin()
    except (SockhopError, OSError) as error:
        reason = f"a data plane to try it on could not be made: {error}"
        return [Answer(name, UNKNOWN, reason, need=need) for name, (_, need) in behaviour.PROBES.items()]
