"""Containers made ahead of their pods: of which pods, and what the next pod will ask for. Pure.

A container is made ready when the last pod of a sleeping workload has gone. Its successor differs
in name, uid, address and folder; all else is the same, or the container is not used
(``ContainerPlan.key``).
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.runtime.api import ContainerFiles, StartRequest
from hearth.cluster.node.runtime.containers.plan import ContainerPlan, hostname_of
from hearth.kube import meta
from hearth.kube.meta import Object

MOST = 32
"""Containers that wait at a time; the oldest gives way."""
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes makes the end of a pod's name of."""


def owner_of(pod: Object) -> str:
    """The uid of the ReplicaSet that a pod belongs to; empty for none."""
    owner = meta.controller_of(pod)
    return str(owner["uid"]) if owner is not None and owner["kind"] == "ReplicaSet" else ""


def can_be_ahead(request: StartRequest, plan: ContainerPlan) -> bool:
    """Pods of one container, whose files are those that every pod has.

    What is in volumes of the pod's own folder is written for one pod, and is not there before it.
    """
    spec = request.facts.pod["spec"]
    own = request.volumes.pod / "volumes"
    return (
        bool(owner_of(request.facts.pod))
        and len(spec["containers"]) == 1
        and not spec.get("initContainers")
        and not spec.get("hostname")
        and not (plan.stdin or plan.tty)
        and not any(mount.source.is_relative_to(own) for mount in plan.mounts)
    )


def next_name(pod: Object, random: bytes) -> str:
    """A name as the API server would give the next pod; ``random`` are five bytes."""
    stem = meta.metadata(pod).get("generateName") or f"{meta.name(pod).rpartition('-')[0]}-"
    return stem + "".join(_SUFFIX[byte % len(_SUFFIX)] for byte in random)


def successor(
    request: StartRequest, name: str, *, network: PodNetwork, folder: Path
) -> StartRequest:
    """What the first start of the next pod will ask for, with files in a folder of its own."""
    pod: dict[str, Any] = {
        **request.facts.pod,
        "metadata": {**meta.metadata(request.facts.pod), "name": name, "uid": folder.name},
    }
    files = folder / request.container.name
    dns = request.dns
    return replace(
        request,
        restarts=0,
        network=network,
        facts=replace(request.facts, pod=pod, pod_ip=network.ip),
        volumes=replace(request.volumes, pod=folder),
        files=ContainerFiles(files, files / "0.log", files / "termination-log"),
        dns=replace(
            dns,
            hosts=dns.hosts and folder / dns.hosts.name,
            resolv_conf=dns.resolv_conf and folder / dns.resolv_conf.name,
        ),
    )


def successors_hosts(text: str, before: StartRequest, after: StartRequest) -> str:
    """``/etc/hosts`` of a pod as it is for its successor: another address, another name."""
    for old, new in (
        (before.network.ip, after.network.ip),
        (hostname_of(before.facts.pod), hostname_of(after.facts.pod)),
    ):
        text = re.sub(rf"(?<![\w.-]){re.escape(old)}(?![\w.-])", new, text)
    return text
