"""The sizes of messages, as cases are named for them: ``1``, ``64``, ``1K``, ``4M``."""

_UNITS = {"K": 1 << 10, "M": 1 << 20}


def count(name: str) -> int:
    """Bytes."""
    return int(name.rstrip("KM")) * _UNITS.get(name[-1], 1)


def words(name: str) -> str:
    """As people write it: ``1 B``, ``64 KB``."""
    return f"{name.rstrip('KM')} {name[-1] if name[-1] in _UNITS else ''}B"


def name(size: int) -> str:
    """As :func:`count` reads it."""
    for unit, factor in reversed(_UNITS.items()):
        if size >= factor:
            return f"{size // factor}{unit}"
    return str(size)
