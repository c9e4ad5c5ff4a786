"""What a setting may be."""

import dataclasses
import math

import pytest

from sockhop.control.settings import MAX_CAPACITY, Settings
from sockhop.errors import SockhopError


def test_defaults_are_the_documented_ones() -> None:
    assert (Settings().capacity, Settings().recheck_seconds) == (65536, 30.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("capacity", 2),
        ("capacity", MAX_CAPACITY),
        ("recheck_seconds", 0.001),
        ("recheck_seconds", 86400),
        ("review_seconds", 0.001),
        ("mode", "eager"),
    ],
)
def test_limits_are_allowed(name: str, value: float | str) -> None:
    assert getattr(Settings(**{name: value}), name) == value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("capacity", 1),
        ("capacity", 0),
        ("capacity", -2),
        ("capacity", MAX_CAPACITY + 1),
        ("recheck_seconds", 0),
        ("recheck_seconds", -1),
        ("recheck_seconds", 86401),
        ("recheck_seconds", math.inf),
        ("recheck_seconds", math.nan),
        ("review_seconds", 0),
        ("review_seconds", 86401),
    ],
)
def test_beyond_them_is_refused_with_the_value_and_the_range(name: str, value: float) -> None:
    with pytest.raises(SockhopError, match=rf"{value}.*give"):
        Settings(**{name: value})  # type: ignore[arg-type]


COUNTS = [
    field
    for field in dataclasses.fields(Settings)
    if field.name not in ("mode", "capacity", "recheck_seconds", "review_seconds")
]


@pytest.mark.parametrize("field", COUNTS, ids=lambda field: field.name)
def test_limits_fit_what_the_kernel_counts_with(field: "dataclasses.Field[int]") -> None:
    for value in (-1, 1 << 31):
        with pytest.raises(SockhopError, match=rf"{field.name} {value}: give"):
            Settings(**{field.name: value})  # type: ignore[arg-type]
    assert getattr(Settings(**{field.name: 7}), field.name) == 7  # type: ignore[arg-type]


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(SockhopError, match="mode 'fast': give one of auto, eager"):
        Settings(mode="fast")


def test_settings_are_documented_and_fixed() -> None:
    for field in dataclasses.fields(Settings):
        assert f":param {field.name}:" in (Settings.__doc__ or "")
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().capacity = 5  # type: ignore[misc]
