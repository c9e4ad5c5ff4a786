"""The command line: a file per verb, exit codes and output in one place each."""

from sockhop.cli.main import main

__all__ = ["main"]
