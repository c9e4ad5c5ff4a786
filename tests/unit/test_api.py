"""``import sockhop``: what is public, and that it is documented."""

import dataclasses
import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import sockhop
from sockhop import errors
from sockhop.cli.main import VERBS

PUBLIC = {name: getattr(sockhop, name) for name in sockhop.__all__ if name != "__version__"}


def test_all_is_the_public_api() -> None:
    """Everything that the package imports is in ``__all__``, apart from its own modules."""
    visible = {
        name
        for name, value in vars(sockhop).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert {*sockhop.__all__} == visible | {"__version__"}
    assert sockhop.__all__ == sorted(sockhop.__all__)


def test_every_error_is_public() -> None:
    assert {kind for kind in vars(errors).values() if isinstance(kind, type)} <= set(PUBLIC.values())


@pytest.mark.parametrize("name", PUBLIC)
def test_everything_public_is_documented(name: str) -> None:
    thing = PUBLIC[name]
    # A dataclass without a docstring is given its signature as one.
    assert thing.__doc__
    assert not thing.__doc__.startswith(f"{name}(")
    for member, value in vars(thing).items():
        if inspect.isfunction(value) and not member.startswith("_"):
            assert value.__doc__, f"{name}.{member}"


def test_what_status_returns_cannot_be_changed() -> None:
    for name in ("Status", "Scope", "Sockets", "Hops", "Stack"):
        assert dataclasses.is_dataclass(PUBLIC[name])
        assert PUBLIC[name].__dataclass_params__.frozen


def test_every_module_says_what_it_is() -> None:
    for module in pkgutil.walk_packages(sockhop.__path__, "sockhop."):
        assert importlib.import_module(module.name).__doc__, module.name


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    command = importlib.import_module(f"sockhop.cli.{verb}").command
    assert command.help
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert parameter.help, f"{verb} {parameter.opts}"


def test_an_accelerator_is_not_up_outside_its_block() -> None:
    hops = sockhop.Accelerator("/nowhere")
    for call in (hops.status, hops.pause, hops.resume, hops.recheck):
        with pytest.raises(sockhop.NotUp, match="with"):
            call()
