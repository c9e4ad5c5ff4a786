"""What a guest writes down for its host: the names of the files, and how to read the one answer that decides."""

from __future__ import annotations

ANSWERS = "answers.jsonl"
"""A line for each question that was asked inside."""
RECORD = "tests.jsonl"
"""Two lines for each test: when it began, and when it had ended."""
SUITES = ("conformance", "streams", "program", "demonstration")
"""Questions whose answer is the exit code of pytest."""
