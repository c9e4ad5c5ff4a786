"""What came of a case, and of each of its arms; as plain data, too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sockhop.bench.figures import Row
from sockhop.bench.histogram import Histogram
from sockhop.bench.sample import Sample


@dataclass(frozen=True)
class Measured:
    """What came of one arm."""

    arm: str
    warm_up: tuple[Sample, ...]
    samples: tuple[Sample, ...]
    histogram: Histogram | None = None
    """Of all samples that count."""
    failed: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The arm as plain data."""
        return {
            "arm": self.arm,
            "failed": self.failed,
            "samples": [
                {"warm_up": warm, **sample.as_json()}
                for warm, samples in ((True, self.warm_up), (False, self.samples))
                for sample in samples
            ],
            "latency": self.histogram.as_json() if self.histogram else None,
        }

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> "Measured":
        """From :meth:`as_json`."""
        of = {
            warm: tuple(Sample.parse(s) for s in value["samples"] if s["warm_up"] == warm)
            for warm in (True, False)
        }
        histogram = Histogram.parse(value["latency"]) if value["latency"] else None
        return cls(value["arm"], of[True], of[False], histogram, value["failed"])


@dataclass(frozen=True)
class Result:
    """What came of one case."""

    case: str
    title: str
    group: str
    rows: Sequence[Row]
    arms: Sequence[Measured] = ()
    unit: str = ""
    size: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The result as plain data, every sample included."""
        return {
            "case": self.case,
            "title": self.title,
            "group": self.group,
            "unit": self.unit,
            "size": self.size,
            "rows": [row.as_json() for row in self.rows],
            "arms": [arm.as_json() for arm in self.arms],
        }

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> "Result":
        """From :meth:`as_json`."""
        rows = [Row.parse(row) for row in value["rows"]]
        arms = [Measured.parse(arm) for arm in value["arms"]]
        return cls(value["case"], value["title"], value["group"], rows, arms, value["unit"], value["size"])
