"""Defaults of pod specs, in pods and in the templates of workloads. Pure.

Follows ``pkg/apis/core/v1/defaults.go``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hearth.cluster.model.kind import Object
from hearth.kube.quantity import Quantity, parse_quantity

_FILE_MODE = 0o644
_HOUR = 3600


def default_pod_spec(spec: Object) -> None:
    """What every pod spec gets, wherever it stands."""
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("securityContext", {})
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("schedulerName", "default-scheduler")
    _default_account(spec)
    for container in containers_of(spec):
        _default_container(container)
    for volume in spec.get("volumes") or ():
        _default_volume(volume)


def containers_of(spec: Object) -> Iterator[Object]:
    """All containers of a pod spec, in the order in which defaults are set."""
    for key in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(key) or ()


def _default_account(spec: Object) -> None:
    """``serviceAccount`` is the old name of ``serviceAccountName``; both are always written."""
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account


def _default_container(container: Object) -> None:
    image = container.get("image", "")
    container.setdefault("imagePullPolicy", pull_policy(image))
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for variable in container.get("env") or ():
        _default_value_source(variable.get("valueFrom"))
    for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
        if (probe := container.get(kind)) is not None:
            _default_probe(probe)
    for handler in (container.get("lifecycle") or {}).values():
        if isinstance(handler, dict):
            _default_http(handler.get("httpGet"))
    resources = container.get("resources") or {}
    for kind in ("limits", "requests"):
        _round_up(resources.get(kind))


def pull_policy(image: str) -> str:
    """``latest``, said or implied, is pulled each time."""
    if "@" in image:
        return "IfNotPresent"
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def _round_up(amounts: dict[str, Any] | None) -> None:
    """Resource amounts are kept to thousandths."""
    for name, text in (amounts or {}).items():
        try:
            quantity = parse_quantity(text)
        except ValueError:
            continue
        if quantity.amount * 1000 % 1:
            rounded = (quantity.amount * 1000).to_integral_value(rounding="ROUND_CEILING") / 1000
            assert amounts is not None
            amounts[name] = str(Quantity(rounded, quantity.family))


def _default_value_source(source: Object | None) -> None:
    if source and (reference := source.get("fieldRef")):
        reference.setdefault("apiVersion", "v1")
    if source and (reference := source.get("fileKeyRef")):
        reference.setdefault("optional", False)


def _default_probe(probe: Object) -> None:
    probe.setdefault("timeoutSeconds", 1)
    probe.setdefault("periodSeconds", 10)
    probe.setdefault("successThreshold", 1)
    probe.setdefault("failureThreshold", 3)
    _default_http(probe.get("httpGet"))
    if (grpc := probe.get("grpc")) is not None and grpc.get("service") is None:
        grpc["service"] = ""


def _default_http(action: Object | None) -> None:
    if action is not None:
        action.setdefault("path", "/")
        action.setdefault("scheme", "HTTP")


def _default_volume(volume: Object) -> None:
    sources = [key for key in volume if key != "name"]
    if not sources:
        volume["emptyDir"] = {}
    for kind in ("secret", "configMap", "downwardAPI", "projected"):
        if (source := volume.get(kind)) is not None:
            source.setdefault("defaultMode", _FILE_MODE)
    if (source := volume.get("hostPath")) is not None:
        source.setdefault("type", "")
    if (source := volume.get("image")) is not None:
        source.setdefault("pullPolicy", pull_policy(source.get("reference", "")))
    _default_downward(volume.get("downwardAPI"))
    for source in (volume.get("projected") or {}).get("sources") or ():
        _default_downward(source.get("downwardAPI"))
        if (token := source.get("serviceAccountToken")) is not None:
            token.setdefault("expirationSeconds", _HOUR)
    claim = ((volume.get("ephemeral") or {}).get("volumeClaimTemplate") or {}).get("spec")
    if claim is not None:
        claim.setdefault("volumeMode", "Filesystem")


def _default_downward(source: Object | None) -> None:
    for item in (source or {}).get("items") or ():
        if (reference := item.get("fieldRef")) is not None:
            reference.setdefault("apiVersion", "v1")


def default_pod(spec: Object) -> None:
    """What pods get beyond their templates."""
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        resources = container.get("resources") or {}
        if limits := resources.get("limits"):
            requests = resources.setdefault("requests", {})
            for name, amount in limits.items():
                requests.setdefault(name, amount)
        if spec.get("hostNetwork"):
            for port in container.get("ports") or ():
                port.setdefault("hostPort", port.get("containerPort", 0))
    spec.setdefault("enableServiceLinks", True)
