"""What systemd is told, and what it tells in the environment."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockhop.kernel import systemd


@pytest.fixture(params=["path", "abstract"])
def manager(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """A socket that listens as systemd does."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@sockhop-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name.replace("@", "\0", 1))
        sock.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield sock


def test_notify_sends_a_line_each(manager: socket.socket) -> None:
    assert systemd.notify("READY=1", "STATUS=ünï")
    assert manager.recv(1000) == "READY=1\nSTATUS=ünï".encode()


@pytest.mark.parametrize("address", [None, "", "relative", "/nobody/listens", "@sockhop-test-nobody", "vsock:2:1"])
def test_notify_is_silent_where_nobody_listens(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    if address is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not systemd.notify("READY=1")


def test_notify_does_not_wait_for_a_manager_that_does_not_read(manager: socket.socket) -> None:
    sent = 0
    while systemd.notify("WATCHDOG=1"):
        sent += 1
        assert sent < 10_000
    assert sent


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "1"}, None),  # meant for another
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_watchdog(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], seconds: float | None) -> None:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert systemd.watchdog_seconds() == seconds


def test_the_journal_is_known_by_its_stream(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        assert systemd.is_journal(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino + 1}")
        assert not systemd.is_journal(stream.fileno())
        monkeypatch.delenv("JOURNAL_STREAM")
        assert not systemd.is_journal(stream.fileno())
    assert not systemd.is_journal(-1)
