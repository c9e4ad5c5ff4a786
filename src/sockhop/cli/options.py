"""Options that several verbs share."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from sockhop.control.config import DEFAULT_PATH, Config
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
accept_option = click.option(
    "--accept-data-loss",
    is_flag=True,
    help="Go on where `sockhop check` found that this kernel loses or reorders bytes, hangs, or takes all memory.",
)
config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help=f"The configuration file. [default: {DEFAULT_PATH}, if there is one]",
)


def settings_from(context: click.Context, config: Config) -> tuple[Settings, set[str]]:
    """Return the settings, and the names of those that the command line or the file gives.

    What the command line gives wins over the file.
    """
    options = {
        setting.name: context.params[setting.name]
        for setting in dataclasses.fields(Settings)
        if setting.name in context.params
        and context.get_parameter_source(setting.name) is not ParameterSource.DEFAULT
    }
    return dataclasses.replace(config.settings, **options), config.given() | options.keys()


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
