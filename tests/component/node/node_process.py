"""A node in a process of its own, to be killed: KUBECONFIG DATA_DIR PODMANS_SOCKET|RUNC."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from hearth.cluster.node.main import NodeConfig, run
from hearth.cluster.node.runtime.engine.sockets import Found


async def main() -> None:
    kubeconfig, data_dir, where = sys.argv[1:]
    engine = Found("podman", where, is_root=True)
    if Path(where).is_file():
        engine = Found("runc", command=where, is_root=True)
    config = NodeConfig(
        kubeconfig=Path(kubeconfig),
        data_dir=Path(data_dir),
        node_name="node",
        engine=engine,
        stop_grace_seconds=0.2,
        calm_seconds=0.01,
    )
    node = asyncio.create_task(run(config, lambda: None))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, node.cancel)
    await asyncio.gather(node, return_exceptions=True)


asyncio.run(main())
