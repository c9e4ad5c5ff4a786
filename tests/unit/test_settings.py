"""What a setting may be."""

import dataclasses
import math

import pytest

from sockhop.control import tuning
from sockhop.control.settings import LIMITS, MAX_CAPACITY, MODES, Settings
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
    ],
)
def test_limits_are_allowed(name: str, value: float) -> None:
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
    ],
)
def test_beyond_them_is_refused_with_the_value_and_the_range(name: str, value: float) -> None:
    with pytest.raises(SockhopError, match=rf"{value}.*give"):
        Settings(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", LIMITS)
def test_limits_fit_what_the_kernel_counts_with(name: str) -> None:
    for value in (-1, 1 << 31):
        with pytest.raises(SockhopError, match=rf"{name} {value}: give {LIMITS[name]}"):
            Settings(**{name: value})  # type: ignore[arg-type]
    assert getattr(Settings(**{name: 7}), name) == 7  # type: ignore[arg-type]


def test_a_class_is_not_judged_by_nothing() -> None:
    for name in ("learn_connections", "learn_reads", "review_seconds"):
        with pytest.raises(SockhopError, match=rf"{name} 0: give"):
            Settings(**{name: 0})  # type: ignore[arg-type]


def test_modes() -> None:
    assert [Settings(mode=mode).mode for mode in MODES] == list(MODES)
    with pytest.raises(SockhopError, match="mode lazy: give auto or eager"):
        Settings(mode="lazy")


def test_every_setting_has_limits() -> None:
    assert {field.name for field in dataclasses.fields(Settings)} == {*LIMITS, "mode"}


def test_settings_are_documented_and_fixed() -> None:
    for field in dataclasses.fields(Settings):
        assert f":param {field.name}:" in (Settings.__doc__ or "")
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().capacity = 5  # type: ignore[misc]


def test_an_instance_has_the_settings_it_was_given() -> None:
    given = Settings(mode="eager", small_bytes=1, burst_bytes=0, queue_messages=0, recheck_seconds=0.5)
    assert tuning.settings_of(tuning.config_of(given)) == given


def test_what_an_older_version_did_not_know_is_as_usual() -> None:
    config = tuning.config_of(Settings())
    config.small_bytes = 0
    assert tuning.settings_of(config) == Settings()
