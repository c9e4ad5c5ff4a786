"""Quantities as people read them, for every kind of report."""

_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def quantity(value: float, unit: str, digits: str = ".2f") -> str:
    """A number with its unit: ``x``, ``s``, ``B`` and whatever is counted a second; ``digits`` as in a format."""
    if unit == "x":
        return f"{value:.3f}"
    if unit == "s":
        return duration(value)
    if unit == "B":
        return f"{value:,.0f} B"
    for factor, prefix in _PREFIXES:
        if value >= factor:
            return f"{value / factor:{digits}} {prefix}{unit}"
    return f"{value:.1f} {unit}"


def duration(seconds: float) -> str:
    """Of a message, or of a command."""
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if abs(seconds) * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
