"""Podman, by its own API: it can make a container ready ahead and writes logs as we keep them."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hearth.cluster.node.runtime.containers.limits import CPU_PERIOD
from hearth.cluster.node.runtime.containers.plan import ContainerPlan
from hearth.cluster.node.runtime.engine.calls import Calls
from hearth.cluster.node.runtime.engine.client import EngineClient
from hearth.cluster.node.runtime.engine.rlimits import missing_rlimits
from hearth.cluster.node.runtime.engine.seam import Making
from hearth.cluster.node.runtime.logs import FILE_LIMIT

_API = "/v4.0.0/libpod"
SLIRP_GATEWAY = "10.0.2.2"
"""The machine's loopback address, as containers of a rootless Podman see it."""
_SLIRP = {
    "netns": {"nsmode": "slirp4netns"},
    "network_options": {"slirp4netns": ["allow_host_loopback=true"]},
}


class Podman(Calls):
    """``Dialect`` of Podman 4 and later."""

    api = _API
    scheme = "podman"
    can_init = True
    writes_log = True

    def __init__(self, client: EngineClient, version: str) -> None:
        self.client = client
        self.version = version
        self._rlimits: list[dict[str, Any]] | None = None

    async def create(self, making: Making) -> str:
        """POST /containers/create with a specification of Podman's own."""
        if self._rlimits is None:
            self._rlimits = [
                {"type": name, "soft": limit, "hard": limit}
                for name, limit in missing_rlimits(self.client.socket_path).items()
            ]
        body = make_specification(making, self._rlimits)
        if "netns" not in body and self.has_slirp:
            body |= _SLIRP
        answer = await self.client.call("POST", f"{_API}/containers/create", body=body)
        return str(answer["Id"])

    @property
    def has_slirp(self) -> bool:
        """Podman 5 makes its networks by pasta."""
        return self.version.partition(".")[0] == "4"

    async def init(self, container: str) -> None:
        """The step that Docker does not have."""
        await self.client.call("POST", f"{_API}/containers/{container}/init", ok=(304,))

    async def wait(self, container: str) -> None:
        """Podman looks every so often; only where its processes cannot be watched."""
        path = f"{_API}/containers/{container}/wait?condition=stopped&condition=exited"
        await self.client.call("POST", path, ok=(404,), timeout=None)

    async def kill(self, container: str, signal: str) -> None:
        """409: it does not run."""
        path = f"{_API}/containers/{container}/kill"
        await self.client.call("POST", path, {"signal": signal}, ok=(404, 409, 500))

    async def remove(self, container: str) -> None:
        """By force and without patience."""
        query = {"force": True, "timeout": 0, "v": True, "ignore": True}
        await self.client.call("DELETE", f"{_API}/containers/{container}", query, ok=(404,))

    async def find(self, label: str) -> Sequence[str]:
        """Ids, those being made included."""
        query = {"all": True, "filters": {"label": [label]}}
        found = await self.client.call("GET", f"{_API}/containers/json", query)
        return [entry["Id"] for entry in found or ()]


def make_specification(making: Making, rlimits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Podman's SpecGenerator for a container. Pure."""
    plan, security = making.plan, making.plan.security
    specification: dict[str, Any] = {
        "name": making.name,
        "image": making.image,
        "entrypoint": list(plan.args[:1]),
        "command": list(plan.args[1:]),
        "env": dict(plan.env),
        "work_dir": plan.cwd,
        "hostname": plan.hostname,
        "labels": dict(making.labels),
        "terminal": plan.tty,
        "stdin": plan.stdin,
        "stop_signal": _signal_number(plan.stop_signal),
        "systemd": "false",
        "healthconfig": {"Test": ["NONE"]},
        "image_volume_mode": "anonymous",
        "log_configuration": {
            "driver": "k8s-file",
            "path": str(making.log),
            "size": FILE_LIMIT,
        },
        "mounts": [_mount(m.source, m.target, read_only=m.read_only) for m in plan.mounts],
        "resource_limits": _resources(plan),
        "user": security.user,
        "groups": [str(group) for group in security.groups],
        "cap_add": list(security.add_capabilities),
        "cap_drop": list(security.drop_capabilities),
        "privileged": security.privileged,
        "no_new_privileges": security.no_new_privileges,
        "read_only_filesystem": security.read_only_root,
        "r_limits": list(rlimits),
        **_network(making),
    }
    if security.unconfined:
        specification["seccomp_profile_path"] = "unconfined"
    return {name: value for name, value in specification.items() if value not in ("", [], None)}


def _network(making: Making) -> dict[str, Any]:
    if making.joins:
        return {"netns": {"nsmode": "container", "value": making.joins}}
    if making.namespace is not None:
        return {"netns": {"nsmode": "path", "value": str(making.namespace)}}
    published = [
        {"host_ip": "127.0.0.1", "host_port": real, "container_port": number, "protocol": "tcp"}
        for number, real in making.ports.items()
    ]
    return {"portmappings": published}


def _mount(source: Path, target: str, *, read_only: bool) -> dict[str, Any]:
    options = ["rbind", "rprivate", "ro" if read_only else "rw"]
    return {"type": "bind", "source": str(source), "destination": target, "options": options}


def _resources(plan: ContainerPlan) -> dict[str, Any]:
    limits = plan.limits
    cpu: dict[str, int] = {"shares": limits.cpu_shares}
    if limits.cpu_quota:
        cpu |= {"quota": limits.cpu_quota, "period": CPU_PERIOD}
    made: dict[str, Any] = {"cpu": cpu, "pids": {"limit": limits.pids}}
    if limits.memory:
        made["memory"] = {"limit": limits.memory, "swap": limits.memory}
    return made


def _signal_number(name: str) -> int:
    """The number of a name with or without SIG, or of a number; SIGTERM for what is none."""
    if name.isascii() and name.isdigit() and len(name) <= 3:
        return int(name)
    try:
        return signal.Signals["SIG" + name.upper().removeprefix("SIG")].value
    except KeyError:
        return signal.SIGTERM.value
