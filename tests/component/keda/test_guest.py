"""On one machine KEDA's kinds are there from the start, and cost little before they are used."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from eventing import main as eventing
from hearth.cli.components import keda_guest
from hearth.cluster.apiserver.testing import running_apiserver
from hearth.keda.api import keys
from hearth.kube.client import KubeClient
from hearth.kube.errors import Forbidden

LOOK = """
import sys
from hearth.cli.components import keda_guest
keda_guest()
print(*sorted(name for name in sys.modules if name.startswith("hearth.keda")))
"""


async def test_control_serves_what_keda_asks_about(tmp_path: Path) -> None:
    ready = asyncio.Event()
    async with running_apiserver(tmp_path) as server:
        config = eventing.EventingConfig(
            server.kubeconfig, broker_url="http://127.0.0.1:9", guests=[keda_guest()]
        )
        control = asyncio.create_task(eventing.run(config, ready.set), name="control")
        try:
            await ready.wait()
            obj = {
                "apiVersion": "keda.sh/v1alpha1",
                "kind": "ScaledObject",
                "metadata": {"name": "web", "namespace": "default"},
                "spec": {
                    "scaleTargetRef": {"name": "web"},
                    "triggers": [{"type": "pigeon", "metadata": {}}],
                },
            }
            async with KubeClient.from_kubeconfig(server.kubeconfig, user_agent="test") as client:
                with pytest.raises(Forbidden, match="no scaler found for type: pigeon"):
                    await client.create(keys.SCALEDOBJECTS, obj)
        finally:
            control.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await control


def test_no_model_is_imported_for_it() -> None:
    found = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert found.stdout.split() == [
        "hearth.keda",
        "hearth.keda.admission",
        "hearth.keda.admission.webhooks",
        "hearth.keda.api",
        "hearth.keda.api.keys",
        "hearth.keda.install",
    ]
