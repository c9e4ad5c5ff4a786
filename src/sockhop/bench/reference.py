"""Loads the BPF programs that are there only to be measured against, through the same door as sockhop's own."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from sockhop.bench.compiling import compile_reference
from sockhop.bench.machine import Failed
from sockhop.dataplane import build
from sockhop.kernel import libbpf


@contextlib.contextmanager
def loaded(name: str, scratch: Path, shared: Mapping[str, int] | None = None) -> Iterator[int]:
    """Yield libbpf's handle of ``native/NAME.bpf.c``, which is compiled once a run. Raises Failed.

    ``shared`` are descriptors of maps that it uses in place of its own, by name.
    """
    with contextlib.ExitStack() as stack:
        with libbpf.messages() as said:
            try:
                handle = libbpf.object_open_file(str(compile_reference(name, scratch)).encode(), None)
                stack.callback(libbpf.object_close, handle)
                for each, descriptor in (shared or {}).items():
                    libbpf.map_reuse_fd(libbpf.object_find_map(handle, each.encode()), descriptor)
                libbpf.object_load(handle)
            except (build.BuildError, OSError) as error:
                raise Failed(f"the reference {name}: {error} {said[-1:]}") from error
        yield handle


def program(handle: int, name: str) -> int:
    """Return the descriptor of a program. Raises :class:`OSError`."""
    return libbpf.program_fd(libbpf.object_find_program(handle, name.encode()))


def map_fd(handle: int, name: str) -> int:
    """Return the descriptor of a map. Raises :class:`OSError`."""
    return libbpf.map_fd(libbpf.object_find_map(handle, name.encode()))
