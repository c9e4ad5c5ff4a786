"""Running a command on plain TCP or under ``sockhop run``, and comparing what its tests came to."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

SOCKHOP = Path(sys.executable).with_name("sockhop")
ALL = os.environ.get("SOCKHOP_SUITES") == "all"
"""Whether to run everything: takes many minutes."""

MODES = ["auto", "eager"] if ALL else ["auto"]

Results = dict[str, str]
"""``passed``, ``failed`` or ``skipped``, by the name of the test."""


@dataclass(frozen=True)
class Way:
    """How a command runs: ``mode`` is None on plain TCP. The counters of the runs add up in ``hops``."""

    mode: str | None
    folder: Path

    def run(self, argv: list[object], environment: Mapping[str, str], directory: Path | None = None) -> str:
        """Run a command to its end, whatever its exit code; what it printed."""
        command = list(map(str, argv))
        if self.mode:
            number = len(list(self.folder.glob("counters.*")))
            counters = self.folder / f"counters.{number}"
            command = [str(SOCKHOP), "run", "--mode", self.mode, "--json", str(counters), "--", *command]
        done = subprocess.run(
            command,
            check=False,
            env={**os.environ, **environment},
            cwd=directory or self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=1200,
        )
        return done.stdout.decode(errors="replace")

    def hops(self) -> int:
        """How many messages have hopped in all runs."""
        found = [json.loads(path.read_text()) for path in self.folder.glob("counters.*")]
        assert found, "sockhop run has left no counters"
        return sum(counters["hop"]["messages"] for counters in found)


_plain: dict[tuple[str, ...], Results] = {}


def compare(
    suite: str, run: Callable[[Way, list[str]], Results], names: list[str], mode: str, folder: Path
) -> Way:
    """Run the tests of these names on plain TCP and in a mode: both must come to the same, test by test.

    Some tests of these suites fail now and then by themselves. Those that differ run once more, both ways.

    :param suite: what the names belong to. On plain TCP the same is run once, for all modes.
    :param run: given a way and the names of suites or of tests, returns the results.
    """
    tcp, way = Way(None, folder / "tcp"), Way(mode, folder / mode)
    tcp.folder.mkdir()
    way.folder.mkdir()
    key = (suite, *names)
    if key not in _plain:
        _plain[key] = run(tcp, names)
    plain = _plain[key]
    failing = sorted(name for name, result in plain.items() if result == "failed")
    print(f"{len(plain)} tests; on plain TCP {failing or 'none'} fail")
    assert "passed" in plain.values()
    differ = differing(plain, run(way, names))
    if differ:
        print(f"once more: {differ}")
        differ = differing(run(tcp, sorted(differ)), run(way, sorted(differ)))
    assert not differ
    return way


def differing(plain: Results, hopping: Results) -> dict[str, tuple[str, str]]:
    """The results of the tests that do not end alike."""
    names = sorted(plain.keys() | hopping.keys())
    pairs = {name: (plain.get(name, "missing"), hopping.get(name, "missing")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
