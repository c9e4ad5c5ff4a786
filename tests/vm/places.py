"""Where everything is that `make vmtest` makes. All of it is below build/vm, and goes with `make clean`."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).parent.parent.parent
BUILD = CHECKOUT / "build/vm"
APT = BUILD / "apt"
KERNELS = BUILD / "kernels"
RESULTS = BUILD / "results"


class Failed(Exception):
    """What a person has to hear: what happened, why, and what to do."""
