"""``sockhop bench``."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from sockhop.bench import markdown, page, ratios, running, table
from sockhop.bench.effort import QUICK, Effort
from sockhop.bench.report import BUSY, Report
from sockhop.cli import exits, output, progress
from sockhop.cli.options import json_option
from sockhop.control.status import SCHEMA
from sockhop.errors import BadReport

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--list", "only_list", is_flag=True, help="Print the cases, and how long each takes.")
@click.option(
    "--only", metavar="PATTERN", multiple=True, help="Cases that match, as a shell would: 'rr-*'. Or several."
)
@click.option("--quick", is_flag=True, help="Short samples; without --only, of a few cases: under a minute.")
@json_option
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the results as Markdown.")
@click.option("--html", "html_file", type=_FILE, help="Write the results as a page with plots, too.")
@click.option("--from", "from_file", type=_FILE, help="Show what --json printed, instead of measuring.")
@click.option("--save-ratios", "save_file", type=_FILE, help="Write the ratios to a file, for --against.")
@click.option(
    "--congestion-control",
    metavar="NAME",
    help="TCP's, for this run: 'bbr'. Default: this machine's; "
    f"for ratios that are stored or compared, {ratios.CONGESTION_CONTROL}.",
)
@click.option("--against", "against_file", type=_FILE, help="Fail if a ratio is surely worse than in this file.")
def command(
    only_list: bool,
    only: tuple[str, ...],
    quick: bool,
    as_json: bool,
    as_markdown: bool,
    html_file: Path | None,
    from_file: Path | None,
    save_file: Path | None,
    congestion_control: str | None,
    against_file: Path | None,
) -> int:
    """Measure TCP, hops and Unix sockets side by side on this machine."""
    cases, effort = running.choose(only, quick), QUICK if quick else Effort()
    for pattern in only:
        if not running.choose([pattern], quick):
            output.message(f"no case matches {pattern!r}: `sockhop bench --list` has their names")
            return exits.USAGE
    if only_list:
        return _list(cases, effort, as_json)
    if not all(_is_writable(path) for path in (html_file, save_file) if path):
        return exits.FAILED  # before half an hour was measured for nothing
    if (save_file or against_file) and not (congestion_control or from_file):
        congestion_control = ratios.CONGESTION_CONTROL
    stored = _stored(against_file, congestion_control) if against_file else None
    report = Report.parse(_read(from_file)) if from_file else _measure(cases, effort, congestion_control)
    _show(report, as_json, as_markdown)
    if html_file:
        html_file.write_text(page.render(report))
    if save_file:
        _save(report, save_file)
    if report.interrupted:
        raise click.Abort
    lost = stored is not None and _has_lost(report, stored, None if from_file else effort, congestion_control)
    return exits.FAILED if lost or any(row.failed for row in report.rows) else exits.OK


def _stored(path: Path, congestion_control: str | None) -> ratios.Stored:
    """What the file has; what cannot be compared is refused before anything is measured."""
    stored = ratios.Stored.parse(_read(path))
    if congestion_control:
        stored.require(congestion_control)
    return stored


def _show(report: Report, as_json: bool, as_markdown: bool) -> None:
    if as_json:
        output.data(report.as_json())
    elif as_markdown:
        click.echo(markdown.render(report), nl=False)
    else:
        table.show(report)


def _save(report: Report, path: Path) -> None:
    path.write_text(json.dumps(ratios.to_store(report), indent=1) + "\n")
    if report.facts["load"] > BUSY:
        output.message(
            f"these ratios are of a busy machine (load {report.facts['load']:.2f} when it began): what is "
            "compared with them will seem better or worse than it is. Store them again when the load is below "
            f"{BUSY}"
        )


def _list(cases: Sequence[running.Case], effort: Effort, as_json: bool) -> int:
    times = [case.seconds(effort) for case in cases]
    if as_json:
        listed = [
            {"name": case.name, "title": case.title, "seconds": seconds}
            for case, seconds in zip(cases, times, strict=True)
        ]
        output.data({"schema": SCHEMA, "cases": listed})
        return exits.OK
    rows = [[case.name, f"{seconds:.0f}", case.title] for case, seconds in zip(cases, times, strict=True)]
    output.lines(["case", "seconds", "measured"], rows, numbers={1})
    output.message(f"{len(cases)} cases, {progress.about(sum(times))}")
    return exits.OK


def _measure(cases: Sequence[running.Case], effort: Effort, congestion_control: str | None) -> Report:
    total = sum(case.seconds(effort) for case in cases)
    if os.getloadavg()[0] > BUSY:
        output.message(f"this machine is busy (load {os.getloadavg()[0]:.2f}): expect wide intervals")
    output.message(f"{len(cases)} cases, {progress.about(total)}")
    with progress.shown(total) as steps:
        return running.measure(
            cases, effort, lambda case: steps.begin(case.name, case.seconds(effort)), congestion_control
        )


def _has_lost(
    report: Report, stored: ratios.Stored, effort: Effort | None, congestion_control: str | None
) -> bool:
    """Whether a ratio is worse than the stored one.

    With an effort it has to show twice, for a neighbour may have woken just then.
    """
    if missing := stored.missing(report):
        output.message(f"stored, but not measured now: {'; '.join(missing)}")
    lost = stored.losses(report)
    if lost and effort is not None:
        names = sorted({loss.row.case for loss in lost})
        output.message(f"measuring again what seems to have become worse: {', '.join(names)}")
        again = _measure([case for case in running.CASES if case.name in names], effort, congestion_control)
        if again.interrupted:
            raise click.Abort
        for row in again.rows:
            if row.failed:
                output.message(f"{row.key} could not be measured again: {row.failed}")
        held = stored.held(again)
        lost = [loss for loss in lost if loss.row.key not in held]
    for loss in lost:
        output.message(loss.words())
    if not lost:
        output.message("no ratio is worse than the stored ones, as far as the noise lets tell")
    return bool(lost)


def _is_writable(path: Path) -> bool:
    try:
        path.open("a").close()
    except OSError as error:
        output.message(f"the results cannot be written to {path}: {error.strerror}")
        return False
    return True


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadReport(f"{path} cannot be read: {error}") from error
