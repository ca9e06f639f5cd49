"""A node in a process of its own, to be killed: KUBECONFIG DATA_DIR SOCKET."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from hearth.cluster.node.main import NodeConfig, run
from hearth.cluster.node.runtime.engine.sockets import Found


async def main() -> None:
    kubeconfig, data_dir, socket = sys.argv[1:]
    config = NodeConfig(
        kubeconfig=Path(kubeconfig),
        data_dir=Path(data_dir),
        node_name="node",
        engine=Found("podman", socket, is_root=True),
        stop_grace_seconds=0.2,
    )
    node = asyncio.create_task(run(config, lambda: None))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, node.cancel)
    await asyncio.gather(node, return_exceptions=True)


asyncio.run(main())
