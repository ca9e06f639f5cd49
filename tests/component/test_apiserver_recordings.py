"""Recorded exchanges with a real kube-apiserver, played against ours."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from hearth.cluster.apiserver.testing import running_apiserver
from tests.recordings import REPLAY

GOAL_PERCENT = "90"


async def test_our_answers_are_the_recorded_ones(tmp_path: Path) -> None:
    async with running_apiserver(tmp_path) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(REPLAY),
            str(server.kubeconfig),
            "--min",
            GOAL_PERCENT,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()[-5000:]
