"""Data planes that behave as on a kernel which lacks something: compiled from the source with a change."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

Change = tuple[str, str, str]  # a file of the package, what stands there, what is to stand there instead

_ONE_QUEUE: Change = ("control/loading.py", "for name in VERDICTS:", 'for name in ["send"]:')
#: By the probe that finds it.
BROKEN: dict[str, list[Change]] = {
    "hop": [("dataplane/decide.h", "return OUTCOME_HOP;", "return OUTCOME_UNREAD;")],
    # Bytes of the stack are in a queue of their own, and nothing waits for them.
    "order": [_ONE_QUEUE, ("dataplane/decide.h", "if (!has_arrived(me, peer))", "if (0)")],
    "one_queue": [_ONE_QUEUE],
    "bound": [
        ("dataplane/decide.h", "\t\treturn OUTCOME_FULL;", "\t\treturn OUTCOME_HOP;"),
        ("dataplane/decide.h", "\t\treturn OUTCOME_WINDOW;", "\t\treturn OUTCOME_HOP;"),
    ],
    # What the unhash hook did: the socket leaves the map when the end has been received.
    "half_close": [
        (
            "dataplane/closing.h",
            "look_after_peer(ctx, tcp, end);\n}\n\n#endif",
            "{ struct seq_pair key = mirrored(end->pair); bpf_map_delete_elem(&sockets, &key); }\n}\n\n#endif",
        )
    ],
    "reset": [
        ("dataplane/closing.h", "int wide = 1 << 30;", "int wide = 0;"),
        ("dataplane/closing.h", "int milliseconds = 200;", "int milliseconds = 0;"),
    ],
    "overlap": [("dataplane/queue.bpf.h", "if (before(seq, *expected))", "if (0)")],
    "drain": [("dataplane/drain.bpf.h", "!queued(psock) && !is_used(psock)", "!is_used(psock)")],
}


def package(place: Path, changes: list[Change]) -> dict[str, str]:
    """Make a changed copy of the package; return the environment in which Python finds it first."""
    copy = place / "sockhop"
    shutil.copytree(ROOT / "src" / "sockhop", copy, ignore=shutil.ignore_patterns("__pycache__", "*.o"))
    for name, before, after in changes:
        text = (copy / name).read_text()
        assert text.count(before) == 1, (name, before)
        (copy / name).write_text(text.replace(before, after))
    subprocess.run([sys.executable, copy / "dataplane" / "build.py"], check=True)
    return {**os.environ, "PYTHONPATH": str(place)}
