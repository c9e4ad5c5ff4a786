"""Whether another sockhop would take part in what is measured."""

from pathlib import Path

from sockhop.control import places
from sockhop.control.instance import Instance
from sockhop.errors import Unsupported


def require(cgroup: Path) -> None:
    """Raises :class:`~sockhop.errors.Unsupported` if the service has a scope around the cgroup of the run.

    Its programs would be called for all arms, plain TCP's too, whose connections would hop unseen.
    """
    service = Instance.open(places.service())
    scopes = [Path(scope.cgroup) for scope in service.scopes()] if service else []
    for scope in scopes:
        if scope in (cgroup, *cgroup.parents):
            raise Unsupported(
                f"sockhop is up over {scope}, and so over what is to be measured: plain TCP would hop, too. Take "
                "it down meanwhile (sockhop down), or give it scopes that leave the benchmark out (sockhop up "
                "with --cgroup or --unit)"
            )
