"""Finds the runtimes to test: every ``*_runtime.py`` beside this file defines one ``Harness``.

A harness makes runtimes over one machine (``runtime()`` again is the node after its restart), and
says how the programs of the suite are written for it.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

import pytest

from hearth.cluster.node.runtime.api import Runtime


class Harness(Protocol):
    """What a runtime brings to be tested."""

    def __init__(self, data_dir: Path) -> None: ...

    image: str
    """A name of an image that is there."""

    def runtime(self) -> Runtime:
        """A runtime that knows nothing but what lies on the machine."""

    def program(self, *words: str) -> list[str]:
        """The command for one of: exit CODE, print TEXT, warn TEXT (to stderr), show VARIABLE,

        cat (its input), size (of its terminal, once there is one: ROWS COLUMNS), serve (HTTP on the
        declared port 8080), forever, deaf (both say so), missing.
        """

    def add_image(self, name: str) -> None:
        """An image comes to the machine."""

    def is_running(self, handle: str) -> bool:
        """Whether that instance runs, seen from outside."""


def _load(path: Path) -> type[Harness]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    harness: type[Harness] = module.Harness
    return harness


_FOLDER = Path(__file__).parent
RUNTIMES = sorted(_FOLDER.glob("*_runtime.py"))


@pytest.fixture(
    scope="session", params=RUNTIMES, ids=lambda path: path.stem.removesuffix("_runtime")
)
def harness_kind(request: pytest.FixtureRequest) -> Callable[[Path], Harness]:
    """A harness gets the fixtures of the session that it ``needs``."""
    kind = _load(request.param)
    needs = [request.getfixturevalue(name) for name in getattr(kind, "needs", ())]
    return lambda folder: kind(folder, *needs)


@pytest.fixture
async def harness(
    harness_kind: Callable[[Path], Harness], tmp_path: Path
) -> AsyncIterator[Harness]:
    """Its runtimes are closed at the end, and a last one that knows of nothing clears up."""
    made = harness_kind(tmp_path)
    runtimes: list[Runtime] = []
    make = made.runtime

    def remembered() -> Runtime:
        runtimes.append(make())
        return runtimes[-1]

    made.runtime = remembered  # type: ignore[method-assign]
    yield made
    for runtime in runtimes:
        await runtime.close()
    last = make()
    await last.sweep()
    await last.close()
