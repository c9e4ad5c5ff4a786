"""What the counters must say after a program has moved a known number of bytes."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.conftest import Scope


class Moved:
    """How many payload bytes the checked block moved between ends in scope; the block adds to it."""

    def __init__(self) -> None:
        self.payload = 0


@contextmanager
def hopped(scope: Scope, least: float = 0.5) -> Iterator[Moved]:
    """Check that more than a share of `least` of what the block moves hops; 0 asks for some.

    A transfer of many megabytes in one go may well be faster than its reader. It fills the reader's queue,
    and the stack makes the writer wait: how much of it hops depends on who is faster, so only some is asked.

    Not that hopped and stack bytes are all there were: after a send() that the stack refused or took
    only in part, tcp_bpf_sendmsg() lets the next one pass without asking the program, uncounted.
    """
    moved = Moved()
    before = scope.hops.status()
    yield moved
    after = scope.hops.status()
    hop, stack = after.hop.bytes - before.hop.bytes, after.stack.bytes - before.stack.bytes
    report = f"{moved.payload} bytes of payload: {hop} hopped, {stack} on the stack, {after.stack.reasons}"
    print(report)
    assert moved.payload > 0, "the test did not say what it moved"
    assert hop > least * max(moved.payload, hop + stack), f"too little hopped: {report}"
