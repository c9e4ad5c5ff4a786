"""The page in a real browser: everything on it is drawn, and has room."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sockhop.bench import page
from sockhop.bench.machine import Machine
from tests.conftest import missing
from tests.unit import making_reports as making

#: Measures what was drawn and leaves the answer in the document; of the test alone, for the page has no script.
PROBE = """<script>
addEventListener("load", () => {
  const seen = (query) => [...document.querySelectorAll(query)].map((part) => part.getBoundingClientRect())
    .filter((box) => box.width > 0 || box.height > 0).length;
  const inside = [...document.querySelectorAll("svg text")].every((text) => {
    const box = text.getBoundingClientRect(), around = text.closest("svg").getBoundingClientRect();
    return box.left >= around.left && box.right <= around.right && box.bottom <= around.bottom;
  });
  const colours = [...document.querySelectorAll("svg polyline")].map((line) => getComputedStyle(line).stroke);
  document.title = JSON.stringify({
    plots: seen("svg"), lines: seen("svg polyline"), cells: seen(".heat td"), rows: seen("table tr"),
    inside, colours: new Set(colours).size,
    wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
  });
});
</script>"""


@pytest.fixture
def browser() -> str:
    """A browser that needs no screen."""
    return shutil.which("chromium") or shutil.which("google-chrome") or missing("chromium is not installed")


def open_in(browser: str, path: Path, width: int) -> "subprocess.CompletedProcess[str]":
    """Open a page of this machine; the document as the browser has it is on stdout."""
    profile = path.with_suffix(".profile")
    switches = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        f"--user-data-dir={profile}",
    ]
    return subprocess.run(
        [browser, *switches, f"--window-size={width},900", "--dump-dom", f"file://{path}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


@pytest.mark.parametrize("width", [1280, 700])
def test_the_page_in_a_browser(browser: str, tmp_path: Path, width: int) -> None:
    report = making.report(Machine(tmp_path, tmp_path, "near", "far", "middle"))
    path = tmp_path / "page.html"
    path.write_text(page.render(report).replace("</head>", f"{PROBE}</head>"))
    shown = open_in(browser, path, width)
    assert "CONSOLE" not in shown.stderr
    title = re.search(r"<title>(\{.*?\})</title>", shown.stdout)
    assert title, shown.stdout[:500]
    drawn = json.loads(title[1])
    assert drawn["plots"] == 4
    assert drawn["lines"] == 2 + 2 + 1 + 2
    assert drawn["cells"] == 3
    assert drawn["colours"] == 2
    assert drawn["inside"]
    assert not drawn["wide"]
    assert drawn["rows"] >= len(report.rows)
