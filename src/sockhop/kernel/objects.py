"""Loading the compiled data plane."""

import errno
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sockhop.dataplane import object_path
from sockhop.errors import BadObject, NotPermitted, Unsupported
from sockhop.kernel import libbpf

ELF_MAGIC = b"\x7fELF"


def build_id(path: Path | None = None) -> int:
    """Return 64 bits that identify the object file. Raises :class:`BadObject`."""
    return int.from_bytes(hashlib.sha256(_content(path or object_path())).digest()[:8], "little")


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadObject(
            f"the data plane {path} cannot be read ({error.strerror}). It is compiled when the package is "
            "built: reinstall sockhop"
        ) from error
    if not content.startswith(ELF_MAGIC):
        raise BadObject(f"the data plane {path} is damaged: it is not an ELF object. Reinstall sockhop")
    return content


class LoadedObject:
    """The object in the kernel, as long as :func:`loaded` is open."""

    def __init__(self, handle: int, without: frozenset[str]) -> None:
        self._handle, self._without = handle, without

    def map_fd(self, name: str) -> int:
        """Return the map's descriptor; libbpf owns it."""
        return libbpf.map_fd(libbpf.object_find_map(self._handle, name.encode()))

    def has_program(self, name: str) -> bool:
        """Whether the program was not left out."""
        return name not in self._without

    def program_fd(self, name: str) -> int:
        """Return the program's descriptor; libbpf owns it."""
        return libbpf.program_fd(libbpf.object_find_program(self._handle, name.encode()))


@contextmanager
def loaded(
    max_entries: dict[str, int],
    path: Path | None = None,
    *,
    reused: dict[str, int] | None = None,
    without: Iterable[str] = (),
    optional: Sequence[Iterable[str]] = (),
) -> Iterator[LoadedObject]:
    """Load the object with these map sizes.

    ``reused`` gives descriptors of maps that exist already, by name; ``without`` names programs to leave out, and
    ``optional`` those to do without, one group more each time, while the kernel refuses the object with them.

    Raises :class:`BadObject` for a file that libbpf cannot read, :class:`NotPermitted` and
    :class:`Unsupported` for one that this kernel refuses, with the verifier's last lines.
    """
    path = path or object_path()
    _content(path)
    left_out = frozenset(without)
    with libbpf.messages() as said:
        handle = 0
        for group in optional:
            try:
                handle = _opened(path, max_entries, reused or {}, left_out, said)
                break
            except (NotPermitted, Unsupported):
                left_out |= frozenset(group)
        handle = handle or _opened(path, max_entries, reused or {}, left_out, said)
        try:
            yield LoadedObject(handle, left_out)
        finally:
            libbpf.object_close(handle)


def _opened(
    path: Path, max_entries: dict[str, int], reused: dict[str, int], without: frozenset[str], said: list[str]
) -> int:
    """Return the handle of the object in the kernel."""
    try:
        handle = libbpf.object_open_file(str(path).encode(), None)
    except OSError as error:
        raise BadObject(f"the data plane {path} is damaged ({error.strerror}). Reinstall sockhop") from error
    try:
        for name, size in max_entries.items():
            libbpf.map_set_max_entries(libbpf.object_find_map(handle, name.encode()), size)
        for name, fd in reused.items():
            libbpf.map_reuse_fd(libbpf.object_find_map(handle, name.encode()), fd)
        for name in without:
            libbpf.program_set_autoload(libbpf.object_find_program(handle, name.encode()), False)
        _load(handle, said)
    except BaseException:
        libbpf.object_close(handle)
        raise
    return handle


def _load(handle: int, said: list[str]) -> None:
    # libbpf 1.1 knows SEC("sk_skb") only, without the kind of verdict that one queue needs.
    queue = libbpf.object_find_program(handle, b"sockhop_queue")
    libbpf.program_set_expected_attach_type(queue, libbpf.BPF_SK_SKB_VERDICT)
    try:
        libbpf.object_load(handle)
    except OSError as error:
        if error.errno == errno.EPERM:  # the verifier's own refusal is EACCES
            raise NotPermitted(f"the kernel does not let this process load BPF programs ({error})") from error
        raise Unsupported(f"this kernel refuses the data plane ({error}).\n{_end_of(said)}") from error


def _end_of(said: list[str], lines: int = 12) -> str:
    """The lines of the log that say what was wrong: its last ones."""
    return "\n".join("\n".join(said).splitlines()[-lines:])
