"""Recorded decisions: tables of numbers with a column for each field of ``struct decision``."""

import csv
import ctypes
import gzip
import io
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sockhop.dataplane import build
from tests.unit.btf import types_of

HERE = Path(__file__).parent
TRACES = HERE / "traces"

#: What the fields that are structs themselves are. The others are numbers.
_STRUCTS = {
    ("decision", "config"): "config",
    ("decision", "before"): "end",
    ("decision", "after"): "end",
    ("decision", "start"): "moment",
    ("decision", "finish"): "moment",
    ("moment", "me"): "seen",
    ("moment", "peer"): "seen",
    ("end", "pair"): "seq_pair",
    ("end", "peer"): "where",
    ("end", "class"): "class_key",
}

# Addresses mean nothing later, and ``finish`` is as ``start`` in what record.py lets pass.
_NOT_KEPT = re.compile(r"finish\.|.*\.peer\.(sock|end)$")

Decision = dict[str, int]
"""The number in each column. Columns are named like ``before.peer.cookie``."""


@dataclass(frozen=True)
class Column:
    """Where a number is in the bytes of a decision."""

    start: int
    end: int


@dataclass(frozen=True)
class Layout:
    """How decisions lie in memory."""

    size: int
    columns: dict[str, Column]

    def unpack(self, raw: bytes) -> Decision:
        """Return the numbers in these bytes."""
        return {name: int.from_bytes(raw[at.start : at.end], "little") for name, at in self.columns.items()}

    def pack(self, decision: Decision) -> bytes:
        """Return the bytes. A column that the decision lacks is 0: the field is younger than the record."""
        raw = bytearray(self.size)
        for name, at in self.columns.items():
            raw[at.start : at.end] = decision.get(name, 0).to_bytes(at.end - at.start, "little")
        return bytes(raw)


def compile_recorder(folder: Path) -> Path:
    """Compile the data plane that records into an empty folder, and return the object."""
    for source in (*build.SOURCE.parent.glob("*.[ch]"), *HERE.glob("*.[ch]")):
        shutil.copy(source, folder)
    build.compile_object(folder / "record.bpf.c", folder / "record.bpf.o")
    return folder / "record.bpf.o"


def layout_of(recorder: Path) -> Layout:
    """Read the layout from the recorder's types."""
    with types_of(recorder) as types:

        def columns(struct: str, prefix: str, base: int) -> Iterator[tuple[str, Column]]:
            for field in types.struct(struct)[1]:
                start, inner = base + field.offset, _STRUCTS.get((struct, field.name))
                if inner:
                    yield from columns(inner, f"{prefix}{field.name}.", start)
                else:
                    yield prefix + field.name, Column(start, start + field.size)

        return Layout(types.struct("decision")[0], dict(columns("decision", "", 0)))


class Rule:
    """The program that decides, compiled for this machine."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        library = folder / "replay.so"
        flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-shared", "-fPIC"]
        headers = [f"-I{build.SOURCE.parent}", f"-I{HERE}"]
        subprocess.run(["cc", *flags, *headers, "-o", library, HERE / "replay.c"], check=True)
        self._layout, self._replay = layout, ctypes.CDLL(str(library)).replay

    def decide(self, decision: Decision, **changes: int) -> Decision:
        """Return the decision as it is taken now, from the columns of ``before``, ``start`` and ``config``.

        ``changes`` are to the configuration.
        """
        asked = decision | {f"config.{name}": value for name, value in changes.items()}
        raw = ctypes.create_string_buffer(self._layout.pack(asked), self._layout.size)
        self._replay(raw)
        return self._layout.unpack(raw.raw)


def traces() -> list[str]:
    """Return the names of the recorded traces."""
    return sorted(path.name.removesuffix(".csv.gz") for path in TRACES.glob("*.csv.gz"))


def read(name: str) -> list[Decision]:
    """Return the decisions of a trace, in their order."""
    with gzip.open(TRACES / f"{name}.csv.gz", "rt", newline="") as file:
        return [{column: int(number) for column, number in row.items()} for row in csv.DictReader(file)]


def write(name: str, decisions: Iterable[Decision]) -> None:
    """Write a trace, without what cannot be replayed. The same decisions give the same file."""
    rows = [{column: number for column, number in row.items() if not _NOT_KEPT.match(column)} for row in decisions]
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, rows[0])
    table.writeheader()
    table.writerows(rows)
    TRACES.mkdir(exist_ok=True)
    (TRACES / f"{name}.csv.gz").write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
