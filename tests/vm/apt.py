"""Debian's packages of every suite, through the machine's own registries, and without touching its own lists.

apt gets a state directory of ours and sources derived from those of the machine: the same addresses and keys, more
suites. So signatures are checked as ever, and what is configured is what is asked.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.vm.places import APT, Failed

# Where a kernel can be found. A suite that a registry does not have is passed over.
RELEASES = ("bookworm", "trixie", "forky")
SUITES = (
    *(f"{release}{part}" for release in RELEASES for part in ("", "-updates", "-backports")),
    "sid",
    "experimental",
)
SECURITY = tuple(f"{release}-security" for release in RELEASES)
FRESH = 12 * 3600
"""Seconds for which lists that were fetched are believed."""


@dataclass(frozen=True)
class Package:
    """A version of a package, in a suite that has it."""

    name: str
    version: str
    suite: str


def packages(prefix: str) -> list[Package]:
    """Every package whose name begins so, once for each version and suite."""
    names = [name for name in _cache("pkgnames", prefix).split() if name.endswith("-amd64")]
    line = re.compile(r"^ *(\S+) \| *(\S+) \| \S+ (\S+)/main amd64 Packages$", re.MULTILINE)
    return [Package(*found.groups()) for found in line.finditer(_cache("madison", *names))] if names else []


def depends(name: str, version: str) -> list[str]:
    """The names of the packages that it depends on."""
    (line,) = re.findall(r"^Depends: (.*)$", _cache("show", f"{name}={version}"), re.MULTILINE) or [""]
    return [word.split()[0] for word in re.split(r"[,|]", line) if word.strip()]


def download(wanted: list[str], where: Path) -> list[Path]:
    """Fetch packages, each "name=version", as files. Raises Failed."""
    where.mkdir(parents=True, exist_ok=True)
    _apt("apt-get", "download", *wanted, cwd=where)
    return sorted(where.glob("*.deb"))


def refresh() -> None:
    """Fetch the lists of every suite that there is, unless that was done a while ago. Raises Failed."""
    stamp = APT / "fetched"
    sources = _sources()
    written = APT / "sources/vmtest.sources"
    same = written.exists() and written.read_text() == sources
    if same and stamp.exists() and time.time() - stamp.stat().st_mtime < FRESH:
        return
    for directory in ("sources", "state/lists/partial", "cache/archives/partial"):
        (APT / directory).mkdir(parents=True, exist_ok=True)
    written.write_text(sources)
    # It fails if a registry lacks a suite, having fetched all others: whether there are kernels will tell.
    said = subprocess.run(_argv("apt-get", "update"), capture_output=True, text=True, check=False)
    if not packages("linux-image-"):
        raise Failed(
            f"no list of kernel packages could be fetched: apt-get update said\n{said.stdout}{said.stderr}"
        )
    stamp.touch()


def _sources() -> str:
    """The machine's own stanzas for Debian, each with more suites. Raises Failed."""
    stanzas = []
    for stanza in _stanzas():
        suites = stanza.get("suites", "").split()
        security = [suite for suite in suites if suite.endswith("-security")]
        if not any(suite.split("-")[0] in (*RELEASES, "sid") for suite in suites):
            continue
        kept = {"types": "deb", "components": "main", "suites": " ".join(SECURITY if security else SUITES)}
        ours = {key: value for key, value in stanza.items() if key in ("uris", "signed-by")} | kept
        stanzas.append("".join(f"{key}: {value}\n" for key, value in ours.items()))
    if not stanzas:
        raise Failed(
            "apt is not configured for Debian here, so there are no kernels to fetch: add a source of bookworm "
            "or later to /etc/apt/sources.list.d, with the key of Debian's archive as its Signed-By"
        )
    return "\n".join(dict.fromkeys(stanzas))


def _stanzas() -> Iterator[dict[str, str]]:
    """What the machine's sources say, whichever of apt's two formats they have."""
    etc = Path("/etc/apt")
    for path in sorted(etc.glob("sources.list.d/*.sources")):
        for text in re.split(r"\n\s*\n", re.sub(r"^#.*\n?", "", path.read_text(), flags=re.MULTILINE)):
            fields = re.findall(r"^([\w-]+):((?:.*)(?:\n[ \t].*)*)", text, re.MULTILINE)
            yield {key.lower(): value.strip() for key, value in fields}
    for path in [etc / "sources.list", *sorted(etc.glob("sources.list.d/*.list"))]:
        lines = path.read_text().splitlines() if path.exists() else []
        for line in lines:
            if found := re.match(r"deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)", line):
                key = re.search(r"signed-by=(\S+)", found[1] or "")
                yield {"uris": found[2], "suites": found[3]} | ({"signed-by": key[1]} if key else {})


def _argv(program: str, *arguments: str) -> list[str]:
    options = {
        "Dir::State": APT / "state",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": APT / "cache",
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": APT / "sources",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "APT::Sandbox::User": "root",
        "APT::Architecture": "amd64",
    }
    if not shutil.which(program):
        raise Failed(f"there is no {program} here: kernels are fetched with Debian's apt")
    return [program, "-q", *(f"-o{key}={value}" for key, value in options.items()), *arguments]


def _apt(program: str, *arguments: str, cwd: Path | None = None) -> str:
    done = subprocess.run(_argv(program, *arguments), capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode:
        raise Failed(f"{program} {' '.join(arguments)[:200]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def _cache(*arguments: str) -> str:
    return _apt("apt-cache", *arguments)
