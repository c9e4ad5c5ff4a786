"""The results as Markdown, for docs/benchmarks.md."""

from collections.abc import Iterator, Sequence

from sockhop.bench import cells
from sockhop.bench.report import Report


def render(report: Report) -> str:
    """A section a group: its ratios, and folded away what each arm is like."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    facts = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in report.facts.items())
    yield f"sockhop {report.version}; {facts}; {report.effort.rounds} rounds, {report.seconds / 60:.1f} minutes."
    yield ""
    yield report.summary()
    if advice := report.advice():
        yield ""
        yield advice
    for group, results in report.groups.items():
        yield from ("", f"### {group[0].upper()}{group[1:]}", "")
        ratios = [[row.title, row.versus, *cells.of_ratio(row)] for result in results for row in result.rows]
        yield from _table(("measured", "versus", *cells.RATIO_COLUMNS), ratios, left=2)
        arms = [[result.case, arm.arm, *cells.of_arm(result, arm)] for result in results for arm in result.arms]
        if arms:
            yield from ("", "<details><summary>each arm</summary>", "")
            yield from _table(("case", "arm", *cells.ARM_COLUMNS), arms, left=2)
            yield from ("", "</details>")
    failed = [row for row in report.rows if row.failed is not None]
    if failed:
        yield from ("", "### What could not be measured", "")
        yield from (f"- `{row.key}`: {_cell(row.failed or '')}" for row in failed)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> Iterator[str]:
    """A table whose first columns are text, and all others numbers."""
    yield _line(columns)
    yield _line(["---" if index < left else "---:" for index in range(len(columns))])
    yield from map(_line, rows)


def _line(row: Sequence[str]) -> str:
    return f"| {' | '.join(map(_cell, row))} |"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
