"""What was learned about the services of this host, whether sockhop is up or not."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sockhop.control import loading, places
from sockhop.control.classes import Class, forget_classes, read_classes
from sockhop.control.instance import Instance
from sockhop.errors import NotUp


def read() -> list[Class]:
    """Return every class. Raises :class:`NotUp` if nothing is up and nothing was learned before."""
    with _table() as fd:
        return read_classes(fd)


def forget(known: list[Class]) -> None:
    """Forget these classes: they are learned anew. Raises :class:`NotUp` as :func:`read`."""
    with places.lock(), _table() as fd:
        forget_classes(fd, known)


@contextmanager
def _table() -> Iterator[int]:
    instance = Instance.open(places.service())
    if instance is not None:
        with instance.get("classes") as fd:
            yield fd
        return
    with suppress(FileNotFoundError), loading.known_classes(places.classes()) as known:  # it may go meanwhile
        if known is not None:
            yield known
            return
    raise NotUp("sockhop is not up, and has learned nothing yet. Start it with: sockhop up --all")
