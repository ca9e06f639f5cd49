"""Recorded exchanges with a real kube-apiserver, played against ours."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from hearth.cluster.apiserver.testing import running_apiserver

REPLAY = Path(__file__).resolve().parents[3] / "shared" / "kubernetes-golden" / "replay.py"
GOAL_PERCENT = "90"


@pytest.mark.skipif(not REPLAY.exists(), reason="the recordings are not beside this repository")
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
