"""What a guest writes down for its host: the names of the files, and how to read the one answer that decides."""

from __future__ import annotations

from typing import Any

ANSWERS = "answers.jsonl"
"""A line for each question that was asked inside."""
RECORD = "tests.jsonl"
"""Two lines for each test: when it began, and when it had ended."""
REFUSED = "refused"
SUITES = ("conformance", "streams", "program", "demonstration")
"""Questions whose answer is the exit code of pytest."""


def support(check: dict[str, Any]) -> str:
    """How far `sockhop check --json` says that this kernel can be used: "full", "eager_only" or "refused"."""
    return str(check.get("support") or ("full" if check["capable"] else REFUSED))
