"""What is made of the answers of probes, and probes that say no."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sockhop.control import walking
from sockhop.control.instance import Instance
from sockhop.control.probes import behaviour, machine, suitability
from sockhop.control.probes.answers import MISSING, OK, UNKNOWN, Answer, Missing, Need, Support, lacking, support
from sockhop.control.probes.trial import Trial
from sockhop.control.settings import Settings
from sockhop.errors import Unsupported
from sockhop.kernel import btf

AUTO, EAGER = Settings(mode="auto"), Settings(mode="eager")


def answer(need: Need, state: str) -> Answer:
    return Answer(f"{need}-{state}", state, "the reason", "the fix", need)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([answer(Need.HOPS, OK), answer(Need.AUTO, OK), answer(Need.DETAIL, OK)], Support.FULL),
        ([answer(Need.HOPS, OK), answer(Need.AUTO, OK), answer(Need.DETAIL, MISSING)], Support.FULL),
        ([answer(Need.HOPS, OK), answer(Need.AUTO, MISSING)], Support.EAGER_ONLY),
        ([answer(Need.HOPS, OK), answer(Need.AUTO, UNKNOWN)], Support.EAGER_ONLY),
        ([answer(Need.HOPS, MISSING), answer(Need.AUTO, OK)], Support.REFUSED),
        ([answer(Need.HOPS, UNKNOWN), answer(Need.AUTO, OK)], Support.REFUSED),
    ],
)
def test_support(answers: list[Answer], expected: Support) -> None:
    assert support(answers) is expected


def test_what_is_lacking_is_the_cause_not_what_follows() -> None:
    cause, follows = answer(Need.HOPS, MISSING), answer(Need.HOPS, UNKNOWN)
    assert lacking([answer(Need.HOPS, OK), follows, cause, answer(Need.AUTO, MISSING)], Need.HOPS) == [cause]
    assert lacking([follows], Need.HOPS) == [follows]


@pytest.mark.parametrize(
    ("answers", "settings", "words"),
    [
        ([answer(Need.HOPS, MISSING)], EAGER, "cannot be trusted with connections: the reason (the fix)"),
        ([answer(Need.HOPS, MISSING)], AUTO, "--accept-data-loss"),
        ([answer(Need.AUTO, MISSING)], AUTO, "applications may notice hops: the reason (the fix)"),
        ([answer(Need.AUTO, MISSING)], AUTO, "--mode eager"),
        ([answer(Need.HOPS, UNKNOWN)] * 2, EAGER, "trusted could not be tried: the reason (the fix). Mend that"),
        ([answer(Need.AUTO, UNKNOWN)], AUTO, "trusted could not be tried: the reason (the fix). Mend that"),
    ],
)
def test_what_is_refused(
    monkeypatch: pytest.MonkeyPatch, answers: list[Answer], settings: Settings, words: str
) -> None:
    instance = Instance(Path("/nowhere"))
    monkeypatch.setattr(suitability, "tried", lambda *_: answers)
    with pytest.raises(Unsupported) as error:
        suitability.require(instance, settings, accept_data_loss=False)
    assert words in str(error.value)
    suitability.require(instance, settings, accept_data_loss=True)


def test_what_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suitability, "tried", lambda *_: [answer(Need.AUTO, MISSING), answer(Need.HOPS, OK)])
    suitability.require(Instance(Path("/nowhere")), EAGER, accept_data_loss=False)


def test_probes_stand_on_probes_that_come_before() -> None:
    names = [probe.id for probe in machine.PROBES] + list(behaviour.PROBES)
    assert len(set(names)) == len(names)
    for place, probe in enumerate(machine.PROBES):
        assert set(probe.grounds) <= set(names[:place])
    assert names[-1] == "drain"  # nothing hops after it


# -- probes that this kernel always answers with yes: what they say where it does not -----------------------------


class PlainTrial(Trial):
    """A connection that nobody hops: all is TCP's."""

    def hop(self, data: bytes) -> None:
        self.client.sendall(data)

    stack = hop


class Swallowing(PlainTrial):
    """A kernel that keeps what hops somewhere else."""

    def hop(self, data: bytes) -> None:
        """Nothing is charged, counted, or there."""


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket, socket.socket]]:
    listener = socket.create_server(("127.0.0.1", 0))
    with listener, closing(socket.create_connection(listener.getsockname())) as client:
        server = listener.accept()[0]
        with server, socket.socket() as spare:
            yield client, server, spare


Ends = tuple[socket.socket, socket.socket, socket.socket]
NOWHERE = Instance(Path("/nowhere"))


def test_bytes_that_are_charged_to_nobody(ends: Ends) -> None:
    assert behaviour.charge(PlainTrial(NOWHERE, *ends)) == "unread hops are charged to their receiver"
    with pytest.raises(Missing, match=r"not charged to their receiver \(0 of 32768\)") as error:
        behaviour.charge(Swallowing(NOWHERE, *ends[::-1][1:], ends[2]))
    assert "54f89b3178d5" in error.value.fix


def test_bytes_that_fionread_does_not_count(ends: Ends) -> None:
    assert behaviour.fionread(PlainTrial(NOWHERE, *ends)) == "FIONREAD counts what is unread"

    class Uncounted(PlainTrial):
        def receive(self, count: int) -> bytes:
            return bytes(count)

    ends[1].recv(16)
    with pytest.raises(Missing, match=r"FIONREAD says \[9, 9\]"):
        behaviour.fionread(Uncounted(NOWHERE, *ends))


def test_a_namespace_that_is_taken_for_another(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "everywhere", lambda *_: [])
    with pytest.raises(Missing, match="is shown as one of none"):
        behaviour.netns_cookies(PlainTrial(NOWHERE, *ends))


# -- the kernel's types ------------------------------------------------------------------------------------------


def test_the_kernel_describes_itself() -> None:
    with btf.vmlinux() as kernel:
        assert kernel.has_function("tcp_v4_connect")
        assert not kernel.has_function("tcp_v5_connect")
        assert kernel.has_member("sk_psock", "ingress_skb")
        assert not kernel.has_member("sk_psock", "egress_skb")
        assert not kernel.has_member("no_such_struct", "ingress_skb")
