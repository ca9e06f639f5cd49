"""That the compiled wheel is one: run over it by ``make compiled``."""

from __future__ import annotations

import importlib
import os
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MODULES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["modules"]


@pytest.mark.parametrize("path", MODULES)
def test_a_module_that_is_compiled_is_there(path: str) -> None:
    assert (ROOT / path).is_file()


@pytest.mark.skipif(
    not os.environ.get("HEARTH_REQUIRE_COMPILED"), reason="these are the sources of a clone"
)
@pytest.mark.parametrize("path", MODULES)
def test_it_is_the_compiled_one_that_is_used(path: str) -> None:
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    assert str(module.__file__).endswith(".so")
