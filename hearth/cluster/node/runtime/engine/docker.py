"""Docker, by its API: a container that waits is made and not started, and logs are fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hearth.cluster.node.runtime.containers.limits import CPU_PERIOD
from hearth.cluster.node.runtime.engine.calls import Calls
from hearth.cluster.node.runtime.engine.client import EngineClient
from hearth.cluster.node.runtime.engine.rlimits import missing_rlimits
from hearth.cluster.node.runtime.engine.seam import Making

_API = "/v1.41"


class Docker(Calls):
    """``Dialect`` of Docker 20.10 and later."""

    api = _API
    scheme = "docker"
    can_init = False
    writes_log = False

    def __init__(self, client: EngineClient, version: str) -> None:
        self.client = client
        self.version = version
        self._rlimits: Mapping[str, int] | None = None

    async def create(self, making: Making) -> str:
        """POST /containers/create."""
        if self._rlimits is None:
            self._rlimits = missing_rlimits(self.client.socket_path)
        body = make_body(making, self._rlimits)
        path = f"{_API}/containers/create"
        return str((await self.client.call("POST", path, {"name": making.name}, body=body))["Id"])

    async def init(self, container: str) -> None:
        """Docker has no such step."""

    async def wait(self, container: str) -> None:
        """Docker tells at once."""
        path = f"{_API}/containers/{container}/wait"
        await self.client.call("POST", path, ok=(404,), timeout=None)

    async def kill(self, container: str, signal: str) -> None:
        """409: it does not run."""
        path = f"{_API}/containers/{container}/kill"
        await self.client.call("POST", path, {"signal": signal}, ok=(404, 409))

    async def remove(self, container: str) -> None:
        """By force; 409: it is being removed."""
        query = {"force": True, "v": True}
        await self.client.call("DELETE", f"{_API}/containers/{container}", query, ok=(404, 409))

    async def find(self, label: str) -> Sequence[str]:
        """Ids, in whatever state."""
        query = {"all": True, "filters": {"label": [label]}}
        found = await self.client.call("GET", f"{_API}/containers/json", query)
        return [entry["Id"] for entry in found or ()]


def make_body(making: Making, rlimits: Mapping[str, int]) -> dict[str, Any]:
    """What Docker is asked for. Pure."""
    plan, security = making.plan, making.plan.security
    return {
        "Image": making.image,
        "Entrypoint": list(plan.args[:1]),
        "Cmd": list(plan.args[1:]),
        "Env": [f"{name}={value}" for name, value in plan.env.items()],
        "WorkingDir": plan.cwd,
        "User": security.user,
        "Labels": dict(making.labels),
        "Tty": plan.tty,
        "OpenStdin": plan.stdin,
        "StdinOnce": plan.stdin_once,
        "StopSignal": plan.stop_signal,
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {**_host(making), **_host_network(making), "Ulimits": _ulimits(rlimits)},
        **_network(making),
    }


def _host(making: Making) -> dict[str, Any]:
    plan, security, limits = making.plan, making.plan.security, making.plan.limits
    options = ["no-new-privileges"] if security.no_new_privileges else []
    options += ["seccomp=unconfined"] if security.unconfined else []
    cpu = {"CpuQuota": limits.cpu_quota, "CpuPeriod": CPU_PERIOD} if limits.cpu_quota else {}
    return {
        **cpu,
        "CpuShares": limits.cpu_shares,
        "Memory": limits.memory,
        "MemorySwap": limits.memory,
        "PidsLimit": limits.pids,
        "GroupAdd": [str(group) for group in security.groups],
        "CapAdd": list(security.add_capabilities),
        "CapDrop": list(security.drop_capabilities),
        "Privileged": security.privileged,
        "ReadonlyRootfs": security.read_only_root,
        "SecurityOpt": options,
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m"}},
        "Mounts": [
            {"Type": "bind", "Source": str(m.source), "Target": m.target, "ReadOnly": m.read_only}
            for m in plan.mounts
        ],
    }


def _ulimits(rlimits: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"Name": name, "Soft": most, "Hard": most} for name, most in rlimits.items()]


def _network(making: Making) -> dict[str, Any]:
    """A container that joins another one has the host name of that."""
    if making.joins:
        return {}
    made: dict[str, Any] = {"Hostname": making.plan.hostname}
    if making.network:
        address = {"IPAMConfig": {"IPv4Address": making.ip}}
        return {**made, "NetworkingConfig": {"EndpointsConfig": {making.network: address}}}
    return {**made, "ExposedPorts": {f"{number}/tcp": {} for number in making.ports}}


def _host_network(making: Making) -> dict[str, Any]:
    if making.joins:
        return {"NetworkMode": f"container:{making.joins}"}
    if making.network:
        return {"NetworkMode": making.network}
    bindings = {
        f"{number}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(real)}]
        for number, real in making.ports.items()
    }
    return {"PortBindings": bindings}
