"""The console blocks of a Markdown page, and the comparison of their output with the real one.

A block is fenced, and its language is ``console``::

    ```console
    $ a command \\
        that may go on in the next line
    what it prints, standard error included
    ```

``…`` stands for what differs from run to run: inside a line for any characters, alone in a line for any number
of lines. Spaces at the end of lines, and empty lines around an output, do not count.

A block belongs to terminal 1 unless its fence says otherwise (``console terminal=2``). In terminal 1 each
command ends before the next begins. In another one the last command of a block goes on, and so does the page,
once the output shown has appeared; more may come, and is for the next block there. That may begin with output
alone, or with ``^C``.

A block whose fence says ``needs=PROGRAM`` is run only where that program is installed.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

MAIN = 1
INTERRUPT = "^C"

_FENCE = re.compile(r"```console(?: terminal=(?P<terminal>\d+))?(?: needs=(?P<needs>\S+))?")


@dataclass
class Step:
    """One command, or none or ``^C``, and the output that is expected of it."""

    line: int
    command: str | None
    output: list[str] = field(default_factory=list)


@dataclass
class Block:
    """One fenced block."""

    terminal: int
    needs: str | None
    steps: list[Step] = field(default_factory=list)


def blocks(page: Path) -> list[Block]:
    """Return the console blocks of a page in order. Raises :class:`ValueError` for a fence unlike ours."""
    found: list[Block] = []
    inside = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if not inside and line.startswith("```console"):
            fence = _FENCE.fullmatch(line)
            if not fence:
                raise ValueError(f"{page.name}:{number}: {line}")
            found.append(Block(int(fence["terminal"] or MAIN), fence["needs"]))
            inside = True
        elif inside and line == "```":
            inside = False
        elif inside:
            _add(found[-1].steps, line, number)
    return found


def _add(steps: list[Step], line: str, number: int) -> None:
    last = steps[-1] if steps else None
    if last and last.command and last.command.endswith("\\") and not last.output:
        last.command = last.command.removesuffix("\\") + line.strip()
    elif line.startswith("$ "):
        steps.append(Step(number, line.removeprefix("$ ")))
    elif line == INTERRUPT:
        steps.append(Step(number, INTERRUPT))
    elif last:
        last.output.append(line)
    else:
        steps.append(Step(number, None, [line]))


def matches(expected: list[str], real: list[str]) -> bool:
    """Whether an output is the one expected."""
    return re.fullmatch(_pattern(_trimmed(expected)), "".join(f"{line}\n" for line in _trimmed(real))) is not None


def begins(expected: list[str], real: list[str]) -> int | None:
    """Return the smallest number of lines, from the first, that are the output expected; None if none are."""
    return next((count for count in range(len(real) + 1) if matches(expected, real[:count])), None)


def _trimmed(lines: list[str]) -> list[str]:
    stripped = "\n".join(line.rstrip() for line in lines).strip("\n")
    return stripped.split("\n") if stripped else []


def _pattern(lines: list[str]) -> str:
    return "".join(
        r"(?:.*\n)*" if line.strip() == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n"
        for line in lines
    )
