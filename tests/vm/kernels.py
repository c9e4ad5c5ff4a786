"""The kernels that `make vmtest` boots. A newer one is one line here."""

from __future__ import annotations

from dataclasses import dataclass

ANY = ""


@dataclass(frozen=True)
class Kernel:
    """One line of the list: which of the packages of a series is meant."""

    name: str
    """What `make vmtest KERNEL=` calls it."""
    series: str = ANY
    """The beginning of its release, in whole numbers: "6.12" means 6.12.43 and not 6.1.2."""
    suites: str = ANY
    """The beginning of the suites that may carry it: "bookworm" means bookworm-backports too."""
    oldest: bool = False
    """Take the oldest that there is, not the newest."""


KERNELS = (
    Kernel("6.1", series="6.1", suites="bookworm"),
    Kernel("6.12-early", series="6.12", suites="bookworm", oldest=True),
    Kernel("6.12", series="6.12", suites="bookworm"),
    Kernel("newest"),
)


def asked_for(name: str) -> Kernel:
    """The kernel of the list that is called so, or else the newest whose release begins so."""
    for kernel in KERNELS:
        if kernel.name == name:
            return kernel
    return Kernel(name, series=name)
