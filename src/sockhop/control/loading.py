"""Loading a data plane and pinning it."""

import ctypes
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sockhop.control import tuning, watching
from sockhop.control.pins import Pins, closing
from sockhop.control.settings import Settings
from sockhop.errors import Unsupported
from sockhop.kernel import libbpf, maps, objects
from sockhop.kernel.abi import ClassInfo, ClassKey

# The names of maps and programs in the object, by the name of their pin.
_MAPS = {
    "config": ".data.config",
    "gauge": ".data.gauge",
    **{
        name: name
        for name in ("sockets", "traffic", "events", "classes", "rules", "scopes", "candidates", "matches")
    },
}
# Maps that may hold each socket that is tracked, and those of the search for pairs. These need no slack: it would
# take the default capacity over a power of two, and a hash map then has twice as many buckets.
_OF_EACH = ("sockets", "next_seq", "arrived")
_OF_SEARCH = ("candidates", "matches")
# The programs of the sockhash, by the kind of their attachment.
VERDICTS = {"send": libbpf.BPF_SK_MSG_VERDICT, "queue": libbpf.BPF_SK_SKB_VERDICT}
ITERATORS = ("drain", "discover", "adopt", "flows")
# Iterators that a kernel may refuse: what they would tell is then unknown.
_OPTIONAL = ("owners",)
# What watches applications, unless eager.
WATCHERS = (watching.READS, watching.GUARD)
_ALL = ("connections", *VERDICTS, *ITERATORS, *_OPTIONAL, *WATCHERS)
# CAPACITY_SLACK of entering.h, twice: for the server ends, and for the clients of one moment.
SLACK = 2048


def load(pins: Pins, settings: Settings, classes: Path | None) -> None:
    """Load a data plane and pin it; what is pinned when it fails half-way is left to the caller.

    ``classes`` is where the table of classes is pinned that it goes on with, or will be.
    Raises what :func:`sockhop.kernel.objects.loaded` raises.
    """
    watchers = () if settings.mode == "eager" else WATCHERS
    with (
        known_classes(classes) as known,
        objects.loaded(
            sizes(settings.capacity, SLACK),
            reused={} if known is None else {"classes": known},
            without=all_but("connections", *VERDICTS, *ITERATORS, *_OPTIONAL, *watchers),
            optional=[_programs(names) for names in (_OPTIONAL, watchers) if names],
        ) as loaded,
    ):
        if not all(loaded.has_program(name) for name in _programs(watchers)):
            raise Unsupported(
                "this kernel does not show what applications do, so that auto mode has nothing to learn from; see "
                "sockhop check. With --mode eager all connections hop, and some programs must be kept out of scope"
            )
        maps.write_element(loaded.map_fd(".data.config"), tuning.config_of(settings))
        for name in VERDICTS:
            attach(loaded, name)
        for pin, name in _MAPS.items():
            pins.pin(loaded.map_fd(name), pin)
        pins.pin(loaded.program_fd("sockhop_connections"), "connections")
        for name in ITERATORS:
            pins.pin_link(iterator(loaded, name), name)
        for name in _OPTIONAL:
            if loaded.has_program(f"sockhop_{name}"):
                with suppress(OSError):
                    pins.pin_link(iterator(loaded, name), name)
        for name in watchers:
            pins.pin(loaded.program_fd(f"sockhop_{name}"), watching.program(name))
            watching.attach(pins, name)
        if classes and known is None:
            classes.unlink(missing_ok=True)
            libbpf.obj_pin(loaded.map_fd("classes"), str(classes).encode())


@contextmanager
def viewer() -> Iterator[dict[str, int]]:
    """Yield the links of the iterators that tell of connections, by name, where there is no data plane to ask.

    Nothing is pinned or attached. Raises what :func:`sockhop.kernel.objects.loaded` raises.
    """
    wanted = ("flows", *_OPTIONAL)
    links: dict[str, int] = {}
    with (
        ExitStack() as stack,
        objects.loaded(
            {**sizes(1), "classes": 1}, without=all_but(*wanted), optional=[_programs(_OPTIONAL)]
        ) as loaded,
    ):
        for name in wanted:
            if loaded.has_program(f"sockhop_{name}"):
                links[name] = stack.enter_context(closing(iterator(loaded, name)))
        yield links


def sizes(capacity: int, slack: int = 0) -> dict[str, int]:
    """Return the sizes of maps for so many sockets."""
    return dict.fromkeys(_OF_EACH, capacity + slack) | dict.fromkeys(_OF_SEARCH, capacity)


def all_but(*names: str) -> list[str]:
    """Return the programs to leave out, to load only these."""
    return _programs(name for name in _ALL if name not in names)


def _programs(names: Iterable[str]) -> list[str]:
    return [f"sockhop_{name}" for name in names]


def attach(loaded: objects.LoadedObject, name: str) -> None:
    """Attach a program of the sockhash. Raises :class:`OSError`."""
    libbpf.prog_attach(loaded.program_fd(f"sockhop_{name}"), loaded.map_fd("sockets"), VERDICTS[name], 0)


def iterator(loaded: objects.LoadedObject, name: str) -> int:
    """Return a link of an iterator. Raises :class:`OSError`."""
    return libbpf.link_create(loaded.program_fd(f"sockhop_{name}"), 0, libbpf.BPF_TRACE_ITER, None)


@contextmanager
def known_classes(pin: Path | None) -> Iterator[int | None]:
    """Yield the table of classes pinned there, or None if there is none that this version can go on with."""
    if pin is None or not pin.exists():
        yield None
        return
    with closing(libbpf.obj_get(str(pin).encode())) as fd:
        about = maps.info(fd, maps.MapInfo)
        fits = (about.key_size, about.value_size) == (ctypes.sizeof(ClassKey), ctypes.sizeof(ClassInfo))
        yield fd if fits else None
