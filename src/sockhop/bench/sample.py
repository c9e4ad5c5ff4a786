"""One measurement of one arm."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sockhop.bench.histogram import Histogram
from sockhop.bench.machine import Failed
from sockhop.bench.usage import Usage


@dataclass(frozen=True)
class Sample:
    """What a client has measured, and what it cost."""

    rate: float
    """What was done a second: more is better."""
    usage: Usage | None = None
    messages: float = 0
    """How many were sent while ``usage`` grew, both directions together, the program's own warm-up included.

    Of connections without any, how many of these there were.
    """
    bytes: float = 0
    """The same in bytes, where it is known."""
    latency: Mapping[str, float] = field(default_factory=dict)
    """Seconds, by the names of histogram.POINTS and ``max``, as far as the program tells."""
    histogram: Histogram | None = None
    hopped: float | None = None
    """The part of the messages that hopped, by sockhop's own counters."""

    @classmethod
    def of(cls, numbers: Mapping[str, Any], usage: Usage | None, factor: float = 2) -> "Sample":
        """From what one of our C programs printed; ``factor`` times the client's bytes went there and back.

        Raises Failed if nothing was done: that is no rate of zero.
        """
        if not numbers["done"]:
            raise Failed(f"nothing was done within {numbers['seconds']} s")
        histogram = Histogram.parse(numbers["latency"]) if "latency" in numbers else None
        return cls(
            rate=numbers["done"] / numbers["seconds"],
            usage=usage,
            messages=numbers["messages"] or numbers["connections"],
            bytes=factor * numbers.get("bytes_sent", 0),
            latency=histogram.points() if histogram else {},
            histogram=histogram,
        )

    def value(self, of: str) -> float:
        """``rate``, or a point of the latency. Raises KeyError for one that the program does not tell."""
        return self.rate if of == "rate" else self.latency[of]

    def costs(self) -> dict[str, float]:
        """What it cost a message and a byte, as far as that is known."""
        if self.usage is None or not self.messages:
            return {}
        cpu = self.usage.user + self.usage.system
        costs = {
            "cpu_per_message": cpu / self.messages,
            "cpu_system_per_message": self.usage.system / self.messages,
        }
        if self.usage.switches is not None:
            costs["switches_per_message"] = self.usage.switches / self.messages
        if self.usage.resident is not None:
            costs["resident"] = self.usage.resident
        return costs | ({"cpu_per_byte": cpu / self.bytes} if self.bytes else {})

    def as_json(self) -> dict[str, Any]:
        """All but the histogram, which is kept for all samples of an arm together."""
        return {
            "rate": self.rate,
            "messages": self.messages,
            "bytes": self.bytes,
            "latency": dict(self.latency),
            "usage": asdict(self.usage) if self.usage else None,
            "hopped": self.hopped,
        }

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> "Sample":
        """From :meth:`as_json`."""
        usage = Usage(**value["usage"]) if value["usage"] else None
        return cls(
            value["rate"], usage, value["messages"], value["bytes"], value["latency"], hopped=value["hopped"]
        )
