"""Attaches the reference, ``redirect.bpf.c``, to a cgroup."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from sockhop.bench import reference
from sockhop.bench.machine import Failed
from sockhop.kernel import libbpf


@contextlib.contextmanager
def attached(scratch: Path, cgroup: Path, *, one_queue: bool) -> Iterator[None]:
    """Sockets made in ``cgroup`` are redirected meanwhile, ``one_queue`` as sockhop has it. Raises Failed."""
    with reference.loaded("redirect", scratch) as handle, contextlib.ExitStack() as stack:
        try:
            sockets = reference.map_fd(handle, "sockets")
            libbpf.prog_attach(reference.program(handle, "redirect"), sockets, libbpf.BPF_SK_MSG_VERDICT, 0)
            if one_queue:
                verdict = reference.program(handle, "one_queue")
                libbpf.prog_attach(verdict, sockets, libbpf.BPF_SK_SKB_VERDICT, 0)
            remember = reference.program(handle, "remember")
            scope = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, scope)
            stack.callback(os.close, libbpf.link_create(remember, scope, libbpf.BPF_CGROUP_SOCK_OPS, None))
        except OSError as error:
            raise Failed(f"the reference: {error}") from error
        yield
