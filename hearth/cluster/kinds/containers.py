"""Validation of the containers of pod specs. Pure; called by the pod spec's validation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hearth.cluster.kinds.environment import env_errors, env_from_errors
from hearth.cluster.kinds.probes import lifecycle_errors, probe_errors
from hearth.cluster.kinds.quantities import resources_errors
from hearth.cluster.kinds.volumes import descending_path_problems
from hearth.cluster.model import checks
from hearth.cluster.model.checks import each
from hearth.cluster.model.fielderrors import (
    FieldError,
    duplicate,
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
)
from hearth.cluster.model.kind import Object
from hearth.kube.names import dns1123_label_problems

_PROTOCOLS = ("SCTP", "TCP", "UDP")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_NOT_A_SIDECAR = "may not be set for init containers without restartPolicy=Always"
_LARGEST_INT32 = 2**31 - 1


def containers_errors(spec: Object, path: str, volumes: set[str]) -> Iterator[FieldError]:
    """Checks the containers of a pod spec; ``volumes`` are the names they may mount."""
    containers = spec.get("containers") or []
    if not containers:
        yield required(path)
        return
    names: set[str] = set()
    grace = spec.get("terminationGracePeriodSeconds")
    for i, container in enumerate(containers):
        container_path, name = f"{path}[{i}]", container.get("name", "")
        yield from _common_errors(container, container_path, volumes)
        if name in names:
            yield duplicate(f"{container_path}.name", name)
        names.add(name)
        yield from _handlers_errors(container, container_path, grace)
        if (policy := container.get("restartPolicy")) is not None:
            supported = ("Always", "OnFailure", "Never")
            yield from checks.one_of(policy, supported, f"{container_path}.restartPolicy")
    yield from _host_port_errors(containers, path)


def init_containers_errors(spec: Object, path: str, volumes: set[str]) -> Iterator[FieldError]:
    """Checks the init containers, sidecars (``restartPolicy: Always``) included."""
    names = {container.get("name", "") for container in spec.get("containers") or ()}
    grace = spec.get("terminationGracePeriodSeconds")
    for i, container in enumerate(spec.get("initContainers") or ()):
        container_path, name = f"{path}[{i}]", container.get("name", "")
        yield from _common_errors(container, container_path, volumes)
        policy = container.get("restartPolicy")
        if policy is not None:
            supported = ("Always", "OnFailure", "Never")
            yield from checks.one_of(policy, supported, f"{container_path}.restartPolicy")
        if name in names:
            yield duplicate(f"{container_path}.name", name)
        elif name:
            names.add(name)
        yield from _host_port_errors([container], path)
        if policy == "Always":
            yield from _handlers_errors(container, container_path, grace)
            continue
        for key in ("lifecycle", *_PROBES):
            if container.get(key) is not None:
                yield forbidden(f"{container_path}.{key}", _NOT_A_SIDECAR)


_EPHEMERAL_FORBIDDEN = ("ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle")


def ephemeral_containers_errors(spec: Object, path: str, volumes: set[str]) -> Iterator[FieldError]:
    """Checks ephemeral containers: they have no ports, probes or resources."""
    others = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    names = {container.get("name", "") for container in others}
    for i, container in enumerate(spec.get("ephemeralContainers") or ()):
        container_path, name = f"{path}[{i}]", container.get("name", "")
        yield from _common_errors(container, container_path, volumes)
        if name in names:
            yield duplicate(f"{container_path}.name", name)
        names.add(name)
        for key in _EPHEMERAL_FORBIDDEN:
            if container.get(key):
                detail = "cannot be set for an Ephemeral Container"
                yield forbidden(f"{container_path}.{key}", detail)


def _handlers_errors(container: Object, path: str, grace: int | None) -> Iterator[FieldError]:
    if (lifecycle := container.get("lifecycle")) is not None:
        yield from lifecycle_errors(lifecycle, f"{path}.lifecycle", grace)
    for kind in _PROBES:
        if (probe := container.get(kind)) is not None:
            yield from probe_errors(probe, f"{path}.{kind}", kind=kind)


def _common_errors(container: Object, path: str, volumes: set[str]) -> Iterator[FieldError]:
    name = container.get("name", "")
    if not name:
        yield required(f"{path}.name")
    else:
        yield from each(f"{path}.name", name, dns1123_label_problems(name))
    if not container.get("image"):
        yield required(f"{path}.image")
    policy = container.get("terminationMessagePolicy", "")
    supported = ("File", "FallbackToLogsOnError")
    yield from checks.one_of(policy, supported, f"{path}.terminationMessagePolicy")
    yield from _port_errors(container.get("ports") or [], f"{path}.ports")
    yield from env_errors(container.get("env") or [], f"{path}.env")
    yield from env_from_errors(container.get("envFrom") or [], f"{path}.envFrom")
    yield from _mount_errors(container, f"{path}.volumeMounts", volumes)
    yield from _device_errors(container, f"{path}.volumeDevices", volumes)
    yield from checks.one_of(
        container.get("imagePullPolicy", ""), _PULL_POLICIES, f"{path}.imagePullPolicy"
    )
    yield from resources_errors(container.get("resources") or {}, f"{path}.resources")
    yield from _security_errors(container.get("securityContext"), f"{path}.securityContext")


def _port_errors(ports: list[Object], path: str) -> Iterator[FieldError]:
    names: set[str] = set()
    for i, port in enumerate(ports):
        port_path, name, number = f"{path}[{i}]", port.get("name", ""), port.get("containerPort", 0)
        if name:
            problems = checks.port_name_problems(name)
            yield from each(f"{port_path}.name", name, problems)
            if not problems and name in names:
                yield duplicate(f"{port_path}.name", name)
            names.add(name)
        if not number:
            yield required(f"{port_path}.containerPort")
        else:
            yield from each(
                f"{port_path}.containerPort", number, checks.port_number_problems(number)
            )
        if host := port.get("hostPort"):
            yield from each(f"{port_path}.hostPort", host, checks.port_number_problems(host))
        protocol = port.get("protocol", "")
        if not protocol:
            yield required(f"{port_path}.protocol")
        elif protocol not in _PROTOCOLS:
            yield not_supported(f"{port_path}.protocol", protocol, _PROTOCOLS)


def _host_port_errors(containers: list[Object], path: str) -> Iterator[FieldError]:
    taken: set[str] = set()
    for i, container in enumerate(containers):
        for j, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            use = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{port['hostPort']}"
            if use in taken:
                yield duplicate(f"{path}[{i}].ports[{j}].hostPort", use)
            taken.add(use)


def _mount_errors(container: Object, path: str, volumes: set[str]) -> Iterator[FieldError]:
    taken: set[str] = set()
    devices = container.get("volumeDevices") or []
    for i, mount in enumerate(container.get("volumeMounts") or ()):
        mount_path, name, where = f"{path}[{i}]", mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            yield required(f"{mount_path}.name")
        if name not in volumes:
            yield not_found(f"{mount_path}.name", name)
        if not where:
            yield required(f"{mount_path}.mountPath")
        if where in taken:
            yield invalid(f"{mount_path}.mountPath", where, "must be unique")
        taken.add(where)
        if any(device.get("name") == name for device in devices):
            yield invalid(f"{mount_path}.name", name, "must not already exist in volumeDevices")
        if any(device.get("devicePath") == where for device in devices):
            detail = "must not already exist as a path in volumeDevices"
            yield invalid(f"{mount_path}.mountPath", where, detail)
        yield from _sub_path_errors(mount, path, mount_path)


def _sub_path_errors(mount: Object, path: str, mount_path: str) -> Iterator[FieldError]:
    """The path of a sub path error has no index: so it is upstream."""
    sub_path, expression = mount.get("subPath", ""), mount.get("subPathExpr", "")
    yield from each(f"{path}.subPath", sub_path, descending_path_problems(sub_path))
    if expression:
        if sub_path:
            detail = "subPathExpr and subPath are mutually exclusive"
            yield invalid(f"{mount_path}.subPathExpr", expression, detail)
        yield from each(f"{path}.subPathExpr", expression, descending_path_problems(expression))
    propagation = mount.get("mountPropagation")
    if propagation is not None:
        supported = ("Bidirectional", "HostToContainer", "None")
        yield from checks.one_of(propagation, supported, f"{path}.mountPropagation")


def _device_errors(container: Object, path: str, volumes: set[str]) -> Iterator[FieldError]:
    for i, device in enumerate(container.get("volumeDevices") or ()):
        device_path, name = f"{path}[{i}]", device.get("name", "")
        if not name:
            yield required(f"{device_path}.name")
        if name not in volumes:
            yield not_found(f"{device_path}.name", name)
        if not device.get("devicePath"):
            yield required(f"{device_path}.devicePath")


def _security_errors(context: Object | None, path: str) -> Iterator[FieldError]:
    if context is None:
        return
    for key in ("runAsUser", "runAsGroup"):
        value = context.get(key)
        if value is not None and not 0 <= value <= _LARGEST_INT32:
            yield invalid(f"{path}.{key}", value, checks.range_problem(0, _LARGEST_INT32))
    if context.get("allowPrivilegeEscalation") is not False:
        return
    if context.get("privileged"):
        detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        yield invalid(path, _shown(context), detail)
    if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
        detail = (
            "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
        )
        yield invalid(path, _shown(context), detail)


def _shown(value: Any) -> Any:
    return value
