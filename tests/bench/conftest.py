"""A private part of the machine, as for the other verbs."""

from tests.cli.conftest import sandbox

__all__ = ["sandbox"]
