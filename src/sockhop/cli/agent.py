"""``sockhop agent``."""

import resource
import signal

import click

from sockhop.cli import exits, log
from sockhop.control import agent, service
from sockhop.kernel import privileges, signals


@click.command()
@click.option(
    "--interval",
    type=click.FloatRange(0.01, 86400),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often connections that may hop by now are taken in.",
)
@click.option("--once", is_flag=True, help="Take them in once, forget classes that are gone, and end.")
@click.option("--json", "as_json", is_flag=True, help="Log JSON objects, one a line.")
def command(interval: float, once: bool, as_json: bool) -> int:
    """Recheck at once when firewalls change, and take in connections that may hop by now, until SIGTERM.

    Optional: it may be started before `up`, stays after `down`, and may be killed at any time. It logs to stderr.
    """
    log.start(as_json)
    if once:
        agent.adopt(service)
        service.change(agent.forget_gone)
        return exits.OK
    privileges.require()
    # Two sockets a network namespace: the usual 1024 are too few for a host full of containers.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # there is nothing to read again
    with signals.readable({signal.SIGTERM, signal.SIGINT}) as wake:
        agent.Agent(service, interval, wake).run()
    return exits.OK
