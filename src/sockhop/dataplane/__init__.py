"""The data plane: C, compiled to one BPF object when the package is built."""

from importlib import resources
from pathlib import Path


def object_path() -> Path:
    """Return where the compiled object belongs (it may be missing)."""
    return Path(str(resources.files(__name__) / "sockhop.bpf.o"))
