"""CPython's own network tests, with the system's interpreter and the distribution's test package."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.conftest import missing

from .ways import ALL, MODES, Results, Way, compare

pytestmark = [pytest.mark.bpf, pytest.mark.timeout(3600 if ALL else 300)]

# What takes seconds, and what takes minutes because it waits for time-outs.
QUICK = [
    "test_httplib",
    "test_httpservers",
    "test_smtplib",
    "test_ftplib",
    "test_asyncio.test_streams",
    "test_asyncio.test_server",
    "test_asyncio.test_sendfile",
    "test_asyncio.test_sock_lowlevel",
]
SLOW = ["test_socket", "test_asyncio", "test_ssl", "test_imaplib", "test_poplib", "test_xmlrpc"]
# Hangs on plain TCP where the hypervisor offers sockets to itself.
IGNORED = ["*VSOCK*"]


@pytest.fixture(scope="session")
def interpreter() -> str:
    """An interpreter that has the package `test`."""
    for python in ("/usr/bin/python3", sys.executable):
        asked = [python, "-c", "import test.test_socket"]
        if Path(python).exists() and subprocess.run(asked, check=False, capture_output=True).returncode == 0:
            return python
    return missing("no interpreter here has CPython's tests: install libpython3.N-testsuite")


def run_with(interpreter: str, way: Way, names: list[str]) -> Results:
    """Run suites (test_socket), or single tests (test.test_socket.BasicTCPTest.testRecv)."""
    report = way.folder / "report.xml"
    report.unlink(missing_ok=True)
    argv: list[object] = [interpreter, "-m", "test", "--junit-xml", report, "--tempdir", way.folder]
    for pattern in IGNORED:
        argv += ["--ignore", pattern]
    single = [name for name in names if name.startswith("test.")]
    for name in single:
        argv += ["--match", name]
    suites = {".".join(name.split(".")[1:3]) for name in single} or set(names)
    suites = {suite if suite.startswith("test_asyncio") else suite.partition(".")[0] for suite in suites}
    output = way.run([*argv, *sorted(suites)], {})
    assert report.exists(), output
    return {case.get("name", ""): result_of(case) for case in ET.parse(report).iter("testcase")}


def result_of(case: ET.Element) -> str:
    """Of a test in a report."""
    kinds = {child.tag for child in case}
    if kinds & {"failure", "error"}:
        return "failed"
    return "skipped" if "skipped" in kinds or case.get("result") == "skipped" else "passed"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("suites", [QUICK, *([name] for name in SLOW if ALL)], ids=" ".join)
def test_ends_as_on_plain_tcp(interpreter: str, tmp_path: Path, suites: list[str], mode: str) -> None:
    """Most of their servers take a connection or two each, at a port of their own: only eager mode hops."""
    way = compare("CPython", lambda way, names: run_with(interpreter, way, names), suites, mode, tmp_path)
    hops = way.hops()
    print(f"{hops} messages have hopped")
    assert hops > 500 or mode == "auto" or suites != QUICK
