"""Why a connection hops or does not, and what can be done about it: a function of what is known, and no more."""

import json
import shlex
from collections.abc import Callable
from pathlib import PurePath

from sockhop.control import words
from sockhop.control.classes import Class
from sockhop.control.config import DEFAULT_PATH
from sockhop.control.ends import End
from sockhop.control.pairing import Flow
from sockhop.control.settings import MAX_CAPACITY
from sockhop.control.situation import Situation
from sockhop.control.verdicts import HOPS, Verdict, stack, who
from sockhop.kernel.abi import FlowFlag, Outcome, Reason

_WOULD_LOSE = {reason.name.lower() for reason in (Reason.SHORT_LIVED, Reason.SMALL_WRITES, Reason.CORKED)}
_MAY_SPLICE = Reason.MAY_SPLICE.name.lower()
_MAX_CLASSES = 8192  # maps.h

_TRACKED = 1 << FlowFlag.TRACKED

Ends = tuple[End, ...]


def explain(flow: Flow, situation: Situation) -> Verdict:
    """Return why the connection hops or does not. The first thing that keeps it from it is named."""
    ends = flow.ends
    if situation.state == "up" and not situation.paused and all(map(_plainly_hops, ends)) and len(ends) == 2:
        return HOPS
    for test in _TESTS:
        verdict = test(ends, situation)
        if verdict:
            return verdict
    return _directions(ends)


def _plainly_hops(end: End) -> bool:
    """Whether no test below would find anything: most ends of very many are such."""
    return bool(
        end.flags & _TRACKED
        and end.outcome == "hop"
        and end.allowed == "hopping"
        and end.tcp_state == "established"
    )


def _where(end: End) -> str:
    return end.cgroup_path or f"a cgroup that is gone or cannot be seen (id {end.cgroup})"


def _all_have(ends: Ends, flag: FlowFlag) -> bool:
    return bool(ends[0].flags & ends[-1].flags & 1 << flag)


# -- the tests, in their order ---------------------------------------------------------------------------------


def _other_end(ends: Ends, situation: Situation) -> Verdict | None:
    if len(ends) == 2:
        return None
    (end,) = ends
    if (end.local_address, end.local_port) == (end.remote_address, end.remote_port):
        return stack("self", "the socket is connected to itself")
    if end.has(FlowFlag.PAIRED):
        if end.peer and not end.has(FlowFlag.PEER_GONE):
            return None  # in a network namespace that cannot be seen
        return stack("gone", f"its other end, {end.remote}, is gone")
    if end.tcp_state != "established":
        return _state(ends, situation)
    return stack(
        "other_host",
        f"its other end, {end.remote}, is on another host, or in a network namespace that cannot be seen",
    )


def _state(ends: Ends, _situation: Situation) -> Verdict | None:
    if ends[0].tcp_state == ends[-1].tcp_state == "established":
        return None
    states = {end.tcp_state for end in ends}
    if states & {"syn_sent", "syn_recv", "new_syn_recv"}:
        return stack("connecting", "it is not established yet")
    # An end that still reads can be hopped to.
    if _all_have(ends, FlowFlag.TRACKED) and "close_wait" in states and states & {"fin_wait1", "fin_wait2"}:
        return None
    return stack("closing", "one of the ends has shut down or is closing")


def _socket(ends: Ends, _situation: Situation) -> Verdict | None:
    """What of a socket itself keeps it out."""
    for end in ends:
        if end.flags & _KEPT_OUT and not end.has(FlowFlag.TRACKED):
            for flag, (code, what, fix) in words.SOCKETS.items():
                if end.has(flag):
                    return stack(code, f"the socket of {who(end)} {what}", fix)
    return None


_KEPT_OUT = sum(1 << flag for flag in words.SOCKETS)


def _service(_ends: Ends, situation: Situation) -> Verdict | None:
    if situation.state == "down":
        return stack("down", "sockhop is not up", "sockhop up --all, or --cgroup PATH of both its ends")
    if situation.state == "draining":
        return stack("draining", "sockhop is draining after `down`", "sockhop up, with the same scopes as before")
    return None


def _scope(ends: Ends, _situation: Situation) -> Verdict | None:
    outside = [end for end in ends if not end.has(FlowFlag.IN_SCOPE) and not end.has(FlowFlag.PAIRED)]
    if not outside:
        return None
    fix = _watch([end.cgroup_path for end in outside if end.cgroup_path])
    if len(outside) == 2:
        places = dict.fromkeys(map(_where, outside))
        return stack(
            "out_of_scope", f"neither end is in scope: their sockets belong to {' and '.join(places)}", fix
        )
    (end,) = outside
    return stack("out_of_scope", f"{who(end)} is out of scope: its socket belongs to {_where(end)}", fix)


def _watch(paths: list[str]) -> str:
    """Return how to watch these cgroups, as a shell takes it: without those that another one covers."""
    places = dict.fromkeys(map(PurePath, paths))
    options = [f"--cgroup {shlex.quote(str(path))}" for path in places if not places.keys() & set(path.parents)]
    return f"sockhop up {' '.join(options)}, then sockhop adopt, or reconnect" if options else ""


def _rule(ends: Ends, _situation: Situation) -> Verdict | None:
    for end in ends:
        if end.action == "never":
            return stack(
                "rule",
                f'a rule says "never" for {who(end)} at port {end.server_port}',
                f"change the rule in {DEFAULT_PATH}, then sockhop up",
            )
    return None


def _class(ends: Ends, situation: Situation) -> Verdict | None:
    """Classes that are kept on the stack."""
    for end in ends:
        if end.allowed != "stack" or not end.class_reasons:
            continue
        hazards = tuple(reason for reason in end.class_reasons if reason not in _WOULD_LOSE)
        if _MAY_SPLICE in hazards:
            return stack("class", f"{who(end)} {words.does(hazards)}", _let_hop(end))
        if hazards:
            return stack("class", f"{who(end)} {words.does(hazards)}", _unlearn(end, "does this no longer"))
        return _would_lose(end, situation)
    return None


def _let_hop(end: End) -> str:
    # A text of JSON is one of TOML too.
    path = json.dumps(end.cgroup_path, ensure_ascii=False)
    where = f"cgroup = {path}" if end.cgroup_path else "the cgroup or unit that it runs in"
    return (
        'if no option of its configuration begins with "splice-": a rule with action = "always", '
        f"{where} and port = {end.server_port} in {DEFAULT_PATH}"
    )


def _unlearn(end: End, what: str) -> str:
    return (
        f"if you are sure that it {what}: sockhop classes --forget --port {end.server_port}, and it is learned "
        f'anew; or a rule with action = "always" and port = {end.server_port} in {DEFAULT_PATH}'
    )


def _would_lose(end: End, situation: Situation) -> Verdict:
    known = _class_of(end, situation)
    due = known.since_ns / 1e9 + situation.settings.review_seconds - situation.now_ns / 1e9 if known else 0.0
    when = f"in {due:.0f} s" if due >= 1 else "from now on"
    return stack(
        "would_lose",
        f"{who(end)} {words.does(end.class_reasons)}; new connections are looked at again {when}",
        f'nothing needs to be done; to let it hop all the same, a rule with action = "always" and port = '
        f"{end.server_port} in {DEFAULT_PATH}",
    )


def _class_of(end: End, situation: Situation) -> Class | None:
    return situation.classes.get((end.cgroup, end.server_port, end.role))


def _learning(ends: Ends, situation: Situation) -> Verdict | None:
    learning = [end for end in ends if _is_learning(end)]
    if _all_have(ends, FlowFlag.TRACKED):  # a review does not take live ones out
        learning = [end for end in learning if end.allowed == "stack"]
    if not learning:
        return None
    if len(situation.classes) >= _MAX_CLASSES and not all(_class_of(end, situation) for end in learning):
        return stack(
            "classes_full",
            f"the table of what is learned about services is full ({_MAX_CLASSES:,})",
            "sockhop classes --forget --port PORT, of services that are no more",
        )
    evidence = "; ".join(f"of {who(end)}, {_evidence(end, situation)}" for end in learning)
    fix = ""
    if not any(end.has(FlowFlag.PAIRED) for end in ends):
        fix = "sockhop adopt lets this connection count too (sockhop agent does it continuously)"
    return stack("learning", f"sockhop is still learning, and has seen {evidence}", fix)


def _is_learning(end: End) -> bool:
    return end.allowed == "learning" or (end.allowed == "stack" and end.class_state != "stack")


def _evidence(end: End, situation: Situation) -> str:
    known = _class_of(end, situation)
    connections, reads = (known.connections, known.reads) if known else (0, 0)
    enough = situation.settings
    closed = f"{connections} of {enough.learn_connections} closed connections"
    if known and known.blocking:
        return f"{closed}; its reads may block, so it must have seen one of those end, however many there are"
    return f"{closed} or {reads} of {enough.learn_reads} reads"


def _not_taken_in(ends: Ends, situation: Situation) -> Verdict | None:
    """Both classes hop, but the connection is not in the map."""
    if _all_have(ends, FlowFlag.TRACKED):
        return None
    for end in ends:
        if end.hazards:
            return stack("option", f"{who(end)} {words.does(end.hazards)}")
    if situation.is_full:
        return stack(
            "map_full",
            f"the map is full: {situation.tracked:,} sockets of {situation.settings.capacity:,}",
            f"sockhop up --capacity {min(situation.settings.capacity * 2, MAX_CAPACITY)}",
        )
    for end in ends:
        if end.has(FlowFlag.TRACKED):
            return stack("half", f"only {who(end)} is in the map, and the other end left it or never came")
    for end in ends:
        if not end.has(FlowFlag.HAS_FILE):
            return stack("not_accepted", f"no process holds the socket of {who(end)} (it waits to be accepted)")
    return _not_adopted(ends)


def _not_adopted(ends: Ends) -> Verdict:
    if any(end.has(FlowFlag.PAIRED) for end in ends):
        before = "while sockhop was still learning"
    else:
        before = "before `up`, or before its service was let hop"
    blocking = next((end for end in ends if end.has(FlowFlag.BLOCKS)), None)
    if blocking:
        return stack(
            "blocking",
            f"it was made {before}, and the socket of {who(blocking)} is a blocking one: whoever sleeps in a read "
            "would not be woken by a hop",
            "reconnect: new connections hop",
        )
    return stack(
        "not_adopted",
        f"it was made {before}, and has not been taken in since",
        "sockhop adopt (sockhop agent does it continuously), or reconnect",
    )


def _paused(_ends: Ends, situation: Situation) -> Verdict | None:
    return stack("paused", "hops are paused", "sockhop resume") if situation.paused else None


_Test = Callable[[Ends, Situation], Verdict | None]
_TESTS: tuple[_Test, ...] = (
    _other_end,
    _state,
    _socket,
    _service,
    _scope,
    _rule,
    _class,
    _learning,
    _not_taken_in,
    _paused,
)


# -- in the map ------------------------------------------------------------------------------------------------


def _directions(ends: Ends) -> Verdict:
    """Each end is a direction, and its last message tells."""
    reasons = {end.role: _of_direction(end) for end in ends}
    if not any(reasons.values()):
        return HOPS
    stacked = {role: reason for role, reason in reasons.items() if reason}
    outcome = next(iter(stacked.values()))
    code = outcome.name.lower()
    fix = "; ".join(
        dict.fromkeys(words.OUTCOMES[reason][1] for reason in stacked.values() if words.OUTCOMES[reason][1])
    )
    if len(stacked) == 1 and len(reasons) == 2:
        (role,) = stacked
        other = "server" if role == "client" else "client"
        return Verdict(
            True,
            code,
            f"hops from {other} to {role}; the other way it takes the stack because {words.OUTCOMES[outcome][0]}",
            fix,
        )
    if len(set(stacked.values())) == 1:
        return stack(code, words.OUTCOMES[outcome][0], fix)
    each = "; ".join(f"{words.OUTCOMES[reason][0]} (sent by the {role})" for role, reason in stacked.items())
    return stack(code, each, fix)


def _of_direction(end: End) -> Outcome | None:
    if end.tcp_state in ("fin_wait1", "fin_wait2"):
        return Outcome.CLOSING
    return None if end.outcome == "hop" else Outcome[end.outcome.upper()]
