"""The places where measured programs run: cgroups, network namespaces, CPUs. All go away at the end."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sockhop.bench.compiling import PROGRAMS, compile_programs
from sockhop.errors import SockhopError
from sockhop.kernel import cgroups

LOCAL = "127.0.0.1"
#: The package of a program, in Debian and Ubuntu, where it has another name.
PACKAGES = {
    "redis-benchmark": "redis-tools",
    "nghttpd": "nghttp2-server",
    "h2load": "nghttp2-client",
    "pgbench": "postgresql",
}
#: The far namespace's address. Both namespaces are the run's own, so it cannot collide with the machine's.
FAR = "10.0.0.2"


class Failed(Exception):
    """A measurement that gave no number. It is reported with this reason, never as zero."""


#: What can befall a measurement: it takes that one alone with it.
TROUBLE = (Failed, SockhopError, OSError, subprocess.SubprocessError)


@dataclass(frozen=True)
class Place:
    """Where a process runs: cgroup, network namespace, and CPUs as ``taskset`` writes them (``0,1``)."""

    cgroup: Path
    netns: str
    cpus: str

    def command(self, *argv: str) -> list[str]:
        """The command that runs ``argv`` here. Every step is an exec, so the process keeps its pid."""
        join = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
        enter = ["nsenter", f"--net=/run/netns/{self.netns}", "taskset", "--cpu-list", self.cpus]
        return ["sh", "-c", join, str(self.cgroup), *enter, *argv]


@dataclass(frozen=True)
class Machine:
    """What a run made for itself."""

    scratch: Path
    """A directory for compiled programs, configurations and Unix sockets."""
    cgroup: Path
    """The parent of every cgroup of this run."""
    near: str
    """The network namespace of nearly everything."""
    far: str
    """The namespace at the other end of a veth pair; its address is FAR."""
    middle: str
    """One between the two, for routes that have something in between: see network.py."""

    def program(self, name: str) -> str:
        """The path of one of PROGRAMS, or of a program of this system. Raises Failed if it is not there."""
        if name in PROGRAMS:
            return str(self.scratch / name)
        path = shutil.which(name)
        if path is None:
            raise Failed(f"{name} is not installed: apt-get install {PACKAGES.get(name, name)}")
        return path

    def write_sysctl(self, netns: str, name: str, value: str) -> None:
        """Set one of net.ipv4 in a namespace. Raises Failed."""
        write = f"echo '{value}' > /proc/sys/net/ipv4/{name}"
        run("nsenter", f"--net=/run/netns/{netns}", "sh", "-c", write)

    def segments_sent(self) -> int:
        """How many segments TCP has sent in the near namespace. Raises Failed."""
        told = run("nsenter", f"--net=/run/netns/{self.near}", "cat", "/proc/net/snmp").splitlines()
        names, values = (line.split() for line in told if line.startswith("Tcp:"))
        return int(values[names.index("OutSegs")])

    def child(self, name: str) -> Path:
        """The cgroup ``name``, made at its first use."""
        path = self.cgroup / name
        path.mkdir(exist_ok=True)
        return path


def run(*argv: str) -> str:
    """Run a command of the set-up and return its output. Raises Failed with what it said."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"{argv[0]}: {error}") from error
    if done.returncode:
        raise Failed(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


@contextlib.contextmanager
def set_up(congestion_control: str | None = None) -> Iterator[Machine]:
    """Compile the programs and make the places; take everything away at the end. Raises Failed.

    TCP's congestion control is the machine's own, unless another is asked for.
    """
    name = f"sockhop-bench-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sockhop-bench-")))
        compile_programs(scratch)
        cgroup = cgroups.mount_point() / name
        cgroup.mkdir()
        stack.callback(cgroups.remove, cgroup)
        machine = Machine(scratch, cgroup, f"{name}-near", f"{name}-far", f"{name}-middle")
        for netns in (machine.near, machine.far, machine.middle):
            run("ip", "netns", "add", netns)
            stack.callback(run, "ip", "netns", "del", netns)
            run("ip", "-n", netns, "link", "set", "lo", "up")
        _join(machine)
        if congestion_control:
            _choose(machine, congestion_control)
        yield machine


def _join(machine: Machine) -> None:
    """A veth pair between the two namespaces, and room for many short connections in both."""
    near, far = machine.near, machine.far
    run("ip", "-n", near, "link", "add", "far", "type", "veth", "peer", "name", "near", "netns", far)
    run("ip", "-n", near, "addr", "add", "10.0.0.1/24", "dev", "far")
    run("ip", "-n", far, "addr", "add", f"{FAR}/24", "dev", "near")
    run("ip", "-n", near, "link", "set", "far", "up")
    run("ip", "-n", far, "link", "set", "near", "up")
    # With most ports in TIME_WAIT connect() searches for a free one for milliseconds, and a sample of the
    # connect/close rate depends on the samples before it.
    for netns in (near, far):
        machine.write_sysctl(netns, "ip_local_port_range", "10240 65535")
        machine.write_sysctl(netns, "tcp_max_tw_buckets", "512")


def _choose(machine: Machine, congestion_control: str) -> None:
    """Have TCP use this congestion control. Raises Failed."""
    try:
        for netns in (machine.near, machine.far):
            machine.write_sysctl(netns, "tcp_congestion_control", congestion_control)
    except Failed as error:
        known, allowed = (
            Path(f"/proc/sys/net/ipv4/tcp_{kind}_congestion_control").read_text().split()
            for kind in ("available", "allowed")
        )
        if congestion_control not in known:
            raise Failed(
                f"this kernel has no congestion control {congestion_control!r}; it has {', '.join(known)}"
            ) from error
        # tcp_set_default_congestion_control() of any but the first namespace.
        raise Failed(
            f"network namespaces may not use {congestion_control!r} on this machine. Allow it meanwhile with: "
            f"sysctl -w net.ipv4.tcp_allowed_congestion_control='{' '.join([*allowed, congestion_control])}'"
        ) from error
