"""The pins of one data plane: a directory of bpffs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sockhop.kernel import libbpf


@contextmanager
def closing(descriptor: int) -> Iterator[int]:
    """Yield the descriptor, and close it in the end."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class Pins:
    """What is pinned in ``directory``."""

    directory: Path

    @contextmanager
    def get(self, name: str) -> Iterator[int]:
        """Yield a descriptor of what is pinned under this name. Raises :class:`OSError`."""
        with closing(libbpf.obj_get(str(self.directory / name).encode())) as fd:
            yield fd

    def pin(self, fd: int, name: str) -> None:
        """Pin a map, program or link."""
        libbpf.obj_pin(fd, str(self.directory / name).encode())

    def pin_link(self, link: int, name: str) -> None:
        """Pin a link, and close its descriptor."""
        with closing(link):
            self.pin(link, name)
