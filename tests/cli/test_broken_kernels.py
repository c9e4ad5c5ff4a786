"""Kernels that lack something: found by trying, and refused."""

import json
import os
import socket
from pathlib import Path

import pytest

from sockhop.kernel import repair
from tests.cli.broken import BROKEN, package
from tests.cli.sandbox import SOCKHOP, Sandbox


@pytest.fixture(scope="module")
def lossy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a sockhop that gives some bytes twice."""
    return package(tmp_path_factory.mktemp("lossy"), BROKEN["overlap"])


@pytest.mark.parametrize("probe", BROKEN)
def test_check_finds_it(sandbox: Sandbox, tmp_path: Path, probe: str) -> None:
    done = sandbox.sockhop("check", "--json", env=package(tmp_path, BROKEN[probe]))
    assert done.returncode == 4, done
    shown = json.loads(done.stdout)
    assert (shown["capable"], shown["support"]) == (False, "refused")
    found = {answer["id"]: answer for answer in shown["answers"]}
    assert found[probe]["state"] == "missing", found
    assert found[probe]["reason"]
    assert found[probe]["fix"]
    assert sandbox.leftovers() == set()


@pytest.mark.parametrize(
    "verb",
    [
        ("up", "--all"),
        ("up", "--all", "--mode", "auto"),
        ("run", "echo", "it ran"),
        ("run", "--mode", "auto", "true"),
    ],
    ids=" ".join,
)
def test_nothing_goes_on_with_it(sandbox: Sandbox, lossy: dict[str, str], verb: tuple[str, ...]) -> None:
    done = sandbox.sockhop(*verb, env=lossy)
    assert (done.returncode, done.stdout) == (4, "")
    assert "cannot be trusted with connections: a segment sent again made bytes come twice" in done.stderr
    assert "use a kernel whose bpf_skb_adjust_room() cuts sk_skb packets" in done.stderr
    assert "--accept-data-loss" in done.stderr
    sandbox.until_clean()


def test_the_one_that_is_up_stays(sandbox: Sandbox, lossy: dict[str, str]) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as pair:
        done = sandbox.sockhop("up", "--all", env=lossy)
        assert done.returncode == 4
        assert sandbox.pins() == {"service"}
        pair.talk()
        assert sandbox.status().hop.messages == 2


def test_who_accepts_the_loss_is_not_stopped(sandbox: Sandbox, lossy: dict[str, str]) -> None:
    sandbox.ok("up", "--all", "--accept-data-loss", env=lossy)
    assert sandbox.status().state == "up"
    sandbox.ok("down", env=lossy)
    done = sandbox.sockhop("run", "--accept-data-loss", "echo", "it ran", env=lossy)
    assert (done.returncode, done.stdout) == (0, "it ran\n")
    sandbox.until_clean()


def test_without_tracepoints_only_eager_mode_is_left(sandbox: Sandbox, tmp_path: Path) -> None:
    blind = package(tmp_path, [("dataplane/learn.bpf.h", "tp_btf/sock_recv_length", "tp_btf/sock_no_such_length")])
    done = sandbox.sockhop("check", "--json", env=blind)
    shown = json.loads(done.stdout)
    assert (done.returncode, shown["capable"], shown["support"]) == (0, True, "eager_only")
    assert {answer["id"] for answer in shown["answers"] if answer["state"] == "missing"} - {"rmem_max"} == {
        "tracepoints"
    }
    assert "only with --mode eager" in sandbox.sockhop("check", env=blind).stderr
    for verb in (("up", "--mode", "auto", "--all"), ("run", "--mode", "auto", "true")):
        done = sandbox.sockhop(*verb, env=blind)
        assert done.returncode == 4
        assert "does not show what applications do" in done.stderr
        assert "--mode eager" in done.stderr
        sandbox.until_clean()
    sandbox.ok("up", "--all", "--mode", "eager", env=blind)
    with sandbox.connection() as pair:
        pair.talk()
        assert sandbox.status().hop.messages == 2


def test_trying_leaves_no_trace(sandbox: Sandbox) -> None:
    """The probes' own messages are not counted, and what they set is gone."""
    sandbox.ok("up", "--all", "--mode", "auto", "--capacity", "2")
    status = sandbox.status()
    assert (status.hop.messages, status.stack.messages, status.sockets.tracked) == (0, 0, 0)
    assert status.sockets.capacity == 2
    config = sandbox.instance().config()
    assert (config.eager, config.paused, config.closed, config.rcvbuf) == (0, 0, 0, 3 << 20)
    assert sandbox.instance().classes() == []
    assert sandbox.leftovers() == {"service", "classes"}


def test_within_a_process_with_threads(sandbox: Sandbox) -> None:
    """As in a program that uses the library: its cgroup and its namespace stay what they are."""
    script = (
        "import threading, sockhop, pathlib, os\n"
        "stop = threading.Event()\n"
        "threading.Thread(target=stop.wait, daemon=True).start()\n"
        "def where(): return pathlib.Path('/proc/self/cgroup').read_text(), os.readlink('/proc/self/ns/net')\n"
        "before = where()\n"
        "with sockhop.Accelerator(cgroup=os.environ['SCOPE']) as hops:\n"
        "    print(hops.status().hop.messages, where() == before)\n"
    )
    scope = {**os.environ, "SCOPE": str(sandbox.inside(sandbox.root))}
    done = sandbox.run(SOCKHOP.with_name("python"), "-c", script, env=scope)
    assert (done.returncode, done.stdout) == (0, "0 True\n"), done.stderr


def test_segments_that_overlap_are_tcps_to_cut() -> None:
    """The probe is right about what TCP does: without hops each byte comes once, and the connection goes on."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as again:
        sender = socket.create_connection(listener.getsockname())
        receiver = listener.accept()[0]
        with sender, receiver:
            sender.sendall(b"0123456789")
            assert receiver.recv(10) == b"0123456789"
            repair.send_again(sender, again, b"56789abcde", 5)
            assert receiver.recv(10) == b"abcde"
            receiver.sendall(b"answer")
            assert again.recv(10) == b"answer"
