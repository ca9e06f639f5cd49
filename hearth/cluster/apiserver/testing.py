"""An API server for tests: a real one, on a free port, in a folder of its own.

::

    async with running_apiserver(tmp_path) as server:
        async with KubeClient.from_kubeconfig(server.kubeconfig) as client: ...
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hearth.cluster.apiserver.credentials import ensure_credentials
from hearth.cluster.apiserver.main import ApiServerConfig, serving
from hearth.cluster.kinds.catalog import KINDS
from hearth.cluster.model.kind import Kind
from hearth.cluster.operations.api import Api
from hearth.kube.clock import Clock, wall_clock


@dataclass(frozen=True, slots=True)
class RunningServer:
    """How to reach the server; ``api`` is its inside, for looking without HTTP."""

    kubeconfig: Path
    url: str
    token: str
    ca_cert: Path
    data_dir: Path
    api: Api


@contextlib.asynccontextmanager
async def running_apiserver(
    data_dir: Path,
    *,
    port: int = 0,
    clock: Clock = wall_clock,
    kinds: Sequence[Kind] = KINDS,
) -> AsyncIterator[RunningServer]:
    """A server inside the test's event loop; the same folder again resumes its state."""
    config = ApiServerConfig(data_dir=data_dir, port=port, kinds=kinds)
    async with serving(config, clock=clock) as api:
        used = int(api.address.rpartition(":")[2])
        credentials = ensure_credentials(data_dir, config.host, used)
        yield RunningServer(
            kubeconfig=credentials.kubeconfig_path,
            url=f"https://{api.address}",
            token=credentials.admin_token,
            ca_cert=credentials.ca_cert_path,
            data_dir=data_dir,
            api=api,
        )
