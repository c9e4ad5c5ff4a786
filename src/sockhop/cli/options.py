"""Options that several verbs share."""

from collections.abc import Callable
from typing import Any

import click

from sockhop.control.settings import MAX_CAPACITY, MAX_RECHECK_SECONDS, MIN_CAPACITY, MODES, Settings

_DEFAULTS = Settings()

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
mode_option = click.option(
    "--mode",
    type=click.Choice(MODES),
    default=_DEFAULTS.mode,
    show_default=True,
    help="auto: learn first what each service does, and let hop what cannot tell. eager: let all hop at once.",
)


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that make :class:`~sockhop.control.settings.Settings`."""
    command = click.option(
        "--recheck-seconds",
        type=click.FloatRange(0, MAX_RECHECK_SECONDS, min_open=True),
        default=_DEFAULTS.recheck_seconds,
        show_default=True,
        help="How often each direction shows a message to firewalls.",
    )(command)
    return click.option(
        "--capacity",
        type=click.IntRange(MIN_CAPACITY, MAX_CAPACITY),
        default=_DEFAULTS.capacity,
        show_default=True,
        help="Sockets at once; a connection has two.",
    )(command)
