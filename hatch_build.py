"""The wheel's build hook: compiles the modules of the hot paths with mypyc, from their own source.

A wheel then has each of them twice, as source and as an extension module, which Python prefers.
Where there is no C compiler, or compiling fails, it is the pure wheel: only speed is missing.
``HEARTH_COMPILE=0`` asks for the pure one, ``HEARTH_COMPILE=1`` makes a failure an error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_WANTED = os.environ.get("HEARTH_COMPILE", "")
_NEEDS = ["mypy==2.4.1", "setuptools>=65"]
# What is imported and not there at build time counts as untyped; nothing else is looked at anew:
# `make typecheck` has done so, strictly.
_OPTIONS = ["--config-file=", "--ignore-missing-imports", "--explicit-package-bases"]
_SETUP = """\
import sys
from setuptools import setup
from mypyc.build import mypycify
setup(
    name="compiled",
    packages=[],
    py_modules=[],
    script_args=["--quiet", "build_ext", "--inplace"],
    ext_modules=mypycify(sys.argv[1:], opt_level="2", debug_level="0", group_name="hearth"),
)
"""


class CompileHook(BuildHookInterface[Any]):
    """``modules`` in its settings are the files that are compiled, all into one library."""

    def dependencies(self) -> list[str]:
        """What compiling needs, where it will be tried."""
        return _NEEDS if _can_compile() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add extension modules to a wheel; an editable one stays as it is."""
        if version == "editable" or not _can_compile():
            return
        self._folder = tempfile.TemporaryDirectory()
        built = Path(self._folder.name)
        packages = self.build_config.packages
        for package in packages:
            sources = shutil.ignore_patterns("__pycache__", "*.so")
            shutil.copytree(Path(self.root, package), built / package, ignore=sources)
        (built / "setup.py").write_text(_SETUP)
        done = subprocess.run(
            [sys.executable, "setup.py", *_OPTIONS, *self.config["modules"]],
            cwd=built,
            capture_output=True,
            text=True,
            # The copy is what is compiled, wherever this environment would find the packages.
            env={**os.environ, "MYPYPATH": str(built)},
        )
        if done.returncode:
            if _WANTED == "1":
                raise RuntimeError(f"compiling failed:\n{done.stdout}{done.stderr}")
            self.app.display_warning("compiling failed: the wheel is pure Python")
            return
        # Not those that setuptools has put aside, in ``build``.
        inside = (library for each in packages for library in (built / each).rglob("*.so"))
        for library in (*built.glob("*.so"), *inside):
            build_data["force_include"][str(library)] = str(library.relative_to(built))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Clean up."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()


def _can_compile() -> bool:
    if _WANTED == "0":
        return False
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    has_headers = Path(sysconfig.get_path("include"), "Python.h").exists()
    return _WANTED == "1" or (has_headers and shutil.which(compiler) is not None)
