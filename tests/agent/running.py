"""An agent in a sandbox: what it logs, and what it tells systemd."""

import json
import os
import queue
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cli.sandbox import SOCKHOP, Process, Sandbox

SECONDS = 15.0
Event = dict[str, Any]


@dataclass
class Agent:
    """A process of ``sockhop agent --json``."""

    process: Process
    manager: socket.socket  # as systemd listens
    lines: "queue.Queue[str]" = field(default_factory=queue.Queue)
    seen: list[Event] = field(default_factory=list)

    def until(
        self, event: str, fits: Callable[[Event], bool] = lambda event: True, seconds: float = SECONDS
    ) -> Event:
        """Wait for the next event of this name that fits."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"no {event} among {self.seen}") from None
            assert line, f"the agent has ended: {self.seen}"
            self.seen.append(json.loads(line))
            if self.seen[-1]["event"] == event and fits(self.seen[-1]):
                return self.seen[-1]

    def until_recheck(self, why: str, *namespaces: Path) -> None:
        """Wait for a recheck for this reason; what others change on this machine may be in it too.

        :param namespaces: paths of one and the same namespace.
        """
        inodes = {path.stat().st_ino for path in namespaces}

        def is_ours(event: Event) -> bool:
            found = {Path(path).stat().st_ino for path in event["namespace"] if Path(path).exists()}
            return why in event["why"] and inodes <= found

        self.until("recheck", is_ours)

    def told(self) -> str:
        """The next message to systemd."""
        return self.manager.recv(1000).decode()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


@contextmanager
def running(
    sandbox: Sandbox,
    *arguments: str,
    namespace: str | None = None,
    bounds: str | None = None,
    script: str | None = None,
    environment: dict[str, str] | None = None,
) -> Iterator[Agent]:
    """Start an agent and wait until it is ready.

    :param namespace: the network namespace that it is in, by name.
    :param bounds: the bounding set of its capabilities.
    :param script: changes a mount namespace of its own first.
    """
    argv: list[str | Path] = [SOCKHOP, "agent", "--json", *arguments]
    if bounds is not None:
        argv = ["setpriv", "--inh-caps=-all", f"--bounding-set={bounds}", *argv]
    if script is not None:
        argv = ["unshare", "--mount", "sh", "-ec", f'{script}\nexec "$@"', "sh", *argv]
    if namespace is not None:
        # From outside: the sandbox has a /run of its own.
        argv = [f"--net=/run/netns/{namespace}", "--", *argv]
    with (
        tempfile.TemporaryDirectory() as directory,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        manager.bind(f"{directory}/notify")
        manager.settimeout(SECONDS)
        variables = {**os.environ, "NOTIFY_SOCKET": f"{directory}/notify", **(environment or {})}
        with sandbox.popen(*argv, env=variables) as process:
            try:
                agent = Agent(process, manager)
                reader = threading.Thread(target=_read, args=(process, agent.lines))
                reader.start()
                assert agent.told().startswith("READY=1\nSTATUS=")
                yield agent
            finally:
                process.kill()
                process.wait()
                reader.join()


def _read(process: Process, lines: "queue.Queue[str]") -> None:
    assert process.stderr is not None
    for line in process.stderr:
        lines.put(line)
    lines.put("")
