"""Ratios of an earlier run, kept in a file: the guard against regressions. Times would differ too much."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sockhop.bench.figures import Row
from sockhop.bench.report import Report
from sockhop.control.status import SCHEMA
from sockhop.errors import BadReport

#: By how much runs differ though nothing has changed and each was quiet: 5 % on one machine, where memory is laid
#: out anew, and more on the next, which has other neighbours. What falls off the path loses far more.
SLACK = 0.15
#: The same on another kind of CPU. How much of a message's time is TCP's differs as much.
ELSEWHERE = 0.65
#: What sockhop has no part in. And a Unix socket is as fast as its CPU copies: what it shows of sockhop, TCP shows
#: better.
NOT_OURS = ("redirect / tcp", "again / down", "empty / unguarded", "hop / unix")


@dataclass(frozen=True)
class Loss:
    """A ratio that has become worse."""

    row: Row
    stored: float
    """The lower end of its interval when it was stored."""
    slack: float
    """By how much runs differ."""

    def words(self) -> str:
        """What was lost, and why it is no noise."""
        return (
            f"{self.row.key} is {self.row.value:.3f} and was {self.stored:.3f} or more: even the upper end of its "
            f"interval, {self.row.high:.3f}, with this run's noise of {self.row.noise or 0:.1%} and "
            f"{self.slack:.0%} between runs added, does not reach it"
        )


def to_store(report: Report) -> dict[str, Any]:
    """What is stored of a run: the intervals of its ratios."""
    ratios = {row.key: {"value": row.value, "low": row.low, "high": row.high} for row in _ratios(report)}
    return {"schema": SCHEMA, "machine": dict(report.facts), "ratios": ratios}


def losses(report: Report, stored: Any) -> Sequence[Loss]:
    """The ratios that are surely worse than the stored ones. Raises :class:`BadReport`."""
    try:
        slack = SLACK if stored["machine"]["cpu"] == report.facts["cpu"] else ELSEWHERE
        before: Mapping[str, float] = {key: float(ratio["low"]) for key, ratio in stored["ratios"].items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadReport(
            f"this file has no stored ratios: {error!r}. Make one with: sockhop bench --quick --save-ratios FILE"
        ) from error
    common = [row for row in _ratios(report) if row.key in before]
    if not common:
        raise BadReport(
            "none of the stored ratios was measured, for other cases were chosen or they have other names now. "
            "Store them again with: sockhop bench --quick --save-ratios FILE"
        )
    return [Loss(row, before[row.key], slack) for row in common if _is_lost(row, before[row.key], slack)]


def _ratios(report: Report) -> list[Row]:
    """Ratios of rates that sockhop decides: the tails of latencies are no guard, in a short run."""
    return [row for row in report.rows if row.compares_rates and row.failed is None and row.versus not in NOT_OURS]


def _is_lost(row: Row, before: float, slack: float) -> bool:
    assert row.high is not None  # it has not failed
    return row.high * (1 + (row.noise or 0)) * (1 + slack) < before
