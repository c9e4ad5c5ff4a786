"""``run``: one command, and all that it starts, in a cgroup of its own with hops on."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sockhop.control import places, walking
from sockhop.control.instance import Instance
from sockhop.control.keeper import Keeper
from sockhop.control.probes import suitability
from sockhop.control.settings import Settings
from sockhop.control.status import Status
from sockhop.control.watching import Watch
from sockhop.errors import Locked, NoSuchCommand
from sockhop.kernel import cgroups, signals
from sockhop.kernel.abi import Rule

DRAIN_SECONDS = 1.5  # more than QUIET_US of drain.bpf.h; the keeper goes on with it afterwards
MOVE_SECONDS = 5.0
WALK_SECONDS = 0.5  # what the agent does for the service
SI_KERNEL = 0x80  # include/uapi/asm-generic/siginfo.h: sent by the kernel, as a terminal's Ctrl-C is

# Everything that a supervisor may be told and that its command should hear. SIGKILL and SIGSTOP cannot be.
FORWARDED = {
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCONT,
    signal.SIGWINCH,
}
# A terminal sends these to the whole foreground process group: the command has them already.
FROM_TERMINAL = {signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH}


@dataclass(frozen=True)
class Result:
    """How the command ended: its exit ``code`` (128 + the signal that ended it), and the last counters.

    ``draining`` sockets, of processes that outlive the command, still had unread bytes or sleeping readers,
    or were busy.
    """

    code: int
    status: Status
    draining: int


def run(
    argv: list[str], settings: Settings, rules: Sequence[Rule] = (), *, accept_data_loss: bool = False
) -> Result:
    """Run ``argv`` to its end with hops on, and leave nothing behind.

    Signals go to the command. Processes that outlive it move to the cgroup that ``run`` was called in. The kernel
    is tried first, unless ``accept_data_loss`` says to take it as it is. Raises :class:`NoSuchCommand`, and what
    :class:`~sockhop.control.accelerator.Accelerator` raises.
    """
    _check_command(argv[0])
    directory = places.private()
    cgroup = cgroups.own() / places.home(directory)
    # Blocked rather than handled: one that comes at any moment waits for sigwaitinfo() below.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED | {signal.SIGCHLD})
    # Python's own handler would raise in the command's process, where Ctrl-C is to end it before it is executed.
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        keeper = Keeper(lambda: _tidy_when_empty(directory, cgroup))
        try:
            instance = _start(directory, cgroup, settings, rules, accept_data_loss=accept_data_loss)
            command = _spawn(argv, cgroup, before)
            code = _attend(command, instance)
            status = instance.status()
            draining = instance.drain(DRAIN_SECONDS)  # without the lock: nobody has to wait for it
        finally:
            left = None
            try:
                with suppress(Locked):  # the keeper waits longer for it than a command's exit code can
                    left = _finish(directory, cgroup)
            finally:
                if left == 0:
                    keeper.dismiss()
                else:
                    keeper.take_over()
        return Result(code, status, draining if left is None else left)
    finally:
        signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _check_command(name: str) -> None:
    if shutil.which(name):
        return
    found = Path(name).exists() if "/" in name else False
    if found:
        raise NoSuchCommand(f"{name}: cannot be executed (not a program, or no permission: chmod +x {name})", 126)
    raise NoSuchCommand(f"{name}: no such command. Check its spelling and your PATH", 127)


def _start(
    directory: Path, cgroup: Path, settings: Settings, rules: Sequence[Rule], *, accept_data_loss: bool
) -> Instance:
    with places.lock():
        places.collect()
        instance = Instance.create(directory, settings)
        suitability.require(instance, settings, accept_data_loss=accept_data_loss)
        cgroup.mkdir()
        instance.set_rules(list(rules))
        instance.attach(cgroup)
        return instance


def _spawn(argv: list[str], cgroup: Path, mask: set[int | signal.Signals]) -> "subprocess.Popen[bytes]":
    try:
        return cgroups.popen(cgroup, argv, mask=mask, close_fds=False)
    except OSError as error:
        raise NoSuchCommand(f"{argv[0]}: cannot be executed ({error.strerror})", 126) from error


def _attend(command: "subprocess.Popen[bytes]", instance: Instance) -> int:
    """Pass signals on until the command ends, and look after its connections; return its code as a shell would."""
    # From before there was a command: a terminal's Ctrl-C too has not reached it.
    while info := signal.sigtimedwait(FORWARDED, 0):
        _pass_on(command, info.si_signo)
    watch, pause = Watch(), WALK_SECONDS
    while True:
        code = command.poll()
        if code is not None:
            return code if code >= 0 else 128 - code
        info = signal.sigtimedwait(FORWARDED | {signal.SIGCHLD}, pause)
        if info is None:
            begun = time.monotonic()
            for work in (lambda: watch.look(instance), instance.walk):
                with suppress(OSError):  # whatever is not learned, or not taken in, stays on the stack
                    work()
            pause = walking.pause_since(begun, WALK_SECONDS)
            continue
        number = signal.Signals(info.si_signo)
        if number is signal.SIGCHLD or (number in FROM_TERMINAL and info.si_code == SI_KERNEL):
            continue
        _pass_on(command, number)


def _pass_on(command: "subprocess.Popen[bytes]", number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(command.pid, number)


def _finish(directory: Path, cgroup: Path) -> int:
    """Take everything down as far as it goes; return how many sockets are left. May be called again."""
    left = 0
    with places.lock(), signals.deferred():
        instance = Instance.open(directory)
        if instance is not None:
            left = instance.drain(0)
            if not left:
                instance.unpin()
        deadline = time.monotonic() + MOVE_SECONDS
        # Again and again: a process may fork just before it is moved.
        while not cgroups.remove(cgroup) and time.monotonic() < deadline:
            for pid in cgroups.pids(cgroup):
                with suppress(OSError):  # it has ended meanwhile
                    cgroups.enter(cgroup.parent, pid)
        places.collect()  # if run was killed, perhaps half-made pins
    return left


def _tidy_when_empty(directory: Path, cgroup: Path) -> None:
    """What the keeper does: wait for the last process, then for the last socket."""
    cgroups.wait_empty(cgroup)
    pause = 0.01
    while True:
        with suppress(Locked):
            if not _finish(directory, cgroup):
                return
        time.sleep(pause)
        pause = min(pause * 2, WALK_SECONDS)  # some may leave only in a quiet second
