"""The exceptions, the tree that is drawn of them, and the exit codes they end with."""

import re

import pytest

from sockhop import errors
from sockhop.cli import exits

CODES = {
    errors.SockhopError: 1,
    errors.NotPermitted: 4,
    errors.Unsupported: 4,
    errors.BadObject: 4,
    errors.BadScope: 2,
    errors.BadConfig: 2,
    errors.BadReport: 2,
    errors.NotUp: 3,
    errors.Locked: 1,
    errors.NotOurs: 1,
    errors.KernelError: 1,
}


def every_error() -> set[type[BaseException]]:
    return {kind for kind in vars(errors).values() if isinstance(kind, type)}


def test_the_drawn_tree_is_the_real_one() -> None:
    drawn: dict[str, str | None] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        branch = re.fullmatch(r" {4}((?:[│ ] {3})*)(?:[├└]── )?([A-Z]\w+)( {2,}\w.*)?", line)
        if branch:
            depth = len(branch[1]) // 4 + ("── " in line)
            above[depth:] = [branch[2]]
            drawn[branch[2]] = above[depth - 1] if depth else None
    real = {
        kind.__name__: None if kind is errors.SockhopError else kind.__bases__[0].__name__
        for kind in every_error()
    }
    assert drawn == real


@pytest.mark.parametrize("kind", sorted(every_error(), key=str))
def test_every_error_is_documented(kind: type[BaseException]) -> None:
    assert issubclass(kind, errors.SockhopError)
    assert kind.__doc__


def test_every_error_has_its_exit_code() -> None:
    assert every_error() == {*CODES, errors.NoSuchCommand}
    for kind, code in CODES.items():
        error = errors.KernelError("why", 5) if kind is errors.KernelError else kind("why")
        assert exits.code_of(error) == code, kind
    assert exits.code_of(errors.NoSuchCommand("why", 127)) == 127
    assert exits.code_of(errors.NoSuchCommand("why", 126)) == 126


def test_an_error_of_a_later_kind_ends_with_the_code_of_its_parent() -> None:
    class Later(errors.Unsupported):
        """Something that is not there yet."""

    assert exits.code_of(Later("why")) == exits.BLOCKED


def test_exit_codes_are_the_documented_ones() -> None:
    assert (exits.OK, exits.FAILED, exits.USAGE, exits.NOT_UP, exits.BLOCKED) == (0, 1, 2, 3, 4)


def test_numbers_go_with_the_message() -> None:
    assert errors.KernelError("why", 5).errno == 5
    assert str(errors.KernelError("why", 5)) == str(errors.NoSuchCommand("why", 127)) == "why"
