"""What docs/configuration.md says about settings and rules is so, and its examples are right."""

from pathlib import Path

import pytest

from sockhop.control import config
from sockhop.control.config import LAYOUT, SETTINGS, Scopes, parse
from sockhop.control.settings import LIMITS, MODES, Settings
from sockhop.kernel.abi import MAX_RULES, Action, Role
from tests.conftest import ROOT
from tests.docs.markdown import code, fenced, table

PAGE = ROOT / "docs/configuration.md"
EXAMPLES = fenced(PAGE, "toml")


def test_every_setting_is_there_with_its_unit_default_and_range() -> None:
    rows = {row[0]: row[1:4] for row in table(PAGE, "setting")}
    assert list(rows) == [f"{name}.{key}" for name, keys in LAYOUT.items() if name != "rule" for key in keys]
    assert (rows["scopes.all"][1], Scopes().all) == ("false", False)
    assert rows["hops.mode"] == ["", Settings().mode, ", ".join(MODES)]
    for name, keys in SETTINGS.items():
        for key, setting in keys.items():
            if setting in LIMITS:
                within, _, unit = str(LIMITS[setting]).rpartition(" ")
                assert rows[f"{name}.{key}"] == [unit, f"{getattr(Settings(), setting):.15g}", within]


def test_every_matcher_and_action_is_there() -> None:
    assert ["action", *(row[0] for row in table(PAGE, "key"))] == list(LAYOUT["rule"])
    assert {row[0] for row in table(PAGE, "action")} == {f'"{action.name.lower()}"' for action in Action}
    assert {f'"{role.name.lower()}"' for role in Role} <= set(code(PAGE))
    assert f"room for {MAX_RULES} rules" in PAGE.read_text()
    assert str(config.DEFAULT_PATH) in code(PAGE)


@pytest.mark.parametrize("number", range(5))
def test_the_examples_are_right(number: int) -> None:
    assert len(EXAMPLES) == 5
    found = parse(EXAMPLES[number], Path("example.toml"))
    assert found.scopes
    assert found.rules
