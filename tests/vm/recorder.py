"""A plugin of pytest in the guest: writes each test down when it begins and when it has ended.

Line by line and at once, so that a guest which crashes leaves the name of the test that was running.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.vm.answers import RECORD


def pytest_runtest_logstart(nodeid: str) -> None:
    """It begins."""
    _write(nodeid, "running", "", {})


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A part of it has ended: what went wrong in any part stands, and a skip is before the call."""
    if report.when == "call" or report.outcome != "passed":
        _write(report.nodeid, report.outcome, _said(report), dict(report.user_properties))


def _said(report: pytest.TestReport) -> str:
    """In a line: the error, not the way to it."""
    if report.outcome == "passed":
        return ""
    crash = getattr(report.longrepr, "reprcrash", None)
    said = crash.message if crash else report.longreprtext
    return " ".join(said.split())[:500]


def _write(test: str, outcome: str, said: str, properties: dict[str, Any]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        return  # whoever started this worker hears of each test too
    line = {"test": test, "outcome": outcome, "said": said, "properties": properties}
    with (Path(os.environ["SOCKHOP_RESULTS"]) / RECORD).open("a") as file:
        file.write(json.dumps(line) + "\n")
