"""The build hook: compiles the BPF object, so that the wheel carries it and users need no compiler."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_DATAPLANE = Path(__file__).parent / "src" / "sockhop" / "dataplane"


def _compile_step() -> ModuleType:
    """Load the compile step by its path: the package around it is not installed yet."""
    spec = importlib.util.spec_from_file_location("_sockhop_dataplane_build", _DATAPLANE / "build.py")
    assert spec is not None  # a path that ends in .py has a spec, and that a loader
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class DataPlaneHook(BuildHookInterface[Any]):
    """Runs for wheels, ordinary and editable. A source distribution carries the C alone."""

    def dependencies(self) -> list[str]:
        """Ask for a compiler from the package index only where the machine has none."""
        build = _compile_step()
        try:
            return [] if build.find_clang() else [build.ZIG_REQUIREMENT]
        except build.BuildError as error:
            self.app.abort(f"sockhop: the data plane cannot be built\n{error}")
            raise

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 (hatchling's interface)
        """Compile before the files of the wheel are chosen."""
        build = _compile_step()
        try:
            build.compile_object(build.SOURCE, build.OBJECT)
        except build.BuildError as error:
            self.app.abort(f"sockhop: the data plane was not built\n{error}")
        # The object depends on the byte order alone, and a wheel for any platform is taken as little-endian.
        if sys.byteorder == "big":
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
