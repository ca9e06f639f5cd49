"""Isolation of this machine, for tests; skipped where there is none.

With ``HEARTH_REQUIRE_SERVERS=1``, as in ``.ci/run``, it fails.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hearth.cluster.node.runtime.processes.isolation.isolation import (
    CannotIsolate,
    Isolation,
    find_isolation,
)


def isolation_or_skip(name: str, data_dir: Path) -> Isolation:
    """What ``hearth up --isolate`` would use."""
    try:
        return find_isolation(name, Path.home(), data_dir)
    except CannotIsolate as error:
        if os.environ.get("HEARTH_REQUIRE_SERVERS") and shutil.which("bwrap") is None:
            pytest.fail(f"{error}, and HEARTH_REQUIRE_SERVERS is set")
        pytest.skip(str(error))
