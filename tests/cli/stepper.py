"""Runs verbs in children of its own, and can send each a signal at any step of its way.

stepper.py, with one request a line on its input:
{"verb": [ARG, …], "signal": NUMBER, "step": NUMBER, "meanwhile": [ARG, …]}
The answer to each, a line of its output: {"code": as of Popen, "err": what it printed on stderr, "steps": NUMBER}

A step is a system call that changes something, or a call of libbpf: the signal comes right after it, so that no
moment is missed or hit by luck. Step 0 never comes, so that ``steps`` says how many there are; without a step,
the verb just runs. One that the signal stops goes on when the verb ``meanwhile`` has come to its end, whose answer
is then the answer's ``meanwhile``.
"""

import json
import os
import signal
import sys
import tempfile
from types import FrameType
from typing import Any

import sockhop.cli
from sockhop.cli import check, down, run, status, up  # noqa: F401 - imported once, not in each child
from sockhop.kernel import libbpf

CHANGES = {
    ("posix", name) for name in ("mkdir", "rmdir", "rename", "replace", "unlink", "open", "fork", "pipe2")
} | {
    ("_signal", "pthread_sigmask"),
    ("_signal", "sigwaitinfo"),
    ("_posixsubprocess", "fork_exec"),
    ("fcntl", "flock"),
    (None, "write"),
}


class Steps:
    """Counts the steps of this process; at the one that is wanted, sends itself the signal."""

    def __init__(self, wanted: int, number: int) -> None:
        self.count = 0
        self._wanted, self._number, self._pid = wanted, number, os.getpid()

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        """Be told of an event, as :func:`sys.setprofile` does."""
        if event == "c_return":
            if (getattr(argument, "__module__", None), argument.__name__) not in CHANGES:
                return
        elif event != "return" or (frame.f_code.co_filename, frame.f_code.co_name) != (libbpf.__file__, "call"):
            return
        self.count += 1
        if self.count == self._wanted and os.getpid() == self._pid:
            os.kill(self._pid, self._number)


def be_the_verb(request: dict[str, Any], err: int, report: int) -> None:
    """Do what the command does, in this process."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard, descriptor in enumerate((null, null, err)):
        os.dup2(descriptor, standard)
    sys.argv = ["sockhop", *request["verb"]]
    steps = Steps(request.get("step", 0), request.get("signal", 0))
    code: object = 1
    if "step" in request:
        sys.setprofile(steps)
    try:
        sockhop.cli.main()
    except SystemExit as exited:
        code = exited.code
    finally:
        sys.setprofile(None)
        os.write(report, str(steps.count).encode())
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Run a verb to its end, whatever that is."""
    with tempfile.TemporaryFile() as err:
        reports, report = os.pipe()
        child = os.fork()
        if not child:
            try:
                be_the_verb(request, err.fileno(), report)
            except BaseException:  # noqa: BLE001 - shown, and the test fails
                sys.excepthook(*sys.exc_info())
                sys.stderr.flush()
            finally:
                os._exit(1)
        os.close(report)
        meanwhile = None
        _, status = os.waitpid(child, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            meanwhile = answer({"verb": request["meanwhile"]})
            os.kill(child, signal.SIGCONT)
            _, status = os.waitpid(child, 0)
        with os.fdopen(reports) as pipe:
            steps = pipe.read()
        err.seek(0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "err": err.read().decode(),
            "steps": int(steps or 0),
            "meanwhile": meanwhile,
        }


def main() -> None:
    """Answer until the input ends."""
    libbpf.num_possible_cpus()  # loads the library, once for all
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
