"""Each reason that keeps a connection from hopping, in words."""

import re
import tomllib

import pytest

from sockhop.control import words
from sockhop.control.explain import explain
from sockhop.control.pairing import Flow
from sockhop.control.settings import Settings
from sockhop.control.situation import DOWN, Situation
from sockhop.control.verdicts import who
from sockhop.kernel.abi import FlowFlag, Outcome, Reason
from tests.unit.making_flows import IN, PLAIN, UP, end, flow, known, situation

LOSING = {Reason.SHORT_LIVED, Reason.SMALL_WRITES, Reason.CORKED}
SERVER = "the server (a-server, pid 100)"
CLIENT = "the client (a-client, pid 200)"


def stack(what: Flow, code: str, why: str, fix: str, where: Situation = UP) -> None:
    """It takes the stack, with exactly this reason and this fix."""
    verdict = explain(what, where)
    assert (verdict.hops, verdict.code, verdict.text, verdict.fix) == (
        False,
        code,
        f"takes the stack because {why}",
        fix,
    )


def test_it_hops() -> None:
    verdict = explain(flow(), UP)
    assert (verdict.hops, verdict.code, verdict.text, verdict.fix) == (True, "hops", "hops", "")


def test_whom_it_is_about() -> None:
    assert who(end()) == SERVER
    assert who(end("client", owners=())) == who(end("client", owners=None)) == "the client"


# -- without a second end, or a state to hop in ----------------------------------------------------------------


def test_the_other_end_is_on_another_host() -> None:
    lone = end("client", PLAIN, remote_address="10.0.0.9", peer=0)
    why = "its other end, 10.0.0.9:6379, is on another host, or in a network namespace that cannot be seen"
    stack(Flow(lone, None), "other_host", why, "")
    stack(Flow(lone, None), "other_host", why, "", DOWN)


def test_the_other_end_is_gone() -> None:
    why = "its other end, 127.0.0.1:40000, is gone"
    stack(Flow(None, end(flags=(*IN, FlowFlag.PEER_GONE))), "gone", why, "")
    stack(Flow(None, end(peer=0)), "gone", why, "")


def test_the_other_end_is_there_but_not_seen() -> None:
    assert explain(Flow(None, end()), UP).hops
    stack(Flow(None, end(outcome="full")), "full", words.OUTCOMES[Outcome.FULL][0], "")


def test_a_socket_connected_to_itself() -> None:
    itself = end(flags=PLAIN, remote_port=6379, peer=0)
    stack(Flow(None, itself), "self", "the socket is connected to itself", "")


def test_not_established_yet() -> None:
    lone = end("client", PLAIN, tcp_state="syn_sent", peer=0)
    stack(Flow(lone, None), "connecting", "it is not established yet", "")
    stack(flow(PLAIN, {"tcp_state": "syn_recv"}), "connecting", "it is not established yet", "")


@pytest.mark.parametrize("state", ["fin_wait1", "fin_wait2", "close_wait", "last_ack", "closing", "close"])
def test_closing(state: str) -> None:
    why = "one of the ends has shut down or is closing"
    stack(flow(PLAIN, {"tcp_state": state}), "closing", why, "")
    stack(Flow(end("client", PLAIN, tcp_state=state), None), "closing", why, "")


def test_half_closed_the_other_direction_goes_on() -> None:
    verdict = explain(flow(IN, {"tcp_state": "close_wait"}, tcp_state="fin_wait2"), UP)
    assert (verdict.hops, verdict.code) == (True, "closing")
    assert verdict.text == (
        "hops from server to client; the other way it takes the stack because "
        "one of the ends has shut down or is closing"
    )


# -- what of the sockets keeps them out ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "code", "why"),
    [
        (FlowFlag.KERNEL_SOCKET, "kernel_socket", "belongs to the kernel itself (NFS, nvme-tcp, ceph)"),
        (FlowFlag.MPTCP, "mptcp", "is part of an MPTCP connection, which the kernel does not let hop"),
        (FlowFlag.ULP, "ulp", "has an upper layer protocol, such as kTLS, which the kernel does not let hop"),
        (FlowFlag.REPAIR, "repair", "is in repair mode, as CRIU uses it"),
        (FlowFlag.FOREIGN, "foreign", "belongs to BPF programs or callbacks of somebody else"),
    ],
)
def test_the_socket_itself(flag: FlowFlag, code: str, why: str) -> None:
    fix = words.SOCKETS[flag][2]
    stack(Flow(end("client", PLAIN), end(flags=(*PLAIN, flag))), code, f"the socket of {SERVER} {why}", fix)
    stack(Flow(end("client", (*PLAIN, flag)), end(flags=PLAIN)), code, f"the socket of {CLIENT} {why}", fix)


# -- what the service does -------------------------------------------------------------------------------------


def test_not_up() -> None:
    stack(flow(()), "down", "sockhop is not up", "sockhop up --all, or --cgroup PATH of both its ends", DOWN)


def test_draining() -> None:
    fix = "sockhop up, with the same scopes as before"
    stack(flow(), "draining", "sockhop is draining after `down`", fix, situation(state="draining"))


def test_paused() -> None:
    stack(flow(), "paused", "hops are paused", "sockhop resume", situation(paused=True))


def test_one_end_out_of_scope() -> None:
    outside = Flow(end("client", (FlowFlag.HAS_FILE,)), end(flags=PLAIN))
    why = f"{CLIENT} is out of scope: its socket belongs to /sys/fs/cgroup/client"
    stack(
        outside, "out_of_scope", why, "sockhop up --cgroup /sys/fs/cgroup/client, then sockhop adopt, or reconnect"
    )


def test_both_ends_out_of_scope() -> None:
    why = "neither end is in scope: their sockets belong to /sys/fs/cgroup/client and /sys/fs/cgroup/server"
    scopes = "--cgroup /sys/fs/cgroup/client --cgroup /sys/fs/cgroup/server"
    stack(flow(()), "out_of_scope", why, f"sockhop up {scopes}, then sockhop adopt, or reconnect")


def test_scopes_in_the_fix_are_words_of_a_shell_and_not_nested() -> None:
    outside = flow((), {"cgroup_path": "/c/a b/inner"}, cgroup_path="/c/a b")
    assert explain(outside, UP).fix == "sockhop up --cgroup '/c/a b', then sockhop adopt, or reconnect"
    outside = flow((), {"cgroup_path": "/c/a\\x2db"}, cgroup_path="/c/a")
    assert explain(outside, UP).fix.startswith("sockhop up --cgroup /c/a --cgroup '/c/a\\x2db', ")


def test_out_of_scope_in_a_cgroup_that_is_gone() -> None:
    outside = Flow(end("client", PLAIN), end(flags=(), cgroup_path=None))
    why = f"{SERVER} is out of scope: its socket belongs to a cgroup that is gone or cannot be seen (id 7)"
    stack(outside, "out_of_scope", why, "")


# -- rules and classes -----------------------------------------------------------------------------------------


def test_a_rule() -> None:
    stack(
        flow(PLAIN, {"action": "never", "allowed": "stack"}),
        "rule",
        f'a rule says "never" for {SERVER} at port 6379',
        "change the rule in /etc/sockhop/config.toml, then sockhop up",
    )


@pytest.mark.parametrize("flags", [PLAIN, IN])
@pytest.mark.parametrize("reason", sorted(set(Reason) - LOSING - {Reason.MAY_SPLICE}))
def test_a_class_with_a_hazard(reason: Reason, flags: tuple[FlowFlag, ...]) -> None:
    there = {"allowed": "stack", "class_state": "stack", "class_reasons": (reason.name.lower(),)}
    verdict = explain(flow(flags, there), UP)
    assert (verdict.hops, verdict.code) == (False, "class")
    assert verdict.text == f"takes the stack because {SERVER} {words.DOES[reason]}"
    assert "sockhop classes --forget --port 6379" in verdict.fix
    assert 'action = "always" and port = 6379 in /etc/sockhop/config.toml' in verdict.fix


@pytest.mark.parametrize("reasons", [("may_splice",), ("splice", "may_splice"), ("may_splice", "small_writes")])
def test_a_program_that_may_splice(reasons: tuple[str, ...]) -> None:
    """Learning anew would find the same: only its user knows, and knows nothing of other programs."""
    there = {
        "allowed": "stack",
        "class_state": "stack",
        "class_reasons": reasons,
        "cgroup_path": "/sys/fs/cgroup/proxy",
    }
    verdict = explain(flow(PLAIN, there), UP)
    assert words.DOES[Reason.MAY_SPLICE] in verdict.text
    assert verdict.fix == (
        'if no option of its configuration begins with "splice-": a rule with action = "always", '
        'cgroup = "/sys/fs/cgroup/proxy" and port = 6379 in /etc/sockhop/config.toml'
    )


def test_a_cgroup_in_a_rule_is_written_as_toml() -> None:
    there = {"allowed": "stack", "class_reasons": ("may_splice",), "cgroup_path": '/c/a\\x2db"c'}
    (text,) = re.findall("cgroup = .* and", explain(flow(PLAIN, there), UP).fix)
    assert tomllib.loads(text.removesuffix(" and"))["cgroup"] == there["cgroup_path"]


def test_several_hazards() -> None:
    there = {"allowed": "stack", "class_reasons": ("waitall", "splice", "short_lived")}
    text = explain(flow(PLAIN, None, **there), UP).text
    assert text == (
        f"takes the stack because {CLIENT} {words.DOES[Reason.WAITALL]}, and {words.DOES[Reason.SPLICE]}"
    )


@pytest.mark.parametrize("reason", sorted(LOSING))
@pytest.mark.parametrize(("since", "when"), [(70, "in 30 s"), (30, "from now on")])
def test_a_class_that_would_lose(reason: Reason, since: int, when: str) -> None:
    name = reason.name.lower()
    where = situation(known(state="stack", reasons=(name,), since_ns=since * 10**9))
    verdict = explain(flow(PLAIN, {"allowed": "stack", "class_reasons": (name,)}), where)
    assert verdict.code == "would_lose"
    assert verdict.text == (
        f"takes the stack because {SERVER} {words.DOES[reason]}; new connections are looked at again {when}"
    )
    assert verdict.fix.startswith("nothing needs to be done")


def test_learning() -> None:
    where = situation(known(connections=1, reads=12))
    observed = (*PLAIN, FlowFlag.PAIRED, FlowFlag.OBSERVED)
    verdict = explain(flow(observed, {"allowed": "learning", "class_state": "learning"}), where)
    assert (verdict.hops, verdict.code, verdict.fix) == (False, "learning", "")
    assert verdict.text == (
        "takes the stack because sockhop is still learning, and has seen "
        f"of {SERVER}, 1 of 3 closed connections or 12 of 64 reads"
    )


def test_learning_of_reads_that_block() -> None:
    where = situation(known(connections=1, reads=12000, blocking=True))
    observed = (*PLAIN, FlowFlag.PAIRED, FlowFlag.OBSERVED)
    verdict = explain(flow(observed, {"allowed": "learning", "class_state": "learning"}), where)
    assert "1 of 3 closed connections; its reads may block, so" in verdict.text


def test_learning_about_both_and_nothing_seen_yet() -> None:
    fresh = {"allowed": "stack", "class_state": None}
    verdict = explain(flow(PLAIN, fresh, **fresh), UP)
    assert verdict.code == "learning"
    for whom in (CLIENT, SERVER):
        assert f"of {whom}, 0 of 3 closed connections or 0 of 64 reads" in verdict.text
    assert verdict.fix.startswith("sockhop adopt lets this connection count too")


def test_a_review_leaves_live_connections_alone() -> None:
    assert explain(flow(IN, {"allowed": "learning", "class_state": "learning"}), UP).hops


def test_the_table_of_classes_is_full() -> None:
    where = situation(*(known(cgroup=number) for number in range(100, 100 + 8192)))
    fresh = {"allowed": "stack", "class_state": None}
    verdict = explain(flow(PLAIN, fresh), where)
    assert verdict.code == "classes_full"
    assert "the table of what is learned about services is full (8,192)" in verdict.text


# -- could be taken in, and is not -----------------------------------------------------------------------------


def test_an_option_of_the_socket() -> None:
    stack(flow(PLAIN, {"hazards": ("rcvlowat",)}), "option", f"{SERVER} {words.DOES[Reason.RCVLOWAT]}", "")


def test_the_map_is_full() -> None:
    full = situation(tracked=15, settings=Settings(capacity=16))
    stack(flow(PLAIN), "map_full", "the map is full: 15 sockets of 16", "sockhop up --capacity 32", full)


def test_only_one_end_is_in() -> None:
    half = Flow(end("client", IN), end(flags=PLAIN))
    stack(half, "half", f"only {CLIENT} is in the map, and the other end left it or never came", "")


def test_not_accepted() -> None:
    why = "no process holds the socket of the server (it waits to be accepted)"
    waiting = Flow(end("client", PLAIN), end(flags=(FlowFlag.IN_SCOPE,), owners=()))
    stack(waiting, "not_accepted", why, "")


@pytest.mark.parametrize(
    ("flags", "before"),
    [
        (PLAIN, "before `up`, or before its service was let hop"),
        ((*PLAIN, FlowFlag.PAIRED), "while sockhop was still learning"),
    ],
)
def test_not_adopted(flags: tuple[FlowFlag, ...], before: str) -> None:
    stack(
        flow(flags),
        "not_adopted",
        f"it was made {before}, and has not been taken in since",
        "sockhop adopt (sockhop agent does it continuously), or reconnect",
    )
    stack(
        Flow(end("client", flags), end(flags=(*flags, FlowFlag.BLOCKS))),
        "blocking",
        f"it was made {before}, and the socket of {SERVER} is a blocking one: whoever sleeps in a read would not "
        "be woken by a hop",
        "reconnect: new connections hop",
    )


# -- in the map ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - {Outcome.HOP}))
def test_the_last_messages_took_the_stack(outcome: Outcome) -> None:
    why, fix = words.OUTCOMES[outcome]
    name = outcome.name.lower()
    stack(flow(IN, {"outcome": name}, outcome=name), name, why, fix)
    one_way = explain(flow(IN, {"outcome": name}), UP)
    assert (one_way.hops, one_way.code, one_way.fix) == (True, name, fix)
    assert one_way.text == f"hops from client to server; the other way it takes the stack because {why}"


def test_each_direction_has_its_reason() -> None:
    verdict = explain(flow(IN, {"outcome": "full"}, outcome="recheck"), UP)
    assert (verdict.hops, verdict.code) == (False, "recheck")
    for outcome, role in ((Outcome.RECHECK, "client"), (Outcome.FULL, "server")):
        assert f"{words.OUTCOMES[outcome][0]} (sent by the {role})" in verdict.text


# -- the words themselves --------------------------------------------------------------------------------------


def test_everything_has_words() -> None:
    assert set(words.DOES) == set(words.SHORT) == set(Reason)
    assert set(words.OUTCOMES) == set(Outcome) - {Outcome.HOP}
    assert words.in_short(("waitall", "splice")) == "MSG_WAITALL, splice()"


def test_sentences_read_well() -> None:
    for text in [*words.DOES.values(), *(why for why, _ in words.OUTCOMES.values())]:
        assert not re.search(r"\.$|  |^[A-Z](?!CP)", text), text
