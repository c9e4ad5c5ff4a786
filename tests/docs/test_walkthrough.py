"""Every command of docs/walkthrough.md, in order, prints what the page says (see console.py for how)."""

import shutil
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.cli.sandbox import sandbox
from tests.conftest import ROOT, missing
from tests.docs.console import INTERRUPT, MAIN, Step, blocks, matches
from tests.docs.terminals import Terminal, Terminals

PAGE = ROOT / "docs/walkthrough.md"


@pytest.fixture
def terminals(bpf: None) -> Iterator[Terminals]:
    """Terminals in a sandbox."""
    with sandbox() as place, closing(Terminals(place)) as opened:
        yield opened


def test_every_command_prints_what_the_page_says(terminals: Terminals) -> None:
    left_out = set()
    for block in blocks(PAGE):
        if block.needs and not shutil.which(block.needs):
            left_out.add(block.needs)
            continue
        terminal = terminals[block.terminal]
        for step in block.steps:
            if step is block.steps[-1] and block.terminal != MAIN:
                printed = go_on(terminals, terminal, step)
            else:
                printed = to_the_end(terminal, step)
            assert matches(step.output, printed), report(step, printed)
    assert terminals.sandbox.leftovers() == set()
    if left_out:
        missing(f"all but the blocks that need {', '.join(left_out)} was run, and is as the page says")


def to_the_end(terminal: Terminal, step: Step) -> list[str]:
    """Run a step, or what is running in its terminal, to its end."""
    if step.command == INTERRUPT:
        terminal.interrupt()
        return terminal.ended()
    if step.command is None:
        return terminal.showing(step.output)
    return terminal.run(step.command)


def go_on(terminals: Terminals, terminal: Terminal, step: Step) -> list[str]:
    """Do the last step of a block that is not in the main terminal: what it starts goes on."""
    if step.command in (None, INTERRUPT):
        return to_the_end(terminal, step)
    assert step.command
    terminal.start(step.command)
    if "sockhop trace" in step.command:
        terminals.until_traced()
    return terminal.showing(step.output)


def report(step: Step, printed: list[str]) -> str:
    """What was expected, and what came."""
    return "\n".join(
        [f"{PAGE.name}:{step.line}: {step.command}", "-- expected:", *step.output, "-- printed:", *printed]
    )
