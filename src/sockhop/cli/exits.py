"""Exit codes, all of them, and which error ends with which."""

from sockhop import errors

OK = 0
FAILED = 1
USAGE = 2
NOT_UP = 3
BLOCKED = 4

_CODES: tuple[tuple[type[errors.SockhopError], int], ...] = (
    (errors.BadScope, USAGE),
    (errors.BadConfig, USAGE),
    (errors.BadReport, USAGE),
    (errors.NotUp, NOT_UP),
    (errors.NotPermitted, BLOCKED),
    (errors.Unsupported, BLOCKED),
    (errors.BadObject, BLOCKED),
)


def code_of(error: errors.SockhopError) -> int:
    """Return the exit code for an error. ``run`` has two of its own: 126 and 127, as in a shell."""
    if isinstance(error, errors.NoSuchCommand):
        return error.code
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)
