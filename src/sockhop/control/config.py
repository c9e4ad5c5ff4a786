"""The configuration: what ``/etc/sockhop/config.toml`` says, and the defaults for what it does not."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from sockhop.control import matchers, rules, toml_lines
from sockhop.control.document import Document, complaint, shown
from sockhop.control.rules import Rule
from sockhop.control.settings import LIMITS, MODES, Settings, fault

DEFAULT_PATH = Path("/etc/sockhop/config.toml")
EXAMPLE = Path(__file__).with_name("example.toml")

# The settings that each table has, by their names there, with those in Settings.
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "hops": {
        name: name
        for name in (
            "mode",
            "recheck_seconds",
            "capacity",
            "receive_buffer",
            "queue_messages",
            "burst_messages",
            "burst_bytes",
            "small_bytes",
        )
    },
    "learning": {
        "connections": "learn_connections",
        "reads": "learn_reads",
        "least_messages": "least_messages",
        "review_seconds": "review_seconds",
    },
}


@dataclass(frozen=True)
class Scopes:
    """What is watched: either ``all``, the whole host, or these cgroups and those of these systemd units."""

    all: bool = False
    cgroups: tuple[Path, ...] = ()
    units: tuple[str, ...] = ()


@dataclass(frozen=True)
class Config:
    """What one file says.

    :param file: None for the defaults alone.
    :param scopes: None if the file has no such table.
    :param settings: with defaults where the file has none.
    :param rules: in their order.
    :param lines: of what stands in the file, by its names from the top: ``("hops", "capacity")``.
    """

    file: Path | None = None
    scopes: Scopes | None = None
    settings: Settings = field(default_factory=Settings)
    rules: tuple[Rule, ...] = ()
    lines: Mapping[toml_lines.Path, int] = field(default_factory=dict, compare=False)

    def given(self) -> set[str]:
        """Return the names of the settings that the file gives."""
        return {
            name for table, names in SETTINGS.items() for key, name in names.items() if (table, key) in self.lines
        }


LAYOUT: Mapping[str, tuple[str, ...]] = {
    "scopes": tuple(setting.name for setting in fields(Scopes)),
    **{table: tuple(names) for table, names in SETTINGS.items()},
    "rule": rules.KEYS,
}


def load(path: Path | None) -> Config:
    """Return what the file says; without a path what the default one says, or the defaults if there is none.

    Raises :class:`~sockhop.errors.BadConfig` with every mistake of the file.
    """
    file = path or DEFAULT_PATH
    if path is None and not os.path.lexists(file):
        return Config()
    try:
        content = file.read_bytes()
    except OSError as error:
        fix = "make it one that can be read, or name another with --config"
        raise complaint(file, [(0, f"the configuration cannot be read ({error.strerror}): {fix}")]) from None
    try:
        text = content.decode("utf-8-sig")  # some editors begin files with a byte order mark
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"byte 0x{content[error.start]:02x} is no UTF-8 ({error.reason}): save the file as UTF-8"
        raise complaint(file, [(line, what)]) from None
    return parse(text, file)


def parse(text: str, file: Path) -> Config:
    """Return what a text says that is, or would be, the content of ``file``.

    Nothing but the text is looked at. Raises :class:`~sockhop.errors.BadConfig`.
    """
    document = Document(file, text, LAYOUT)
    scopes = _scopes(document) if "scopes" in document.data else None
    settings = _settings(document)
    found = rules.read(document)
    document.settle()
    return Config(file, scopes, Settings(**settings), found, document.lines)


def example() -> str:
    """Return a file that has every setting, with what it means and its default."""
    return EXAMPLE.read_text()


def _scopes(document: Document) -> Scopes:
    table = document.table("scopes")
    everything = table.get("all", False)
    if not isinstance(everything, bool):
        document.wrong(("scopes", "all"), f"all is {shown(everything)}: give true, or leave it out")
    cgroups = _list(document, "cgroups", table, matchers.cgroup)
    units = _list(document, "units", table, matchers.unit)
    if everything is True and (cgroups or units):
        document.wrong(
            ("scopes", "all"), "all = true takes in every cgroup and unit: leave it out, or leave those out"
        )
    if not (everything or table.get("cgroups") or table.get("units")):
        document.wrong(
            ("scopes",), "[scopes] names nothing: give all = true, cgroups or units, or leave the table out"
        )
    return Scopes(everything, tuple(cgroups), tuple(units))


def _list(document: Document, name: str, table: Mapping[str, Any], read: Any) -> list[Any]:
    """Return the parts of a list in ``[scopes]``."""
    value = table.get(name, [])
    if not isinstance(value, list):
        brackets = f'["{value}"]' if isinstance(value, str) else "one, as in " + _EXAMPLES[name]
        document.wrong(("scopes", name), f"{name} is {shown(value)}: give a list, {brackets}")
        return []
    found: list[Any] = []
    for number, part in enumerate(value):
        path = ("scopes", name, number)
        read_part = read(document, path, part)
        if read_part is not None and read_part in found:
            document.wrong(path, f'"{part}" is named twice: leave one of the two out')
        found.append(read_part)
    return found


_EXAMPLES = {"cgroups": '["/sys/fs/cgroup/system.slice"]', "units": '["redis.service"]'}


def _settings(document: Document) -> dict[str, Any]:
    """Return the settings that the file gives, by their names in Settings."""
    found = {}
    for table, names in SETTINGS.items():
        for key, value in document.table(table).items():
            problem = _problem(names[key], value)
            if problem:
                document.wrong((table, key), f"{key} is {shown(value)}: {problem}")
            found[names[key]] = value
    return found


def _problem(name: str, value: object) -> str:
    """Return what would be right, if the value of a setting is not."""
    default = getattr(Settings, name)
    if isinstance(default, str):
        return "" if value in MODES else "give " + " or ".join(f'"{mode}"' for mode in MODES)
    kinds = (int, float) if isinstance(default, float) else int
    if isinstance(value, bool) or not isinstance(value, kinds):
        return f"give a {'number' if isinstance(default, float) else 'whole number'}, {LIMITS[name]}"
    return fault(name, value)
