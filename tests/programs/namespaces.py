"""Network namespaces of a test's own, and firewall rules in them."""

import itertools
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_numbers = itertools.count()


def inside(namespace: str, argv: list[str]) -> list[str]:
    """`argv`, run in a network namespace; `ip netns exec` would also hide the cgroup file system."""
    return ["nsenter", f"--net=/run/netns/{namespace}", *argv]


def command(argv: list[str], script: str | None = None) -> None:
    """Run a configuration command; AssertionError with what it said if it fails."""
    done = subprocess.run(argv, check=False, input=script, text=True, capture_output=True, timeout=30)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"


@contextmanager
def namespace() -> Iterator[str]:
    """A new network namespace with its loopback up; yields its name."""
    name = f"sockhop-programs-{os.getpid()}-{next(_numbers)}"
    command(["ip", "netns", "add", name])
    try:
        command(["ip", "-n", name, "link", "set", "lo", "up"])
        yield name
    finally:
        command(["ip", "netns", "delete", name])


@dataclass(frozen=True)
class Place:
    """Where a connection's two ends are, and the address that the server listens on."""

    client: str
    server: str
    address: str


@contextmanager
def place(layout: str) -> Iterator[Place]:
    """The layouts "lo4" and "lo6" (both ends in one namespace) and "veth" (two namespaces side by side)."""
    with namespace() as client:
        if layout != "veth":
            yield Place(client, client, {"lo4": "127.0.0.1", "lo6": "::1"}[layout])
            return
        with namespace() as server:
            pair = ["veth0", "type", "veth", "peer", "veth0", "netns", server]
            command(["ip", "-n", client, "link", "add", *pair])
            for name, address in ((client, "192.0.2.1/24"), (server, "192.0.2.2/24")):
                command(["ip", "-n", name, "address", "add", address, "dev", "veth0"])
                command(["ip", "-n", name, "link", "set", "veth0", "up"])
            yield Place(client, server, "192.0.2.2")


@dataclass(frozen=True)
class Rule:
    """A firewall rule on packets to (`dport`) or from (`sport`) the server's ports, in one direction only."""

    layout: str  # of `place`
    tool: str  # "nft" or "iptables"
    side: str  # in whose namespace: "client" or "server"
    chain: str  # "input" or "output"
    match: str  # "dport" (what the client sends) or "sport" (what the server sends)
    verdict: str  # in the tool's words

    def __str__(self) -> str:
        return "-".join((self.layout, self.tool, self.side, self.chain, self.match, *self.verdict.split()))

    @contextmanager
    def __call__(self, where: Place, ports: tuple[int, int]) -> Iterator[None]:
        """The rule is there while the block runs; `ports` are the first and the last."""
        name = where.client if self.side == "client" else where.server
        if self.tool == "nft":
            hook = f"type filter hook {self.chain} priority 0;"
            rule = f"tcp {self.match} {ports[0]}-{ports[1]} {self.verdict}"
            table = f"table inet sockhop {{ chain c {{ {hook} {rule}; }}; }}\n"
            command(inside(name, ["nft", "-f", "-"]), table)
            removal = ["nft", "delete", "table", "inet", "sockhop"]
        else:
            match = [self.chain.upper(), "-p", "tcp", f"--{self.match}", f"{ports[0]}:{ports[1]}"]
            target = ["-j", *self.verdict.split()]
            program = "ip6tables" if self.layout == "lo6" else "iptables"
            command(inside(name, [program, "-w", "-A", *match, *target]))
            removal = [program, "-w", "-D", *match, *target]
        try:
            yield
        finally:
            command(inside(name, removal))
