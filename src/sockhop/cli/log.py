"""Logs: a line an event, to stderr, for people and the journal (logfmt) or for programs (JSON)."""

import json
import logging
import sys
from datetime import UTC, datetime

from sockhop.control.status import SCHEMA
from sockhop.kernel import systemd

# The priorities of syslog(3), which the journal reads from the start of a line (sd-daemon(3)).
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class Lines(logging.Formatter):
    """Formats an event, whose name is the message and whose fields are in ``extra={"fields": …}``.

    The journal has times of its own, and wants a priority.
    """

    def __init__(self, as_json: bool, journal: bool) -> None:
        super().__init__()
        self._as_json, self._journal = as_json, journal

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        level = record.levelname.lower()
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, object] = {"event": record.getMessage(), **getattr(record, "fields", {})}
        if self._as_json:
            line = json.dumps({"schema": SCHEMA, "time": time, "level": level, **fields})
        else:
            times = {} if self._journal else {"time": time}
            pairs = [f"{name}={_text(value)}" for name, value in {**times, **fields}.items() if value != []]
            line = " ".join([level, *pairs])
        return f"<{_PRIORITIES.get(record.levelno, 6)}>{line}" if self._journal else line


def _text(value: object) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    plain = text and text.isprintable() and not set(text) & set(' "=')
    return text if plain else json.dumps(text, ensure_ascii=False)


def start(as_json: bool) -> None:
    """Let what sockhop logs from now on go to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(as_json, systemd.is_journal(sys.stderr.fileno())))
    logger = logging.getLogger("sockhop")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.propagate = False
