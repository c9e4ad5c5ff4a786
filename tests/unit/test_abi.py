"""The types that the data plane and user space share are the same on both sides."""

import ctypes
import re
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

import pytest

from sockhop.control import loading
from sockhop.dataplane import build, object_path
from sockhop.kernel import abi
from tests.unit.btf import Btf, Field, types_of

STRUCTS = [
    abi.Traffic,
    abi.Config,
    abi.Gauge,
    abi.ClassKey,
    abi.ClassInfo,
    abi.Rule,
    abi.Event,
    abi.Flow,
    abi.Owner,
]
# Each enum with what its names begin with in C, and its last one there, which counts the others.
ENUMS: list[tuple[type[IntEnum], str, str, str | None]] = [
    (abi.Outcome, "outcome", "OUTCOME_", "OUTCOMES"),
    (abi.Refusal, "refusal", "REFUSED_", "REFUSALS"),
    (abi.EventKind, "event_kind", "EVENT_", None),
    (abi.Role, "role", "ROLE_", None),
    (abi.Blocking, "blocking", "BLOCKING_", None),
    (abi.ClassState, "class_state", "CLASS_", None),
    (abi.Action, "action", "ACTION_", None),
    (abi.Reason, "reason", "REASON_", "REASONS"),
    (abi.FlowFlag, "flow_flag", "FLOW_", None),
]

# A compiler describes only types that something visible uses, and the data plane uses some of them inside of
# functions alone. So abi.h is compiled once more, as the data plane is, with a use of each.
_USES_ALL = """
#include "abi.h"
struct traffic traffic SEC(".data.traffic");
struct gauge gauge SEC(".data.gauge");
struct config config SEC(".data.config");
struct event event SEC(".data.event");
enum outcome outcome SEC(".data.outcome");
enum refusal refusal SEC(".data.refusal");
enum event_kind event_kind SEC(".data.event_kind");
struct class_key class_key SEC(".data.class_key");
struct class_info class_info SEC(".data.class_info");
struct rule rule SEC(".data.rule");
struct flow flow SEC(".data.flow");
struct owner owner SEC(".data.owner");
enum flow_flag flow_flag SEC(".data.flow_flag");
enum role role SEC(".data.role");
enum blocking blocking SEC(".data.blocking");
enum class_state class_state SEC(".data.class_state");
enum action action SEC(".data.action");
enum reason reason SEC(".data.reason");
SEC("socket") int program(void *context) { return !context; }
"""


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Btf]:
    """The types of abi.h."""
    directory = tmp_path_factory.mktemp("abi")
    source = directory / "abi.bpf.c"
    source.write_text(_USES_ALL)
    for name in ("abi.h", "bpf.h"):
        (directory / name).write_text((build.SOURCE.parent / name).read_text())
    build.compile_object(source, directory / "abi.bpf.o")
    with types_of(directory / "abi.bpf.o") as types:
        yield types


@pytest.fixture(scope="module")
def shipped() -> Iterator[Btf]:
    """The types of the object that is loaded."""
    with types_of(object_path()) as types:
        yield types


def fields(kind: type[ctypes.Structure]) -> list[Field]:
    """The fields as ctypes lays them out."""
    return [Field(name, getattr(kind, name).offset, getattr(kind, name).size) for name, *_ in kind._fields_]


def same_layout(types: Btf, kind: type[ctypes.Structure]) -> None:
    size, members = types.struct(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower())
    assert members == fields(kind)
    assert size == ctypes.sizeof(kind)


@pytest.mark.parametrize("kind", STRUCTS)
def test_structs_are_those_of_the_header(header: Btf, kind: type[ctypes.Structure]) -> None:
    same_layout(header, kind)


@pytest.mark.parametrize("kind", [abi.Traffic, abi.Config])
def test_what_user_space_reads_and_writes_is_what_the_shipped_object_has(
    shipped: Btf, kind: type[ctypes.Structure]
) -> None:
    same_layout(shipped, kind)


def test_every_struct_of_abi_is_compared() -> None:
    mirrored = [
        kind
        for kind in vars(abi).values()
        if isinstance(kind, type) and issubclass(kind, ctypes.Structure) and kind.__module__ == abi.__name__
    ]
    assert mirrored == STRUCTS


@pytest.mark.parametrize(("mirror", "name", "prefix", "count"), ENUMS)
def test_enums_are_those_of_the_header(
    header: Btf, mirror: type[IntEnum], name: str, prefix: str, count: str | None
) -> None:
    theirs = header.enum(name)
    if count:
        assert theirs.pop(count) == len(mirror)
    assert theirs == {f"{prefix}{value.name}": value.value for value in mirror}


def test_every_enum_of_abi_is_compared() -> None:
    mirrored = [
        kind
        for kind in vars(abi).values()
        if isinstance(kind, type) and issubclass(kind, IntEnum) and kind is not IntEnum
    ]
    assert mirrored == [mirror for mirror, *_ in ENUMS]


def test_the_magic_number_spells_our_name() -> None:
    assert abi.MAGIC.to_bytes(8, "little") == b"sockhop\0"


def test_maps_have_room_for_what_the_capacity_test_lets_pass() -> None:
    source = (build.SOURCE.parent / "entering.h").read_text()
    slack = re.search(r"#define CAPACITY_SLACK (\d+)", source)
    assert slack is not None
    # The server ends of pairs whose client was taken in, and the clients that passed the test at once.
    assert 2 * int(slack[1]) == loading.SLACK


def test_the_object_names_no_place_of_the_machine_that_built_it() -> None:
    content = object_path().read_bytes()
    for place in (build.SOURCE.parent, Path.cwd(), Path.home()):
        assert str(place).encode() not in content
    # Whatever the machine was: no absolute path to a source.
    assert not re.search(rb"\0/[^\0]+\.[ch]\0", content)


def test_two_builds_give_the_same_object(tmp_path: Path) -> None:
    for name in ("one", "two"):
        directory = tmp_path / name / "deeper"
        directory.mkdir(parents=True)
        for source in build.SOURCE.parent.glob("*.[ch]"):
            (directory / source.name).write_bytes(source.read_bytes())
        build.compile_object(directory / build.SOURCE.name, tmp_path / f"{name}.bpf.o")
    assert (tmp_path / "one.bpf.o").read_bytes() == (tmp_path / "two.bpf.o").read_bytes()


@pytest.mark.parametrize("kind", [abi.Flow, abi.Owner])
def test_tuples_are_what_the_structures_are(kind: type[ctypes.Structure]) -> None:
    written = bytes(range(1, 1 + ctypes.sizeof(kind))) * 2
    one, two = abi.tuples(kind, written)
    there = kind.from_buffer_copy(written)
    values = [getattr(there, name) for name, *_ in kind._fields_]
    assert list(one) == list(two) == [value if isinstance(value, int) else bytes(value) for value in values]
