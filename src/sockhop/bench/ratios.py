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
#: What a run uses that stores or compares, unless told otherwise: all kernels have it, and all namespaces may use
#: it. bbr carries bulk a third as fast.
CONGESTION_CONTROL = "reno"
#: What sockhop has no part in. And a Unix socket is as fast as its CPU copies: what it shows of sockhop, TCP shows
#: better.
NOT_OURS = ("redirect / tcp", "again / down", "empty / unguarded", "hop / unix")
#: How ratios are stored.
AGAIN = "sockhop bench --quick --save-ratios FILE"


@dataclass(frozen=True)
class Loss:
    """A ratio that may have become worse."""

    row: Row
    stored: float
    """The lower end of its interval when it was stored."""
    slack: float
    """By how much runs differ."""

    @property
    def is_sure(self) -> bool:
        """Whether neither the noise nor what differs between runs can explain it."""
        assert self.row.high is not None  # it has not failed
        return self.row.high * (1 + (self.row.noise or 0)) * (1 + self.slack) < self.stored

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


@dataclass(frozen=True)
class Stored:
    """The ratios of an earlier run."""

    cpu: str
    congestion_control: str
    lows: Mapping[str, float]
    """The lower ends of their intervals, by the keys of their rows."""

    @classmethod
    def parse(cls, value: Any) -> "Stored":
        """From :func:`to_store`. Raises :class:`BadReport`."""
        try:
            machine, lows = value["machine"], {key: float(row["low"]) for key, row in value["ratios"].items()}
            return cls(machine["cpu"], machine["congestion_control"], lows)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadReport(f"this file has no stored ratios: {error!r}. Make one with: {AGAIN}") from error

    def require(self, congestion_control: str) -> None:
        """Raises :class:`BadReport` unless the ratios are of this congestion control."""
        if congestion_control != self.congestion_control:
            raise BadReport(
                f"the stored ratios are of TCP with {self.congestion_control}, and this run's is "
                f"{congestion_control}: bulk differs threefold between two, whatever sockhop does. Measure with "
                f"--congestion-control {self.congestion_control}, or store them again with: {AGAIN}"
            )

    def losses(self, report: Report) -> Sequence[Loss]:
        """The ratios that are surely worse than the stored ones. Raises :class:`BadReport`."""
        self.require(report.facts["congestion_control"])
        compared = self._compared(report)
        if not compared:
            raise BadReport(
                "none of the stored ratios was measured, for other cases were chosen or they have other names "
                f"now. Store them again with: {AGAIN}"
            )
        return [loss for loss in compared if loss.is_sure]

    def held(self, report: Report) -> set[str]:
        """The keys of those that were measured, and are no losses."""
        return {loss.row.key for loss in self._compared(report) if not loss.is_sure}

    def missing(self, report: Report) -> Sequence[str]:
        """The keys of those that were not measured."""
        measured = {row.key for row in _ratios(report)}
        return [key for key in self.lows if key not in measured]

    def _compared(self, report: Report) -> list[Loss]:
        slack = SLACK if self.cpu == report.facts["cpu"] else ELSEWHERE
        return [Loss(row, self.lows[row.key], slack) for row in _ratios(report) if row.key in self.lows]


def _ratios(report: Report) -> list[Row]:
    """Ratios of rates that sockhop decides: the tails of latencies are no guard, in a short run."""
    return [row for row in report.rows if row.compares_rates and row.failed is None and row.versus not in NOT_OURS]
