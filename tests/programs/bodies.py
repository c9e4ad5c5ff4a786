"""Random files of known hash, and HTTP clients that fetch them."""

import hashlib
import random
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.conftest import Scope

CURL = ["curl", "--silent", "--show-error", "--fail", "--max-time", "60"]
SIZES = {"1k": 1024, "100k": 100 * 1024, "10m": 10 * 1024 * 1024}


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def random_file(path: Path, size: int, seed: int = 0) -> Path:
    """A file of `size` random bytes, the same for the same seed."""
    source = random.Random(seed)
    with path.open("wb") as opened:
        while size:
            opened.write(source.randbytes(part := min(size, 1 << 20)))
            size -= part
    return path


def web_root(folder: Path) -> Path:
    """A new folder that holds one random file for each of SIZES."""
    root = folder / "root"
    (root / "put").mkdir(parents=True)
    for name, size in SIZES.items():
        random_file(root / name, size, seed=size)
    return root


def fetch(scope: Scope, url: str, root: Path, folder: Path, times: int, names: Iterable[str] = SIZES) -> int:
    """GET each file of `names` `times` times over one kept-alive connection, and compare them.

    Returns:
        how many bytes of bodies came.
    """
    argv = [*CURL]
    wanted = [(folder / f"{name}.{turn}", root / name) for turn in range(times) for name in names]
    for copy, original in wanted:
        argv += ["--output", str(copy), f"{url}/{original.name}"]
    scope.run(argv, check=True, timeout=90)
    for copy, original in wanted:
        assert digest(copy) == digest(original), f"{url}/{original.name} came through changed"
        copy.unlink()
    return sum(SIZES[name] for name in names) * times


def upload(scope: Scope, originals: list[Path], url: str) -> None:
    """PUT files under `url`, which ends in a slash, over one kept-alive connection."""
    argv = [*CURL]
    for original in originals:
        argv += ["--upload-file", str(original), url]
    scope.run(argv, check=True, timeout=90)


def wrk(scope: Scope, url: str, connections: int, seconds: int) -> subprocess.Popen[str]:
    """Start a load on one URL beside whatever else the test does; `loaded` ends it."""
    argv = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s", url]
    return scope.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def loaded(load: subprocess.Popen[str]) -> int:
    """Wait for the load's end; how many requests it made, none of which may have failed."""
    report, _ = load.communicate(timeout=60)
    assert load.returncode == 0, report
    assert "Non-2xx" not in report, report
    assert "Socket errors" not in report, report
    made = re.search(r"([1-9]\d*) requests in", report)
    assert made, report
    return int(made[1])
