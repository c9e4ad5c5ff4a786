"""The results as one HTML page that needs nothing else: no script, no font, no picture from anywhere."""

import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from sockhop.bench import cells, charts
from sockhop.bench.figures import Row
from sockhop.bench.report import Report
from sockhop.bench.results import Result

STYLE = Path(__file__).with_name("page.css")
#: A ratio of so much, or its inverse, has the full colour.
STRONG = 2.5
#: Columns of a table that are text.
TEXT = 2

ARMS = {
    "tcp": "plain TCP",
    "hop": "sockhop from the first message on (eager mode)",
    "auto": "sockhop's default, which learns first",
    "unix": "a Unix socket",
    "redirect": "sockmap without any care: the mechanism's own floor, and not something to run",
    "ordered": "the same with one queue for both ways, without which no order can be kept",
}


def render(report: Report) -> str:
    """The page."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>sockhop bench</title><style>{STYLE.read_text()}</style></head><body>",
        *_head(report),
        *_heat_map(report),
        *_section("Rates by size", "Up is faster. Both axes are logarithmic.", charts.rates(report.results)),
        *_latencies(report),
        *_groups(report),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _head(report: Report) -> Iterator[str]:
    yield f"<header><h1>sockhop bench</h1><p>{escape(report.summary())}</p>"
    if advice := report.advice():
        yield f'<p class="noisy">{escape(advice)}</p>'
    facts = {"sockhop": report.version, **report.facts, "rounds": report.effort.rounds}
    yield '<dl class="facts">'
    for name, value in facts.items():
        text = f"{value:.2f}" if isinstance(value, float) else str(value)
        yield f"<div><dt>{escape(name.replace('_', ' '))}</dt><dd>{escape(text)}</dd></div>"
    arms = " ".join(f"<b>{name}</b>: {text}." for name, text in ARMS.items())
    yield f"</dl><p class='quiet'>{arms}</p></header>"


def _heat_map(report: Report) -> Iterator[str]:
    """Ratios of rates: a line a case, a column a pair of arms."""
    rows = [row for row in report.rows if row.compares_rates]
    pairs = list(dict.fromkeys(row.versus for row in rows))
    if not pairs:
        return
    yield "<section><h2>Ratios</h2><p class='quiet'>Blue is faster, orange slower; an asterisk marks what noise "
    yield "hides. Point at a ratio for its interval.</p>"
    yield "<div class='scroll'><table class='heat'><thead><tr><th></th>"
    yield "".join(f'<th scope="col">{escape(pair)}</th>' for pair in pairs) + "</tr></thead>"
    for group, results in report.groups.items():
        lines = [_heat_line(result, pairs) for result in results if any(row.compares_rates for row in result.rows)]
        if lines:
            head = f'<tr><th scope="rowgroup" colspan="{len(pairs) + 1}">{escape(group)}</th></tr>'
            yield "\n".join(["<tbody>", head, *lines, "</tbody>"])
    yield "</table></div></section>"


def _heat_line(result: Result, pairs: Sequence[str]) -> str:
    by_pair = {row.versus: row for row in result.rows}
    squares = "".join(_heat_cell(by_pair.get(pair)) for pair in pairs)
    return f'<tr><th scope="row">{escape(result.title)}</th>{squares}</tr>'


def _heat_cell(row: Row | None) -> str:
    if row is None:
        return "<td></td>"
    if row.value is None:
        return f'<td class="failed" title="{escape(row.failed or "")}">failed</td>'
    much = min(1.0, abs(math.log(row.value)) / math.log(STRONG)) * 0.65
    kind = "gain" if row.value >= 1 else "loss"
    title = f"{cells.interval(row)} {cells.target(row)} {cells.verdict(row)}".strip()
    mark = "*" if row.verdict == "noisy" else ""
    return f'<td class="{kind}" style="--much:{much:.2f}" title="{escape(title)}">{row.value:.2f}{mark}</td>'


def _latencies(report: Report) -> Iterator[str]:
    for group, results in report.groups.items():
        plots = [(result.title, plot) for result in results if (plot := charts.latency(result))]
        title = f"Latency: {group}"
        yield from _section(title, "Down is faster; to the right are the slowest of the messages.", iter(plots))


def _section(title: str, text: str, plots: Iterator[tuple[str, str]]) -> Iterator[str]:
    figures = [f"<figure><figcaption>{escape(name)}</figcaption>{plot}</figure>" for name, plot in plots]
    if figures:
        yield f"<section><h2>{escape(title)}</h2><p class='quiet'>{escape(text)}</p><div class='plots'>"
        yield from figures
        yield "</div></section>"


def _groups(report: Report) -> Iterator[str]:
    yield "<section><h2>All figures</h2>"
    yield "<p class='quiet'>Medians of each round's ratios, tails of all rounds, with 95 % intervals.</p>"
    for group, results in report.groups.items():
        yield f"<h3>{escape(group)}</h3>"
        rows = (_ratio(row) for result in results for row in result.rows)
        yield from _table(("measured", "versus", *cells.RATIO_COLUMNS), rows)
        arms = [
            _line([result.case, arm.arm, *cells.of_arm(result, arm)]) for result in results for arm in result.arms
        ]
        if arms:
            yield "<details><summary>Each arm</summary>"
            yield from _table(("case", "arm", *cells.ARM_COLUMNS), arms)
            yield "</details>"
    yield "</section>"


def _table(columns: Sequence[str], lines: Iterable[str]) -> Iterator[str]:
    """A table whose first two columns are text."""
    yield "<div class='scroll'><table><thead><tr>"
    yield "".join(
        f"<th{' class=text' if index < TEXT else ''}>{escape(name)}</th>" for index, name in enumerate(columns)
    )
    yield "</tr></thead><tbody>"
    yield from lines
    yield "</tbody></table></div>"


def _line(row: Sequence[str], more: str = "") -> str:
    """A line of a table, whose last cell has attributes."""
    texts = "".join(f'<td class="text">{escape(cell)}</td>' for cell in row[:TEXT])
    numbers = "".join(f"<td>{escape(cell)}</td>" for cell in row[TEXT:-1])
    return f"<tr>{texts}{numbers}<td{more}>{escape(row[-1])}</td></tr>"


def _ratio(row: Row) -> str:
    why = f' title="{escape(row.failed)}"' if row.failed else ""
    return _line([row.title, row.versus, *cells.of_ratio(row)], f' class="text {row.verdict}"{why}')
