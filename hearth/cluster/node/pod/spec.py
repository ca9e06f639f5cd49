"""A pod's specification as small frozen views; used by everything else in the node.

The API server has defaulted and validated the object, so fields are only read here. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from hearth.kube import meta
from hearth.kube.meta import Object

DEFAULT_PORT = 8080
"""Taken as declared by a pod that declares no port: on a shared address even such a pod must be
told where to listen, or the second of its kind would find the port taken."""

WARM = "hearth.dev/warm-interpreter"
"""The annotation by which a pod asks for a warm interpreter: ``enabled``."""


class Stage(Enum):
    """When a container runs: before all others, beside them from before, or as the pod's work."""

    INIT = "init"
    SIDECAR = "sidecar"
    MAIN = "main"


@dataclass(frozen=True, slots=True)
class Handler:
    """What a probe or a lifecycle hook does; ``kind`` is the name of the field it came from."""

    kind: str  # exec, httpGet, tcpSocket, grpc, sleep
    command: tuple[str, ...] = ()
    host: str = ""
    port: int | str = 0
    path: str = "/"
    scheme: str = "HTTP"
    headers: tuple[tuple[str, str], ...] = ()
    service: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe with Kubernetes' defaults filled in."""

    handler: Handler
    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    success_threshold: int = 1
    failure_threshold: int = 3
    grace_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Port:
    """A declared container port."""

    number: int
    name: str = ""
    protocol: str = "TCP"
    host_port: int = 0


@dataclass(frozen=True, slots=True)
class Container:
    """One container; env, mounts and resources are read in its object (``raw_container``)."""

    name: str
    image: str
    stage: Stage
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    ports: tuple[Port, ...] = ()
    pull_policy: str = "IfNotPresent"
    termination_path: str = "/dev/termination-log"
    termination_from_logs: bool = False
    startup: Probe | None = None
    liveness: Probe | None = None
    readiness: Probe | None = None
    post_start: Handler | None = None
    pre_stop: Handler | None = None


@dataclass(frozen=True, slots=True)
class PodSpec:
    """A pod as the node runs it; ``containers`` holds the init containers first."""

    namespace: str
    name: str
    uid: str
    containers: tuple[Container, ...]
    restart_policy: str = "Always"
    grace_seconds: int = 30
    active_deadline: float | None = None
    readiness_gates: tuple[str, ...] = ()
    created_at: str = ""
    is_warm: bool = False

    @property
    def full_name(self) -> str:
        """How kubelet names a pod in messages: ``name_namespace(uid)``."""
        return f"{self.name}_{self.namespace}({self.uid})"

    def of_stage(self, *stages: Stage) -> tuple[Container, ...]:
        """The containers of these stages, in their order of start."""
        return tuple(c for c in self.containers if c.stage in stages)

    def container(self, name: str) -> Container:
        """The container of that name, which there must be."""
        return next(c for c in self.containers if c.name == name)


def parse_pod(pod: Object) -> PodSpec:
    """The view of a pod object."""
    spec = pod["spec"]
    inits = [_container(c, _init_stage(c)) for c in spec.get("initContainers") or ()]
    mains = [_container(c, Stage.MAIN) for c in spec.get("containers") or ()]
    if mains and not any(c.ports for c in (*inits, *mains)):
        mains[0] = replace(mains[0], ports=(Port(DEFAULT_PORT),))
    deadline = spec.get("activeDeadlineSeconds")
    return PodSpec(
        namespace=meta.namespace(pod),
        name=meta.name(pod),
        uid=meta.uid(pod),
        containers=(*inits, *mains),
        restart_policy=spec.get("restartPolicy") or "Always",
        grace_seconds=_int(spec.get("terminationGracePeriodSeconds"), 30),
        active_deadline=None if deadline is None else float(deadline),
        readiness_gates=tuple(g["conditionType"] for g in spec.get("readinessGates") or ()),
        created_at=str(meta.metadata(pod).get("creationTimestamp", "")),
        is_warm=is_warm(pod),
    )


def raw_container(pod: Object, name: str) -> Mapping[str, Any]:
    """The container of that name, which there must be, as the pod's object has it."""
    spec = pod["spec"]
    containers = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    return next(raw for raw in containers if raw["name"] == name)


def is_warm(pod: Object) -> bool:
    """Whether a pod asks for a warm interpreter."""
    return meta.annotations(pod).get(WARM) == "enabled"


def _init_stage(container: Mapping[str, Any]) -> Stage:
    return Stage.SIDECAR if container.get("restartPolicy") == "Always" else Stage.INIT


def _container(raw: Mapping[str, Any], stage: Stage) -> Container:
    lifecycle = raw.get("lifecycle") or {}
    return Container(
        name=raw["name"],
        image=raw.get("image") or "",
        stage=stage,
        command=tuple(raw.get("command") or ()),
        args=tuple(raw.get("args") or ()),
        working_dir=raw.get("workingDir") or "",
        ports=tuple(_port(p) for p in raw.get("ports") or ()),
        pull_policy=raw.get("imagePullPolicy") or "IfNotPresent",
        termination_path=raw.get("terminationMessagePath") or "/dev/termination-log",
        termination_from_logs=raw.get("terminationMessagePolicy") == "FallbackToLogsOnError",
        startup=_probe(raw.get("startupProbe")),
        liveness=_probe(raw.get("livenessProbe")),
        readiness=_probe(raw.get("readinessProbe")),
        post_start=parse_handler(lifecycle.get("postStart")),
        pre_stop=parse_handler(lifecycle.get("preStop")),
    )


def _port(raw: Mapping[str, Any]) -> Port:
    return Port(
        number=int(raw["containerPort"]),
        name=raw.get("name") or "",
        protocol=raw.get("protocol") or "TCP",
        host_port=int(raw.get("hostPort") or 0),
    )


def _probe(raw: Mapping[str, Any] | None) -> Probe | None:
    handler = parse_handler(raw)
    if raw is None or handler is None:
        return None
    return Probe(
        handler=handler,
        initial_delay=float(raw.get("initialDelaySeconds") or 0),
        period=float(raw.get("periodSeconds") or 10),
        timeout=float(raw.get("timeoutSeconds") or 1),
        success_threshold=_int(raw.get("successThreshold"), 1),
        failure_threshold=_int(raw.get("failureThreshold"), 3),
        grace_seconds=raw.get("terminationGracePeriodSeconds"),
    )


def parse_handler(raw: Mapping[str, Any] | None) -> Handler | None:
    """The action of a probe or hook, or None when there is none (or an unknown one)."""
    for kind in ("exec", "httpGet", "tcpSocket", "grpc", "sleep"):
        body = (raw or {}).get(kind)
        if body is not None:
            return Handler(
                kind=kind,
                command=tuple(body.get("command") or ()),
                host=body.get("host") or "",
                port=body.get("port") or 0,
                path=body.get("path") or "/",
                scheme=(body.get("scheme") or "HTTP").upper(),
                headers=tuple(
                    (h["name"], h.get("value", "")) for h in body.get("httpHeaders") or ()
                ),
                service=body.get("service") or "",
                seconds=float(body.get("seconds") or 0),
            )
    return None


def _int(value: Any, default: int) -> int:
    return default if value is None else int(value)
