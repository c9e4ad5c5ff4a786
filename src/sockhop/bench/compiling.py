"""The measuring programs are C, and are compiled where they are used: a run takes them along as sources.

So a wheel fits every architecture and C library, and what was measured can be read.
"""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from sockhop.dataplane import build
from sockhop.errors import Unsupported

SOURCES = Path(__file__).with_name("native")
PROGRAMS = ("rr", "many", "stream", "connect", "idle")
FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror", "-std=gnu11")


def compile_programs(directory: Path) -> None:
    """Compile every one of PROGRAMS into ``directory``. Raises :class:`Unsupported`."""
    compiler = _compiler()
    # Zig insists on a cache, and would put it in the home directory.
    cache = str(directory / "zig")
    environment = os.environ | {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
    for name in PROGRAMS:
        command = [*compiler, *FLAGS, "-o", str(directory / name), str(SOURCES / f"{name}.c")]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode:
            said = (done.stderr + done.stdout).strip()
            raise Unsupported(
                f"the measuring program {name} could not be compiled: {shlex.join(command)}\n{said}\n"
                "Install the C library's headers (Debian and Ubuntu: apt-get install gcc libc6-dev), or name "
                "another compiler with CC"
            )


def compile_reference(name: str, directory: Path) -> Path:
    """Compile ``NAME.bpf.c`` into ``directory``, once; return the object. Raises build.BuildError."""
    made = directory / f"{name}.bpf.o"
    if not made.exists():
        build.compile_object(SOURCES / f"{name}.bpf.c", made)
    return made


def _compiler() -> tuple[str, ...]:
    """The command of a C compiler for this machine; ``$CC`` comes first, and may carry arguments."""
    chosen = shlex.split(os.environ.get("CC", ""))
    if chosen:
        if shutil.which(chosen[0]) is None:
            raise Unsupported(f"CC={shlex.join(chosen)}: {chosen[0]} is not a program that can be run")
        return tuple(chosen)
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return (name,)
    if importlib.util.find_spec("ziglang") is not None:
        return (sys.executable, "-m", "ziglang", "cc")
    raise Unsupported(
        "there is no C compiler, and the programs that measure are compiled for each run. Install one "
        "(Debian and Ubuntu: apt-get install gcc libc6-dev), or name yours with CC"
    )
