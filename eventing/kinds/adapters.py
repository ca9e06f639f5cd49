"""Pods of adapters: Hearth's own image, told what to run. Pure.

The same Deployments on one machine, where the image's name stands for this installation's command,
and in clusters. What they may not be (root, writing) is what Pod Security's profile ``restricted``
asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventing.api import trust
from eventing.kinds import podcertificates
from eventing.kinds.binding import token_mount, token_volume
from eventing.kinds.placement import Placement
from hearth.kube.meta import Object
from hearth.kube.resources import DEPLOYMENTS

METRICS_PORT, HEALTH_PORT, EVENTS_PORT = 9090, 9091, 8080
EVENTS_PORT_NAME = "http"
_FIELDS = {
    "POD_NAME": "metadata.name",
    "POD_NAMESPACE": "metadata.namespace",
    "POD_IP": "status.podIP",
}
_USER = 65532
ADAPTER_LABEL = "eventing.hearth.dev/adapter"
"""On pods whose last words are asked for, with the component they run."""
_PART_OF = {"app.kubernetes.io/part-of": "hearth"}
"""What is monitored together with Hearth (``config/monitoring``)."""


@dataclass(frozen=True, slots=True)
class Adapters:
    """How adapters run here."""

    image: str = "hearth"
    host: str = "0.0.0.0"
    """The address they listen on for metrics and health."""
    in_cluster: bool = True
    """Whether they have service accounts of their own, and folders to write to."""
    placement: Placement = field(default_factory=Placement)
    """Where their pods run."""


def adapter_deployment(
    adapters: Adapters,
    *,
    metadata: Mapping[str, Any],
    component: str,
    labels: Mapping[str, str],
    account: str,
    env: Sequence[Mapping[str, Any]] = (),
    pod: Mapping[str, Any] | None = None,
    audience: str | None = None,
    dead_letter_audience: str | None = None,
    bundles: trust.Names = (),
    takes_events: bool = False,
    certificate: str = "",
    replicas: int = 1,
) -> Object:
    """Return the Deployment of an adapter: ``hearth run COMPONENT`` with some variables.

    With an ``audience`` it finds a token of its account that is meant for it (another one for the
    dead letter sink's), with ``bundles`` (names of ConfigMaps) authorities to trust, and with
    ``certificate`` (a Secret) its own.
    """
    spec = adapter_pod(
        adapters,
        component=component,
        account=account,
        env=env,
        pod=pod,
        audience=audience,
        dead_letter_audience=dead_letter_audience,
        bundles=bundles,
        takes_events=takes_events,
        certificate=certificate,
    )
    return {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "metadata": {**metadata, "labels": dict(labels)},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": dict(labels)},
            "template": {
                "metadata": {"labels": {**labels, **_PART_OF, ADAPTER_LABEL: component}},
                "spec": spec,
            },
        },
    }


def adapter_pod(
    adapters: Adapters,
    *,
    component: str,
    account: str,
    env: Sequence[Mapping[str, Any]] = (),
    pod: Mapping[str, Any] | None = None,
    audience: str | None = None,
    dead_letter_audience: str | None = None,
    bundles: trust.Names = (),
    takes_events: bool = False,
    certificate: str = "",
) -> dict[str, Any]:
    """Return the spec of an adapter's pod; what ``pod`` says counts before what is usual."""
    shows_tokens = audience is not None or dead_letter_audience is not None
    spec = {
        **({"serviceAccountName": account} if adapters.in_cluster and account else {}),
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **adapters.placement.pod,
        **(pod or {}),
        "containers": [
            _container(
                adapters,
                component,
                env,
                mounts=[
                    *([token_mount()] if shows_tokens else []),
                    *([trust.mount()] if bundles else []),
                    *([podcertificates.mount()] if certificate else []),
                ],
                takes_events=takes_events,
            )
        ],
    }
    volumes = (
        [{"name": "scratch", "emptyDir": {"sizeLimit": "64Mi"}}] if adapters.in_cluster else []
    )
    volumes += [token_volume(audience, dead_letter_audience)] if shows_tokens else []
    volumes += [trust.volume(bundles, optional=True)] if bundles else []
    volumes += [podcertificates.volume(certificate)] if certificate else []
    if volumes:
        spec["volumes"] = volumes
    return spec


def _container(
    adapters: Adapters,
    component: str,
    env: Sequence[Mapping[str, Any]],
    *,
    mounts: Sequence[Mapping[str, Any]],
    takes_events: bool,
) -> dict[str, Any]:
    where = [
        {"name": variable, "valueFrom": {"fieldRef": {"fieldPath": field}}}
        for variable, field in _FIELDS.items()
    ]
    if adapters.in_cluster:
        mounts = [{"name": "scratch", "mountPath": "/tmp"}, *mounts]
    events = [{"name": EVENTS_PORT_NAME, "containerPort": EVENTS_PORT}] if takes_events else []
    return {
        "name": component,
        "image": adapters.image,
        "imagePullPolicy": adapters.placement.pull_policy,
        "args": ["run", component],
        "env": [*where, {"name": "HEARTH_HOST", "value": adapters.host}, *map(dict, env)],
        "ports": [
            {"name": "metrics", "containerPort": METRICS_PORT},
            {"name": "health", "containerPort": HEALTH_PORT},
            *events,
        ],
        # What it says when it cannot go on is for the condition of who asked for it.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "startupProbe": _probe("/healthz", periodSeconds=1, failureThreshold=60),
        "livenessProbe": _probe("/healthz", periodSeconds=10, timeoutSeconds=5, failureThreshold=6),
        "readinessProbe": _probe("/readyz", periodSeconds=2, timeoutSeconds=5),
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        **({"volumeMounts": mounts} if mounts else {}),
    }


def _probe(path: str, **more: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "health"}, **more}
