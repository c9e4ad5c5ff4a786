"""Loads and attaches the reference, ``redirect.bpf.c``, through the same door as sockhop's own programs."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from sockhop.bench.compiling import compile_reference
from sockhop.bench.machine import Failed
from sockhop.dataplane import build
from sockhop.kernel import libbpf


@contextlib.contextmanager
def attached(scratch: Path, cgroup: Path, *, one_queue: bool) -> Iterator[None]:
    """Sockets made in ``cgroup`` are redirected meanwhile, ``one_queue`` as sockhop has it. Compiled once a run.

    Raises Failed.
    """
    with contextlib.ExitStack() as stack:
        said = stack.enter_context(libbpf.messages())
        try:
            compiled = compile_reference(scratch)
            handle = libbpf.object_open_file(str(compiled).encode(), None)
        except (build.BuildError, OSError) as error:
            raise Failed(f"the reference: {error}") from error
        stack.callback(libbpf.object_close, handle)
        try:
            libbpf.object_load(handle)
            sockets = libbpf.map_fd(libbpf.object_find_map(handle, b"sockets"))
            redirect = libbpf.program_fd(libbpf.object_find_program(handle, b"redirect"))
            remember = libbpf.program_fd(libbpf.object_find_program(handle, b"remember"))
            libbpf.prog_attach(redirect, sockets, libbpf.BPF_SK_MSG_VERDICT, 0)
            if one_queue:
                verdict = libbpf.program_fd(libbpf.object_find_program(handle, b"one_queue"))
                libbpf.prog_attach(verdict, sockets, libbpf.BPF_SK_SKB_VERDICT, 0)
            scope = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, scope)
            stack.callback(os.close, libbpf.link_create(remember, scope, libbpf.BPF_CGROUP_SOCK_OPS, None))
        except OSError as error:
            raise Failed(f"the reference: {error} {said[-1:]}") from error
        yield
