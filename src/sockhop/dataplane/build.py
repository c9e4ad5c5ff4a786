"""Compiles the data plane: one C file to one BPF object.

This file stands alone on purpose. The build hook loads it by path before the package is installed, ``make``
runs it after a change of the C, and neither may need anything outside the standard library.

Two compilers will do: a ``clang`` that can target BPF, or the ``ziglang`` wheel, which carries one. Both were
seen to give an object that libbpf 1.1 loads, with BTF and CO-RE relocations. Apart from the compiler it
depends on the sources alone: no path of the machine that built it is left inside.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("sockhop.bpf.c")
OBJECT = SOURCE.with_suffix(".o")

#: Wanted as a build requirement where there is no clang. 0.15.1, 0.16.0 and 0.17.1 were tried.
ZIG_REQUIREMENT = "ziglang>=0.15.1,<0.18"

_VERSIONS = range(22, 13, -1)  # each was tried (20 to 22 as Zig's); a plain clang comes before them

_FLAGS = (
    "-O2",  # the verifier needs calls inlined and dead code gone
    "-g",  # BTF is made from the debug information
    "-mcpu=v3",  # 32-bit jumps and atomics; every kernel that sockhop runs on has them
    "-Wall",
    "-Wextra",
    "-Werror",
    "-nostdinc",  # the host's headers describe the host, not the BPF machine
    # Zig asks for unwind tables, and the kernel's loader has no use for an .eh_frame.
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
)


class BuildError(Exception):
    """The object could not be made. The message says why, with the compiler's own words where it ran."""


def find_clang() -> tuple[str, ...] | None:
    """Return the command of a clang that can target BPF, or None.

    ``$CLANG`` overrides the search and may carry arguments (``ccache clang``). Raises BuildError if it names
    something that cannot be run.
    """
    chosen = shlex.split(os.environ.get("CLANG", ""))
    if chosen:
        if shutil.which(chosen[0]) is None:
            raise BuildError(f"CLANG={shlex.join(chosen)}: {chosen[0]} is not a program that can be run")
        return tuple(chosen)
    for name in ("clang", *(f"clang-{version}" for version in _VERSIONS)):
        path = shutil.which(name)
        if path is not None and _targets_bpf(path):
            return (path,)
    return None


def compile_object(source: Path, output: Path) -> None:
    """Compile the BPF C file ``source`` to the object ``output``, for a kernel of this machine's byte order.

    ``output`` is replaced in one step, and only by a complete object. Raises BuildError.
    """
    source = source.resolve()
    output = output.resolve()
    if not source.is_file():
        raise BuildError(f"{source} does not exist: the source tree is incomplete")
    # Beside the output, so that the rename is atomic; a directory, so that nothing of the compiler's is left.
    with tempfile.TemporaryDirectory(prefix=".build-", dir=output.parent) as directory:
        scratch = Path(directory)
        made = scratch / output.name
        command = [
            *_compiler(),
            *_FLAGS,
            f"-ffile-prefix-map={source.parent}=.",
            "-c",
            source.name,
            "-o",
            str(made),
        ]
        _run(command, source.parent, scratch)
        # By BTF libbpf fits the object to the running kernel: one without it is not worth shipping.
        if b".BTF.ext\0" not in made.read_bytes():
            raise BuildError(f"{shlex.join(command)}\nmade no BTF: name another clang with CLANG")
        _strip(made)
        made.replace(output)


def _targets_bpf(clang: str) -> bool:
    """Whether this clang was built with the BPF back end (Apple's, for one, was not)."""
    answer = subprocess.run([clang, "--print-targets"], capture_output=True, text=True, check=False)
    return answer.returncode == 0 and "bpfel" in answer.stdout


def _compiler() -> tuple[str, ...]:
    """The command of a compiler and its target, without the flags."""
    target = "bpfel" if sys.byteorder == "little" else "bpfeb"
    clang = find_clang()
    if clang is not None:
        return (*clang, "-target", target)
    if importlib.util.find_spec("ziglang") is not None:
        return (sys.executable, "-m", "ziglang", "cc", "-target", f"{target}-freestanding-none")
    raise BuildError(
        "there is no compiler for BPF: install clang (Debian and Ubuntu: apt-get install clang) "
        f"or the Python package {ZIG_REQUIREMENT.partition('>')[0]}, or name a clang with CLANG"
    )


def _run(command: list[str], directory: Path, scratch: Path) -> None:
    """Run the compiler in ``directory``; raises BuildError with what it printed."""
    # Zig insists on a cache, and would put it in the home directory.
    cache = {"ZIG_GLOBAL_CACHE_DIR": str(scratch / "zig"), "ZIG_LOCAL_CACHE_DIR": str(scratch / "zig")}
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env=os.environ | cache,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise BuildError(f"{shlex.join(command)}\ncould not be started: {error}") from error
    if done.returncode != 0:
        said = (done.stderr + done.stdout).strip() or "(it printed nothing)"
        raise BuildError(f"{shlex.join(command)}\nfailed with status {done.returncode}:\n{said}")


def _strip(path: Path) -> None:
    """Drop DWARF, which nothing reads after BTF was made from it, where a tool for it is at hand."""
    for name in ("llvm-strip", *(f"llvm-strip-{version}" for version in _VERSIONS)):
        tool = shutil.which(name)
        if tool is None:
            continue
        smaller = path.with_suffix(".stripped")
        done = subprocess.run([tool, "-g", "-o", str(smaller), str(path)], capture_output=True, check=False)
        if done.returncode == 0:
            smaller.replace(path)
            return


def main() -> None:
    """Compile the data plane where it lies in the source tree."""
    try:
        compile_object(SOURCE, OBJECT)
    except BuildError as error:
        raise SystemExit(f"sockhop: the data plane was not built\n{error}") from error


if __name__ == "__main__":
    main()
