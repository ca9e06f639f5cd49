"""The containers and the pod of a revision: the user's own, made fit for serving. Pure.

There is no sidecar: the activator counts, limits and probes. So the user's readiness probe stays
on the container, and pods end when they get SIGTERM and have answered what they hold. What sends
requests elsewhere first is a native ``sleep``, which asks nothing of the image.
"""

from __future__ import annotations

from typing import Any

from hearth.kube import meta
from hearth.kube.meta import Object, copied, labels, name
from serving.api import keys, views
from serving.api.config import deployment as config
from serving.api.config.features import ENABLED
from serving.api.extraports import ports_of
from serving.api.settings import Settings

_REVISION_FIELDS = frozenset(
    {
        "containerConcurrency",
        "timeoutSeconds",
        "responseStartTimeoutSeconds",
        "idleTimeoutSeconds",
    }
)
_DEFAULT_GRACE_SECONDS = 30
"""Of a pod that does not say (core/v1)."""
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_HANDLERS = ("httpGet", "tcpSocket", "grpc")


def make_pod_spec(revision: Object, settings: Settings) -> dict[str, Any]:
    """Make the spec of the pods: the user's, made fit for serving."""
    given = revision["spec"]
    spec = {k: copied(v) for k, v in given.items() if k not in _REVISION_FIELDS}
    serving = views.Revision(revision).serving_container
    spec["containers"] = [
        _container(revision, container, serves=container is serving, settings=settings)
        for container in given.get("containers") or ()
    ]
    if given.get("timeoutSeconds") is not None:
        spec["terminationGracePeriodSeconds"] = given["timeoutSeconds"]
    _wait_before_the_end(spec, settings.pre_stop_seconds)
    links = settings.defaults.enable_service_links
    if "enableServiceLinks" not in spec and links is not None:
        spec["enableServiceLinks"] = links
    runtime_class = settings.deployment.runtime_class_name(labels(revision))
    if runtime_class is not None:
        spec.setdefault("runtimeClassName", runtime_class)
    if settings.deployment.default_affinity_type == config.AFFINITY_SPREAD:
        spec.setdefault("affinity", _spread_over_nodes(revision))
    if settings.observability.enable_var_log_collection:
        _collect_var_log(spec)
    return spec


def _wait_before_the_end(spec: dict[str, Any], seconds: int) -> None:
    """Kubernetes wants the sleep to be shorter than the grace period, of which it is a part."""
    grace = spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE_SECONDS)
    allowed = min(seconds, grace - 1)
    if allowed > 0:
        for container in spec["containers"]:
            container["lifecycle"] = {"preStop": {"sleep": {"seconds": allowed}}}


def _container(
    revision: Object, given: dict[str, Any], *, serves: bool, settings: Settings
) -> dict[str, Any]:
    container: dict[str, Any] = copied(given)
    env = list(container.get("env") or ())
    if serves:
        port = views.Revision(revision).user_port
        container["ports"] = [
            {"name": keys.USER_PORT_NAME, "containerPort": port, "protocol": "TCP"},
            *(each.container_port() for each in ports_of(meta.annotations(revision))),
        ]
        env.append({"name": "PORT", "value": str(port)})
        _point_probes(
            container, port, keep_custom=settings.features.multi_container_probing == ENABLED
        )
    container["env"] = [*env, *_environment(revision)]
    container.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    readiness = container.get("readinessProbe")
    if readiness is not None and not readiness.get("periodSeconds"):
        # The user left the period open: as often as Kubernetes can.
        readiness["periodSeconds"] = 1
    return container


def _environment(revision: Object) -> list[dict[str, str]]:
    of_revision = labels(revision)
    values = {
        "K_REVISION": name(revision),
        "K_CONFIGURATION": of_revision.get(keys.CONFIGURATION),
        "K_SERVICE": of_revision.get(keys.SERVICE),
    }
    return [
        {"name": variable, "value": value} if value else {"name": variable}
        for variable, value in values.items()
    ]


def _point_probes(container: dict[str, Any], port: int, *, keep_custom: bool) -> None:
    """Probes without a port mean the user's port; liveness may mean no other one."""
    for kind in _PROBES:
        for handler in _PROBE_HANDLERS:
            check = (container.get(kind) or {}).get(handler)
            if check is None:
                continue
            if check.get("scheme"):
                # Knative takes any case; a pod only has HTTP and HTTPS.
                check["scheme"] = check["scheme"].upper()
            rewritten = kind == "livenessProbe" and handler != "grpc" and not keep_custom
            if rewritten or not check.get("port"):
                check["port"] = port


def _spread_over_nodes(revision: Object) -> dict[str, Any]:
    selector = {"matchLabels": {keys.REVISION: name(revision)}}
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": selector}
    preference = {"weight": 100, "podAffinityTerm": term}
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [preference]}}


_VAR_LOG = "knative-var-log"


def _collect_var_log(spec: dict[str, Any]) -> None:
    """A directory for ``/var/log`` that a log collector on the node can find by pod name."""
    spec["volumes"] = [*(spec.get("volumes") or ()), {"name": _VAR_LOG, "emptyDir": {}}]
    for container in spec["containers"]:
        prefix = "$(K_INTERNAL_POD_NAMESPACE)_$(K_INTERNAL_POD_NAME)_"
        mount = {
            "name": _VAR_LOG,
            "mountPath": "/var/log",
            "subPathExpr": prefix + container.get("name", ""),
        }
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]
        container["env"] += [
            _field("K_INTERNAL_POD_NAME", "metadata.name"),
            _field("K_INTERNAL_POD_NAMESPACE", "metadata.namespace"),
        ]


def _field(variable: str, path: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"fieldRef": {"fieldPath": path}}}
