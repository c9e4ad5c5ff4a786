"""``sockhop config``."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from sockhop.cli import exits, output
from sockhop.cli.options import config_option, json_option
from sockhop.control import config, resolve
from sockhop.control.config import Config
from sockhop.control.rules import Rule
from sockhop.control.settings import Settings
from sockhop.control.status import SCHEMA


@dataclasses.dataclass(frozen=True)
class Row:
    """One setting: ``line`` is where the file has it, None where it has not."""

    name: str
    value: Any
    default: Any
    line: int | None


@click.command()
@config_option
@click.option("--example", is_flag=True, help="Print a file with every setting, what it means, and its default.")
@json_option
def command(config_file: Path | None, example: bool, as_json: bool) -> int:
    """Check the configuration and show every setting with its value, its default and where it comes from."""
    if example:
        if as_json or config_file:
            raise click.UsageError("--example stands alone")
        click.echo(config.example(), nl=False)
        return exits.OK
    found = config.load(config_file)
    resolve.scope_paths(found)
    resolve.compile_rules(found)
    if as_json:
        output.data(_as_json(found))
        return exits.OK
    output.table(
        ["setting", "value", "default", "from"],
        [[row.name, _text(row.value), _text(row.default), _origin(row.line)] for row in _rows(found)],
    )
    if found.rules:
        rules = [[str(n), *_rule(rule), _origin(rule.line)] for n, rule in enumerate(found.rules, 1)]
        output.table(["rule", "action", "of ends with", "from"], [*rules, ["", "learned", "any other", "default"]])
    output.message(f"{found.file} is good" if found.file else f"there is no {config.DEFAULT_PATH}: all is default")
    return exits.OK


def _rows(found: Config) -> list[Row]:
    """Return all settings in the order of the example."""
    scopes, default = found.scopes or config.Scopes(), config.Scopes()
    rows = []
    for table, keys in config.LAYOUT.items():
        for key in keys if table != "rule" else ():
            values, defaults = (scopes, default) if table == "scopes" else (found.settings, Settings())
            name = config.SETTINGS.get(table, {}).get(key, key)
            line = found.lines.get((table, key))
            rows.append(Row(f"{table}.{key}", getattr(values, name), getattr(defaults, name), line))
    return rows


def _as_json(found: Config) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "file": str(found.file) if found.file else None,
        "settings": {
            row.name: {"value": _plain(row.value), "default": _plain(row.default), "line": row.line}
            for row in _rows(found)
        },
        "rules": [
            {
                "action": rule.action.name.lower(),
                "port": [list(ports) for ports in rule.port],
                "cgroup": str(rule.cgroup) if rule.cgroup else None,
                "unit": rule.unit,
                "address": str(rule.address) if rule.address else None,
                "role": None if rule.role is None else rule.role.name.lower(),
                "line": rule.line,
            }
            for rule in found.rules
        ],
    }


def _plain(value: Any) -> Any:
    return [str(part) for part in value] if isinstance(value, tuple) else value


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "\n".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _rule(rule: Rule) -> tuple[str, str]:
    """Return a rule's action and matchers in words."""
    ports = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in rule.port)
    words = [
        f"port {ports}" if ports else "",
        f"cgroup {rule.cgroup}" if rule.cgroup else "",
        f"unit {rule.unit}" if rule.unit else "",
        f"address {rule.address}" if rule.address else "",
        "" if rule.role is None else f"role {rule.role.name.lower()}",
    ]
    return rule.action.name.lower(), "\n".join(filter(None, words)) or "anything"


def _origin(line: int | None) -> str:
    return f"line {line}" if line else "default"
