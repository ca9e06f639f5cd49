"""What Docker and Podman say alike, each under a path of its own."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

from hearth.cluster.node.runtime.engine.client import EngineClient, EngineError
from hearth.cluster.node.runtime.engine.seam import State
from hearth.cluster.node.runtime.engine.times import seconds_of

_ENDED = ("exited", "dead", "stopped")


class Calls:
    """The part of ``Dialect`` that is the same for all."""

    api: str
    client: EngineClient

    async def start(self, container: str) -> None:
        """304: it runs already."""
        await self.client.call("POST", f"{self.api}/containers/{container}/start", ok=(304,))

    async def inspect(self, container: str) -> State | None:
        """None for 404."""
        try:
            data = await self.client.call("GET", f"{self.api}/containers/{container}/json")
        except EngineError as error:
            if error.status == 404:
                return None
            raise
        state = data["State"]
        return State(
            container=data["Id"],
            pid=state["Pid"],
            code=state["ExitCode"] if state["Status"] in _ENDED else None,
            started_at=seconds_of(state["StartedAt"]),
            is_out_of_memory=bool(state.get("OOMKilled")),
            labels=data["Config"].get("Labels") or {},
            stop_signal=_signal_name(data["Config"].get("StopSignal")),
            tty=bool(data["Config"].get("Tty")),
            joins=_joined(data.get("HostConfig") or {}),
        )


def _joined(host: Mapping[str, Any]) -> str:
    mode, _, other = str(host.get("NetworkMode") or "").partition(":")
    return other if mode == "container" else ""


def _signal_name(given: Any) -> str:
    """Podman 4 tells a number, others a name."""
    try:
        return signal.Signals(int(given or signal.SIGTERM)).name
    except ValueError:
        return str(given)
