"""The Node object and its Lease, as kubelet would write them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hearth.kube.clock import rfc3339, rfc3339_micro
from hearth.kube.meta import Object

LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40
RENEW_SECONDS = 10.0
MAX_PODS = 1000


@dataclass(frozen=True, slots=True)
class Machine:
    """What the node says about the machine it runs on."""

    cpus: int
    memory_bytes: int
    disk_bytes: int
    architecture: str
    kernel: str
    os_image: str
    machine_id: str = ""
    boot_id: str = ""
    version: str = "v1.36.0+hearth"
    runtime: str = ""
    """Scheme and version of what runs the containers."""


_GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


def go_architecture(machine: str) -> str:
    """Go's name of an architecture, given the kernel's."""
    return _GO_ARCHITECTURES.get(machine, machine)


def make_labels(name: str, machine: Machine) -> dict[str, str]:
    """The labels that kubelet puts on its node."""
    return {
        "beta.kubernetes.io/arch": machine.architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine.architecture,
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
    }


def make_node(name: str, machine: Machine) -> Object:
    """The Node to create; its status is written apart."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": make_labels(name, machine)},
        "spec": {},
    }


def capacity(machine: Machine) -> dict[str, str]:
    """What the machine has, as quantities."""
    return {
        "cpu": str(machine.cpus),
        "ephemeral-storage": f"{machine.disk_bytes // 1024}Ki",
        "memory": f"{machine.memory_bytes // 1024}Ki",
        "pods": str(MAX_PODS),
    }


def make_status(
    name: str, machine: Machine, previous: Mapping[str, Any], *, now: float
) -> dict[str, Any]:
    """The node's status; transition times are kept."""
    before = {c["type"]: c for c in previous.get("conditions") or ()}
    return {
        "addresses": [
            {"type": "InternalIP", "address": "127.0.0.1"},
            {"type": "Hostname", "address": name},
        ],
        "allocatable": capacity(machine),
        "capacity": capacity(machine),
        "conditions": [
            _condition("MemoryPressure", before, now, facts=_NO_MEMORY_PRESSURE),
            _condition("DiskPressure", before, now, facts=_NO_DISK_PRESSURE),
            _condition("PIDPressure", before, now, facts=_NO_PID_PRESSURE),
            _condition("Ready", before, now, facts=_READY),
        ],
        "nodeInfo": {
            "architecture": machine.architecture,
            "bootID": machine.boot_id,
            "containerRuntimeVersion": machine.runtime,
            "kernelVersion": machine.kernel,
            "kubeProxyVersion": "",
            "kubeletVersion": machine.version,
            "machineID": machine.machine_id,
            "operatingSystem": "linux",
            "osImage": machine.os_image,
            "systemUUID": machine.machine_id,
        },
    }


_NO_MEMORY_PRESSURE = (
    "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available",
)  # fmt: skip
_NO_DISK_PRESSURE = ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure")
_NO_PID_PRESSURE = ("False", "KubeletHasSufficientPID", "kubelet has sufficient PID available")
_READY = ("True", "KubeletReady", "hearth is posting ready status")


def _condition(
    kind: str, before: Mapping[str, Any], now: float, *, facts: tuple[str, str, str]
) -> dict[str, Any]:
    status, reason, message = facts
    known = before.get(kind)
    since = known["lastTransitionTime"] if known and known["status"] == status else rfc3339(now)
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastHeartbeatTime": rfc3339(now),
        "lastTransitionTime": since,
    }


def make_lease(name: str, *, now: float) -> Object:
    """The Lease that says the node lived at ``now``."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": LEASE_NAMESPACE},
        "spec": {
            "holderIdentity": name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": rfc3339_micro(now),
        },
    }
