"""The ``sockhop`` command. Each verb is imported when it is called, so that none waits for the others."""

import importlib
import os
import signal
import sys

import click

from sockhop.cli import exits, output
from sockhop.errors import SockhopError
from sockhop.version import __version__

VERBS = (
    "check",
    "run",
    "up",
    "down",
    "status",
    "pause",
    "resume",
    "recheck",
    "flows",
    "explain",
    "classes",
    "trace",
    "adopt",
    "agent",
    "config",
    "demo",
    "bench",
)


class Verbs(click.Group):
    """The verbs, each the ``command`` of its module."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the verbs in the order of their use."""
        return list(VERBS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb's command, or None."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"sockhop.cli.{cmd_name}").command
        return command


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def sockhop() -> None:
    """TCP between processes on this host, as fast as a Unix socket."""


def _stand_in() -> None:
    """Let /dev/null stand for standard descriptors that are closed: what is opened next would be taken for one.

    None of them is passed on to other programs.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def main() -> None:
    """Run the command line and end the process with its exit code."""
    _stand_in()
    # Whoever started us may ignore it, as nohup does SIGHUP: then nobody could wait for a child.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        code = sockhop.main(standalone_mode=False)
        output.finish()
    except click.exceptions.Abort as abort:
        output.message("interrupted")
        code = 128 + getattr(abort.__cause__, "number", signal.SIGINT)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except SockhopError as error:
        output.message(str(error))
        code = exits.code_of(error)
    except BrokenPipeError:
        output.give_up()
        code = exits.FAILED
    except OSError as error:
        output.give_up()
        output.message(f"a system call failed in a way that sockhop does not know: {error}")
        code = exits.FAILED
    sys.exit(code or exits.OK)
