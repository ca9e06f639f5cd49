"""Containers by a Docker of its own, against the same static program as a process."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

from tests.bench.containers import IMAGE, add_process, measure, short_rows
from tests.bench.hearth import RunningHearth
from tests.bench.rows import Row
from tests.component.node import engines
from tests.images import static_image


def rows() -> list[Row]:
    """Skipped, and said, where there is no Docker or no root."""
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        print("skipped, containers by Docker take root and dockerd", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory() as made:
        own = Path(made) / "docker"
        own.mkdir()
        with engines.docker(own) as docker:
            docker.load(static_image(Path(made)), IMAGE)
            os.environ["DOCKER_HOST"] = f"unix://{docker.socket}"
            with RunningHearth("--runtime", "docker") as hearth:
                add_process(hearth, Path(made))
                short = partial(short_rows, by="Docker", wake=150, has_monitor=True)
                return asyncio.run(measure(hearth, short))
