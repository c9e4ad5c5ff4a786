"""Waiting for what happens, with a deadline. Nothing here sleeps for a fixed time."""

import os
import select
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = float(os.environ.get("SOCKHOP_PATIENCE", "1"))
"""How many times longer than usual a deadline is: for a machine that is emulated."""


def until(ready: Callable[[], T], what: str, seconds: float = 20.0) -> T:
    """Call `ready` until it is true, and return its value.

    Raises:
        TimeoutError: `what` did not happen within `seconds` times PATIENCE.
    """
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while not (value := ready()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for: {what}")
        select.select([], [], [], 0.001)
    return value
