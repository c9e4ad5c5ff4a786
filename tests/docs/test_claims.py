"""What the documents say about names, numbers, codes and files is so."""

import importlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest

import sockhop
from sockhop.bench import running
from sockhop.cli import exits
from sockhop.cli.main import VERBS
from sockhop.control import status, words
from sockhop.control.settings import Settings
from sockhop.kernel.abi import FlowFlag, Outcome
from tests.conftest import ROOT, fresh_cgroup
from tests.docs.markdown import code, fenced, links, table
from tests.unit.making_flows import end

README, ARCHITECTURE, CHANGELOG = (ROOT / f"{name}.md" for name in ("README", "ARCHITECTURE", "CHANGELOG"))
DOCS = [ROOT / f"docs/{name}.md" for name in ("walkthrough", "configuration", "agent", "benchmarks")]
PAGES = [README, ARCHITECTURE, CHANGELOG, ROOT / "CONTRIBUTING.md", *DOCS]
FLOWS = ROOT / "docs/flows.md"
BENCHMARKS = ROOT / "docs/benchmarks.md"
REASONS = {outcome.name.lower() for outcome in Outcome} - {"hop"}


def verb(name: str) -> click.Command:
    """A verb's command."""
    command: click.Command = importlib.import_module(f"sockhop.cli.{name}").command
    return command


def shape(value: Any) -> Any:
    """A JSON value, with the types of its leaves in place of them."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [shape(part) for part in value]
    return type(value).__name__


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_links_that_are_named_exist(page: Path) -> None:
    files = [name for name in code(page) if re.fullmatch(r"(?:src|tests|docs|scripts)/[\w./-]+", name)]
    for name in links(page) + files:
        assert (ROOT / name.partition("#")[0]).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_named_exist(page: Path) -> None:
    """Each verb after ``sockhop``, and each of its options."""
    lines = "".join(fenced(page, "") + fenced(page, "console.*")).splitlines()
    for text in [*code(page), *lines]:
        used = re.match(r"(?:\$ )?(?:\.venv/bin/)?sockhop ([a-z]+)(.*)", text)
        if not used:
            continue
        assert used[1] in VERBS, text
        ours = re.split(r" -- |[|;<>#]", used[2])[0]
        known = {option for parameter in verb(used[1]).params for option in parameter.opts}
        assert set(re.findall(r"--[a-z][a-z-]*", ours)) <= known, text


def test_every_verb_is_in_the_table() -> None:
    named = " ".join(row[0] for row in table(README, "command"))
    assert set(re.findall(r"sockhop ([a-z]+)", named)) == set(VERBS)


def test_every_option_is_mentioned() -> None:
    text = README.read_text()
    for name in VERBS:
        for parameter in verb(name).params:
            for option in parameter.opts:
                assert not option.startswith("--") or option in text, f"{name} {option}"


def test_verbs_with_json() -> None:
    (sentence,) = re.findall(r"^(.*) take `--json`, `run` takes `--json FILE`", README.read_text(), re.MULTILINE)
    with_json = {name for name in VERBS if any("--json" in parameter.opts for parameter in verb(name).params)}
    assert set(re.findall(r"`(\w+)`", sentence)) | {"run"} == with_json


def test_exit_codes() -> None:
    """The table has those of exits.py, and nothing else but those of run and of Ctrl-C."""
    named = {int(number) for row in table(README, "code") for number in row[0].split(", ")}
    ours = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    assert named == ours | {126, 127, 130}


def test_status_json() -> None:
    """The object that is shown has exactly the names and types of the real one."""
    (shown,) = (json.loads(block) for block in fenced(README, "json"))
    real = status.down().as_json()
    real["scopes"] = [{"cgroup": "", "id": 0}]
    assert shape(shown) == shape(real)
    assert (shown["schema"], shown["version"]) == (status.SCHEMA, sockhop.__version__)


def test_reasons() -> None:
    assert {row[0] for row in table(README, "reason")} == REASONS


def test_numbers() -> None:
    """Defaults that are mentioned are the defaults."""
    text, default = README.read_text(), Settings()
    for claim in (
        f"every {default.recheck_seconds:g} s (`--recheck-seconds`)",
        f"a receive buffer of {default.receive_buffer >> 20} MB unless",
        f"within {default.queue_messages} unread messages",
        f"`--capacity` ({default.capacity:,})",
    ):
        assert claim in text, claim
    text = ARCHITECTURE.read_text()
    for claim in (
        f"more than {default.burst_messages} writes under {default.burst_bytes >> 10} KB",
        f"or {default.queue_messages} messages unread",
        f"or every {default.recheck_seconds:g} s",
        f"a receive buffer of {default.receive_buffer >> 20} MB",
    ):
        assert claim in text, claim


def test_events_of_the_agent() -> None:
    """The table has those that the agent logs, with their fields."""
    source = (ROOT / "src/sockhop/control/agent.py").read_text()
    logged = {
        event: set(re.findall(r"(\w+)=", fields)) for event, fields in re.findall(r'say\("(\w+)"(.*)\)', source)
    }
    shown = {row[0]: set(re.findall(r"\w+", row[1])) for row in table(ROOT / "docs/agent.md", "event")}
    assert shown == logged


def test_the_oldest_python() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert f"Python {wanted.removeprefix('>=')} or newer" in README.read_text()


def test_the_decision_table_has_the_order_of_the_code() -> None:
    source = (ROOT / "src/sockhop/dataplane/decide.h").read_text().partition("INLINE enum outcome decide(")[2]
    order = list(dict.fromkeys(re.findall(r"return OUTCOME_(\w+);", source)))
    order.remove("HOP")
    named = [row[0] for row in table(ARCHITECTURE, "reason")]
    assert named == [name.lower() for name in order] + ["redirect_failed"]
    assert set(named) == REASONS


def test_functions_and_fields_that_are_named_exist() -> None:
    """In our source, by itself or in a comment that says why it matters, or in this kernel."""
    sources = [path for path in (ROOT / "src").rglob("*") if path.suffix in (".c", ".h", ".py")]
    known = "".join(path.read_text() for path in [*sources, Path("/proc/kallsyms")])
    for name in code(ARCHITECTURE):
        if re.fullmatch(r"[a-z_]+_[a-z_]+(?:\(\))?", name) and name not in REASONS:
            assert re.search(rf"\b{name.removesuffix('()')}\b", known), name


def test_the_changelog_knows_this_version() -> None:
    version = re.escape(sockhop.__version__)
    assert re.search(rf"^## \[{version}\]|^What will be {version},", CHANGELOG.read_text(), re.MULTILINE)


def test_the_library_example_runs(bpf: None) -> None:
    (example,) = fenced(README, "python")
    named = re.findall(r'cgroup="([^"]+)"', example)
    assert len(named) == 1
    printed: list[object] = []
    with fresh_cgroup() as cgroup:
        exec(example.replace(named[0], str(cgroup)), {"print": lambda *values: printed.extend(values)})
    messages, reasons = printed
    assert messages == 0
    assert isinstance(reasons, dict)
    assert set(reasons) == REASONS


def test_cases_of_the_benchmarks_that_are_named_exist() -> None:
    """By a pattern, ``learned-*``, by their beginning, ``rr-…``, or after ``--only``."""
    commands = "".join(fenced(BENCHMARKS, ""))
    patterns = [name.replace("…", "*") for name in code(BENCHMARKS) if re.fullmatch(r"[a-z]+-[*…]", name)]
    patterns += [pattern.strip("'") for pattern in re.findall(r"--only (\S+)", commands)]
    assert len(patterns) > 5
    for pattern in patterns:
        assert running.choose([pattern], quick=False), pattern


def test_every_code_of_explain_is_in_the_table() -> None:
    source = (ROOT / "src/sockhop/control/explain.py").read_text()
    codes = set(re.findall(r'\bstack\(\s*"(\w+)"', source)) | {code for code, _, _ in words.SOCKETS.values()}
    named = [row[0] for row in table(FLOWS, "code")]
    assert len(named) == len(set(named))
    assert set(named) == codes


def ends_in_json() -> list[list[str]]:
    """The rows about an end: the second table with this heading."""
    rest = FLOWS.read_text().partition("and each end:")[2]
    rows = [[cell.replace("`", "").strip() for cell in line.strip("|").split("|")] for line in rest.splitlines()]
    return [row for row in rows if len(row) == 2 and row[0] not in ("name", "---")]


def test_the_json_of_an_end() -> None:
    assert {name for row in ends_in_json() for name in row[0].split(", ")} == set(json.loads(end().as_json()))


def test_the_flags_of_an_end() -> None:
    (row,) = (row for row in ends_in_json() if row[0] == "flags")
    assert set(re.findall(r"\b[a-z]+(?:_[a-z]+)*\b", row[1])) - {"of"} == {flag.name.lower() for flag in FlowFlag}
