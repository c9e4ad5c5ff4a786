"""``agent``: a changed firewall is noticed at once, and the agent itself is never needed."""

import itertools
import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from sockhop.control import watching
from sockhop.control.instance import Instance
from sockhop.kernel import cgroups
from tests.agent.running import Agent, Event
from tests.cli.sandbox import SOCKHOP, Sandbox
from tests.conftest import ROOT
from tests.programs.connections import Connection, arrives, connection
from tests.programs.namespaces import Place, Rule, command, inside, namespace, place
from tests.waiting import until

Start = Callable[..., Agent]
PORT = 5000
UNIT = (ROOT / "docs/systemd/sockhop-agent.service").read_text()
# As docs/agent.md says: by number, since tools do not agree on the names of the newer ones.
OWN_ONLY = "-all,+net_admin,+cap_38,+cap_39"

RULES = [
    Rule("lo4", "nft", "server", "input", "dport", "drop"),
    Rule("lo6", "nft", "server", "output", "sport", "drop"),
    Rule("veth", "nft", "server", "input", "dport", "drop"),
    Rule("lo4", "iptables", "client", "output", "dport", "DROP"),
    Rule("veth", "iptables", "client", "input", "sport", "DROP"),
]


@contextmanager
def tc_drop(where: Place, what: str = "lo") -> Iterator[None]:
    """A filter that drops every packet: classic BPF, of which the result 2 is TC_ACT_SHOT."""
    drop = ["bpf", "bytecode", "1,6 0 0 2,", "direct-action"]
    command(inside(where.server, ["tc", "filter", "add", "dev", what, "egress", "protocol", "ip", *drop]))
    try:
        yield
    finally:
        command(inside(where.server, ["tc", "filter", "delete", "dev", what, "egress"]))


def path(name: str) -> Path:
    """Where a namespace is, as seen from here."""
    return Path("/run/netns") / name


class Hopping:
    """A connection of the sandbox that hops, and how many messages do."""

    def __init__(self, sandbox: Sandbox, pair: Connection) -> None:
        self.sandbox, self.pair = sandbox, pair

    def check(self) -> None:
        """Messages arrive, and hop."""
        until(self._hops, "hops")

    def _hops(self) -> bool:
        before = self.sandbox.status().hop.messages
        self.pair.exchange()
        return self.sandbox.status().hop.messages - before > 4

    def is_stopped(self, match: str) -> None:
        """A message does not arrive, and it was not a hop."""
        before = self.sandbox.status()
        assert not arrives(*self.pair.direction(match))
        after = self.sandbox.status()
        assert after.hop.messages == before.hop.messages
        assert after.stack.reasons["recheck"] > before.stack.reasons["recheck"]


@contextmanager
def hopping(sandbox: Sandbox, where: Place) -> Iterator[Hopping]:
    """A connection in the sandbox's scope."""

    def popen(argv: list[str], **options: Any) -> "subprocess.Popen[str]":
        return subprocess.Popen(argv, preexec_fn=lambda: cgroups.enter(sandbox.root), **options)

    with connection(popen, where, PORT) as pair:
        made = Hopping(sandbox, pair)
        made.check()
        yield made


def up(sandbox: Sandbox) -> Instance:
    """Bring the service up; it never rechecks by itself."""
    sandbox.ok("up", "--all", "--mode", "eager", "--recheck-seconds", "3600")
    instance = Instance.open(sandbox.bpffs / "service")
    assert instance is not None
    return instance


# -- firewalls ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("elsewhere", [False, True], ids=["own-namespace", "other-namespace"])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_rule_stops_a_hopping_connection_at_once(
    sandbox: Sandbox, start: Start, rule: Rule, elsewhere: bool
) -> None:
    up(sandbox)
    with place(rule.layout) as where, hopping(sandbox, where) as hops:
        changed = where.client if rule.side == "client" else where.server
        agent = start("--interval", "30", namespace=None if elsewhere else changed)
        agent.until_recheck("service")
        hops.check()
        with rule(where, (PORT, PORT)):
            agent.until_recheck("nftables", path(changed))
            hops.is_stopped(rule.match)
        agent.until_recheck("nftables", path(changed))
        hops.check()


def test_without_an_agent_it_goes_on_until_the_interval_is_over(sandbox: Sandbox) -> None:
    """What the tests above would show if the agent did nothing."""
    up(sandbox)
    with place("lo4") as where, hopping(sandbox, where) as hops, RULES[0](where, (PORT, PORT)):
        assert arrives(*hops.pair.direction("dport"))


@pytest.mark.parametrize("elsewhere", [False, True], ids=["own-namespace", "other-namespace"])
def test_a_filter_of_tc_stops_it_at_once(sandbox: Sandbox, start: Start, elsewhere: bool) -> None:
    up(sandbox)
    with place("lo4") as where:
        command(inside(where.server, ["tc", "qdisc", "add", "dev", "lo", "clsact"]))
        with hopping(sandbox, where) as hops:
            agent = start("--interval", "30", namespace=None if elsewhere else where.server)
            agent.until_recheck("service")
            hops.check()
            with tc_drop(where):
                agent.until_recheck("tc", path(where.server))
                hops.is_stopped("dport")
            agent.until_recheck("tc", path(where.server))
            hops.check()


def _changes_in_blue(event: Event) -> bool:
    return "nftables" in event["why"] and "/run/netns/blue" in event["namespace"]


def test_a_namespace_that_comes_is_watched_and_may_go(sandbox: Sandbox, start: Start) -> None:
    """One of ``ip netns``, without a process; an open socket of the agent's would keep it, and its veth, alive."""
    up(sandbox)
    agent = start()
    agent.until_recheck("service")
    with namespace() as other:
        sandbox.run("ip", "netns", "add", "blue").check_returncode()
        agent.until_recheck("namespace")  # or that was another one
        blue = ["nsenter", "--net=/run/netns/blue"]

        def is_watched() -> bool:
            sandbox.run(*blue, "nft", "add table inet t; delete table inet t").check_returncode()
            with suppress(TimeoutError):
                agent.until("recheck", _changes_in_blue, seconds=1.0)
                return True
            return False

        until(is_watched, "a change in it is noticed")
        with subprocess.Popen(inside(other, ["cat"]), stdin=subprocess.PIPE) as holder:
            until(lambda: Path(f"/proc/{holder.pid}/ns/net").stat().st_ino == path(other).stat().st_ino, "inside")
            link = ["veth0", "type", "veth", "peer", "veth0", "netns", str(holder.pid)]
            sandbox.run(*blue, "ip", "link", "add", *link).check_returncode()
        shown = inside(other, ["ip", "link", "show", "veth0"])
        assert subprocess.run(shown, check=False, capture_output=True).returncode == 0
        sandbox.run("ip", "netns", "delete", "blue").check_returncode()
        until(lambda: subprocess.run(shown, check=False, capture_output=True).returncode, "the veth gone")


def test_a_burst_is_one_recheck_or_two(sandbox: Sandbox, start: Start) -> None:
    instance = up(sandbox)
    with namespace() as name:
        agent = start(namespace=name)
        agent.until_recheck("service")
        before = instance.config().epoch
        script = "".join(f"add table inet t{number}\nadd chain inet t{number} c\n" for number in range(500))
        command(inside(name, ["nft", "-f", "-"]), script + "flush ruleset\n")
        agent.until_recheck("nftables", path(name))
        command(inside(name, ["tc", "qdisc", "add", "dev", "lo", "clsact"]))
        agent.until_recheck("tc", path(name))
        assert instance.config().epoch - before < 20  # others may change their firewalls too
        assert agent.process.poll() is None


# -- the agent's own life ----------------------------------------------------------------------------------------


def test_it_is_killed_in_mid_stream(sandbox: Sandbox, start: Start) -> None:
    instance = up(sandbox)
    agent = start()
    agent.until_recheck("service")
    with sandbox.connection() as pair:
        pair.talk(10)
        until(lambda: talks_by_hops(sandbox, pair.talk), "hops")
        pair.leave_unread(b"unread,")
        epoch = instance.config().epoch
        assert agent.end(signal.SIGKILL) == -signal.SIGKILL
        assert pair.server.recv(100) == b"unread,"
        assert talks_by_hops(sandbox, pair.talk)
        assert instance.config().epoch == epoch
    sandbox.ok("down")
    assert sandbox.leftovers() == set()


def talks_by_hops(sandbox: Sandbox, talk: Callable[[int], None]) -> bool:
    """Whether ten rounds are twenty hops."""
    before = sandbox.status().hop.messages
    talk(10)
    return sandbox.status().hop.messages == before + 20


def test_it_follows_the_service(sandbox: Sandbox, start: Start) -> None:
    agent = start()
    assert sandbox.leftovers() == set()  # it makes nothing
    instance = up(sandbox)
    agent.until("service_found")
    assert agent.told().startswith("STATUS=Watching nftables and tc in ")
    agent.until_recheck("service")
    assert instance.config().epoch
    sandbox.ok("down")
    agent.until("service_gone")
    instance = up(sandbox)
    agent.until("service_found")
    agent.until_recheck("service")
    # As another version does.
    instance.configure(lambda config: setattr(config, "build", config.build ^ 1))
    instance = up(sandbox)
    agent.until("service_gone")
    agent.until("service_found")
    agent.until_recheck("service")
    assert instance.config().epoch
    assert agent.end() == 0


def test_a_service_that_drains_is_left_alone(sandbox: Sandbox, start: Start) -> None:
    up(sandbox)
    agent = start()
    agent.until("service_found")
    with sandbox.connection() as pair:
        pair.talk()
        pair.leave_unread(b"unread,")
        assert sandbox.sockhop("down", "--wait", "0").returncode == 1
        agent.until("service_gone")
        up(sandbox)
        agent.until("service_found")


def test_walks_that_take_longer_than_the_interval(sandbox: Sandbox, start: Start) -> None:
    """As over very many network namespaces: it looks at firewalls and signals in between."""
    sandbox.ok("up", "--all", "--mode", "auto")
    with sandbox.namespaces(20), namespace() as name:
        agent = start("--interval", "0.01", namespace=name)
        agent.until_recheck("service")
        command(inside(name, ["nft", "add table inet t"]))
        agent.until_recheck("nftables", path(name))
        assert agent.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("is_up", [False, True], ids=["down", "up"])
def test_it_stops_when_told(sandbox: Sandbox, start: Start, number: signal.Signals, is_up: bool) -> None:
    if is_up:
        up(sandbox)
    agent = start()
    agent.process.send_signal(signal.SIGHUP)  # means nothing
    assert agent.end(number) == 0
    told = itertools.takewhile(lambda text: text != "STOPPING=1", iter(agent.told, ""))
    assert all(text.startswith("STATUS=") for text in told)
    agent.until("stopped")
    assert agent.lines.get(timeout=10) == ""


def test_the_watchdog(sandbox: Sandbox, start: Start) -> None:
    agent = start(environment={"WATCHDOG_USEC": "300000"})
    for _ in range(3):
        assert agent.told() == "WATCHDOG=1"


def test_another_command_is_at_work(sandbox: Sandbox, start: Start) -> None:
    """A change that comes while somebody holds the lock is not forgotten."""
    instance = up(sandbox)
    with namespace() as name:
        agent = start(namespace=name)
        agent.until_recheck("service")
        with sandbox.locked():
            epoch = instance.config().epoch
            command(inside(name, ["nft", "add table inet t"]))
            assert instance.config().epoch == epoch
        agent.until_recheck("nftables", path(name))
        assert instance.config().epoch > epoch


# -- privileges --------------------------------------------------------------------------------------------------


def test_the_documented_capabilities_are_enough(sandbox: Sandbox, start: Start) -> None:
    """Those of the unit, in every network namespace."""
    (names,) = re.findall("^CapabilityBoundingSet=(.*)$", UNIT, re.MULTILINE)
    bounds = ["-all", *(name.lower().replace("cap_", "+") for name in names.split())]
    up(sandbox)
    with place("lo4") as where, hopping(sandbox, where) as hops:
        agent = start(bounds=",".join(bounds))
        agent.until_recheck("service")
        hops.check()
        with RULES[0](where, (PORT, PORT)):
            agent.until_recheck("nftables", path(where.server))
            hops.is_stopped("dport")
        assert not [event for event in agent.seen if event["event"] in ("error", "namespace_skipped")]


def test_it_writes_only_where_the_unit_lets_it(sandbox: Sandbox, start: Start) -> None:
    """All but bpffs is read-only, as under ProtectSystem=strict."""
    epoch = up(sandbox).config().epoch
    start(
        script="mount -o bind /sys/fs/bpf /sys/fs/bpf; mount -o remount,bind,ro /; mount -o remount,bind,ro /sys"
    ).until_recheck("service")
    assert up(sandbox).config().epoch > epoch


def test_with_fewer_it_watches_its_own_namespace(sandbox: Sandbox, start: Start) -> None:
    up(sandbox)
    with place("lo4") as where, hopping(sandbox, where) as hops:
        agent = start(bounds=OWN_ONLY, namespace=where.server)
        agent.until_recheck("service")
        hops.check()
        with RULES[0](where, (PORT, PORT)):
            agent.until_recheck("nftables", path(where.server))
            hops.is_stopped("dport")
        assert not [event for event in agent.seen if event["event"] == "error"]


def test_without_privilege_it_names_what_is_missing(sandbox: Sandbox) -> None:
    for verb in (["agent"], ["agent", "--once"], ["adopt"]):
        done = sandbox.run("setpriv", "--inh-caps=-all", "--bounding-set=-all", SOCKHOP, *verb)
        assert (done.returncode, done.stdout) == (4, "")
        assert "lacks CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN" in done.stderr


# -- watching ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", ["stopped", "adopt", "up", "once"])
def test_reads_are_watched_as_long_as_they_need_be(sandbox: Sandbox, start: Start, again: str) -> None:
    """And where there is no agent any more, that is always: whoever comes next sees to it, if it was killed."""
    sandbox.ok("up", "--all", "--mode", "auto")
    watched = sandbox.bpffs / "service" / watching.READS
    assert watched.exists()
    agent = start("--interval", "0.05", bounds=OWN_ONLY)
    agent.until("service_found")
    until(lambda: not watched.exists(), "nothing learns, and reads are watched no more")
    agent.end(signal.SIGTERM if again == "stopped" else signal.SIGKILL)
    if again != "stopped":
        assert not watched.exists()
        command = {"adopt": ["adopt"], "up": ["up", "--all", "--mode", "auto"], "once": ["agent", "--once"]}[again]
        sandbox.ok(*command)
    assert watched.exists()


# -- once --------------------------------------------------------------------------------------------------------


def test_once(sandbox: Sandbox) -> None:
    assert sandbox.sockhop("agent", "--once").returncode == 3
    up(sandbox)
    assert sandbox.ok("agent", "--once") == ""


def test_adopt(sandbox: Sandbox) -> None:
    done = sandbox.sockhop("adopt")
    assert (done.returncode, done.stdout) == (3, "")
    up(sandbox)
    assert json.loads(sandbox.ok("adopt", "--json")) == {"schema": 1, "adopted": 0}
    assert "0 sockets" in sandbox.ok("adopt")
