"""Parts of a Markdown page that other things can be compared with."""

import re
from pathlib import Path


def fenced(page: Path, language: str) -> list[str]:
    """Return the content of each fenced block whose language is this regular expression."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def table(page: Path, first: str) -> list[list[str]]:
    """Return the rows of the table whose first heading is ``first``, without code marks."""
    rows: list[list[str]] = []
    lines = iter(page.read_text().splitlines())
    for line in lines:
        if line.startswith(f"| {first} |"):
            next(lines)
            break
    for line in lines:
        if not line.startswith("|"):
            break
        # A bar inside of code is escaped.
        cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
        rows.append([cell.strip().replace("`", "").replace("\\|", "|") for cell in cells])
    assert rows, f"{page.name} has no table that begins with {first}"
    return rows


def code(page: Path) -> list[str]:
    """Return what is marked as code inside of text."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", prose)


def links(page: Path) -> list[str]:
    """Return the targets of links that are not to the network."""
    return [to for to in re.findall(r"\]\(([^)]+)\)", page.read_text()) if not to.startswith("http")]
