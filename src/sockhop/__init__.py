"""TCP between processes on one Linux host, as fast as a Unix socket, without touching the applications."""

from sockhop.control.accelerator import Accelerator
from sockhop.control.classes import Class
from sockhop.control.status import Hops, Scope, Sockets, Stack, Status
from sockhop.errors import (
    BadConfig,
    BadObject,
    BadReport,
    BadScope,
    KernelError,
    Locked,
    NoSuchCommand,
    NotOurs,
    NotPermitted,
    NotUp,
    SockhopError,
    Unsupported,
)
from sockhop.version import __version__

__all__ = [
    "Accelerator",
    "BadConfig",
    "BadObject",
    "BadReport",
    "BadScope",
    "Class",
    "Hops",
    "KernelError",
    "Locked",
    "NoSuchCommand",
    "NotOurs",
    "NotPermitted",
    "NotUp",
    "Scope",
    "Sockets",
    "SockhopError",
    "Stack",
    "Status",
    "Unsupported",
    "__version__",
]
