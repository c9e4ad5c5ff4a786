"""Every exception that sockhop raises.

    SockhopError
    ├── NotPermitted      this process lacks a capability
    ├── Unsupported       this kernel or machine cannot do what is needed
    ├── BadObject         the compiled data plane is missing or damaged
    ├── BadScope          a cgroup that does not exist, is no cgroup, or is named twice
    ├── BadConfig         a configuration file with mistakes
    ├── BadReport         a file that is no report of ``bench``
    ├── NotUp             nothing is running that the call could act on
    ├── Locked            another sockhop command is at work
    ├── NotOurs           somebody else's objects stand where ours would
    ├── NoSuchCommand     the command given to ``run`` cannot be started
    └── KernelError       a system call failed in a way that none of the above explains

A message says what happened, why, and what to do.
"""


class SockhopError(Exception):
    """The base of them all."""


class NotPermitted(SockhopError):
    """This process lacks a capability, which the message names."""


class Unsupported(SockhopError):
    """This kernel or machine lacks a feature, which the message names."""


class BadObject(SockhopError):
    """The compiled data plane is missing or damaged."""


class BadScope(SockhopError):
    """A scope that cannot be watched."""


class BadConfig(SockhopError):
    """A configuration file with mistakes; the message has each with its line."""


class BadReport(SockhopError):
    """A file that is no report of ``bench``, or one of another version."""


class NotUp(SockhopError):
    """No instance is up."""


class Locked(SockhopError):
    """Another sockhop command holds the lock."""


class NotOurs(SockhopError):
    """Pins under our name that sockhop did not make."""


class NoSuchCommand(SockhopError):
    """The command given to ``run`` does not exist (``code`` 127) or may not be executed (126)."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class KernelError(SockhopError):
    """A system call failed. ``errno`` is its number."""

    def __init__(self, message: str, errno: int) -> None:
        super().__init__(message)
        self.errno = errno
