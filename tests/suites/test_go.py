"""The network tests of Go's standard library, from the distribution's source (golang-src)."""

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import missing

from .ways import ALL, Results, Way, compare

pytestmark = [pytest.mark.bpf, pytest.mark.timeout(3600 if ALL else 300)]

MORE = ["crypto/tls", "net/rpc", "net/http/httputil", "net/http/httptest", "net/smtp", "net/textproto"]
# Without those whose name begins with an O: one of them runs `go vet`, for longer than all others together.
PATTERNS = {"net/http": "^Test[^O]"}
# Without those of Transport and a few more, whose io.Copy() splices.
WITHOUT_SPLICE = "^Test(Serve|Client|[^COST])"

_RESULT = re.compile(r"^--- (PASS|FAIL|SKIP): (\S+)", re.MULTILINE)


@pytest.fixture(scope="session")
def go_test(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path]]:
    """Return a function that compiles the tests of a package; it gives the program, and where it must run."""
    folder = tmp_path_factory.mktemp("go-tests")
    if not shutil.which("go"):
        missing("no Go: install golang-go and golang-src")
    offline = {"GOCACHE": str(folder / "cache"), "GOPROXY": "off", "GOFLAGS": "-mod=mod"}
    environment = {**os.environ, **offline}

    @functools.cache
    def compile_tests(package: str) -> tuple[Path, Path]:
        program = folder / f"{package.replace('/', '-')}.test"
        command = ["go", "test", "-vet=off", "-c", "-o", str(program), package]
        subprocess.run(command, check=True, env=environment, cwd=folder, timeout=280)
        asked = ["go", "list", "-f", "{{.Dir}}", package]
        place = subprocess.run(asked, check=True, env=environment, cwd=folder, capture_output=True, text=True)
        return program, Path(place.stdout.strip())

    return compile_tests


def run_in(program: Path, place: Path, way: Way, names: list[str]) -> Results:
    """Run what a pattern names, or single tests."""
    pattern = names[0] if len(names) == 1 and not names[0].isidentifier() else f"^({'|'.join(names)})$"
    argv: list[object] = [program, "-test.short", "-test.v", "-test.timeout=5m", f"-test.run={pattern}"]
    output = way.run(argv, {}, place)
    found = {
        name: {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped"}[end] for end, name in _RESULT.findall(output)
    }
    assert "panic: test timed out" not in output, output[-5000:]
    return found


@pytest.mark.parametrize("package", ["net", "net/http", *(MORE if ALL else ())])
def test_in_auto_mode(go_test: Callable[[str], tuple[Path, Path]], tmp_path: Path, package: str) -> None:
    """Among them those that splice, at which eager mode hangs."""
    check(go_test, package, PATTERNS.get(package, "^Test"), "auto", tmp_path)


def check(go_test: Callable[[str], tuple[Path, Path]], package: str, pattern: str, mode: str, folder: Path) -> int:
    """Compare the tests of a package; how many messages have hopped."""
    program, place = go_test(package)
    way = compare(package, lambda way, names: run_in(program, place, way, names), [pattern], mode, folder)
    print(f"{way.hops()} messages have hopped")
    return way.hops()


if ALL:

    def test_in_eager_mode(go_test: Callable[[str], tuple[Path, Path]], tmp_path: Path) -> None:
        """Nearly all their connections hop."""
        assert check(go_test, "net/http", WITHOUT_SPLICE, "eager", tmp_path) > 10_000

    @pytest.mark.parametrize("package", MORE)
    def test_more_in_eager_mode(go_test: Callable[[str], tuple[Path, Path]], tmp_path: Path, package: str) -> None:
        check(go_test, package, "^Test", "eager", tmp_path)
