"""Validation of the environment of containers. Pure; called by the containers' validation."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hearth.cluster.model import checks
from hearth.cluster.model.checks import each
from hearth.cluster.model.fielderrors import FieldError, invalid, not_supported, required
from hearth.cluster.model.kind import Object
from hearth.kube.names import dns1123_subdomain_problems, qualified_name_problems

ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
VOLUME_FIELDS = (
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
)
_KNOWN_FIELDS = frozenset({*ENV_FIELDS, *VOLUME_FIELDS, "spec.restartPolicy", "status.phase"})
_RESOURCES = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_SUBSCRIPT = re.compile(r"^(?P<path>.+)\['(?P<key>.*)'\]$")
_ONE_SOURCE = (
    "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or "
    "`fileKeyRef`"
)
_MANY = "may not have more than one field specified at a time"


def env_errors(variables: list[Object], path: str) -> Iterator[FieldError]:
    """Checks the variables of a container."""
    for i, variable in enumerate(variables):
        variable_path, name = f"{path}[{i}]", variable.get("name", "")
        if not name:
            yield required(f"{variable_path}.name")
        else:
            yield from each(f"{variable_path}.name", name, checks.env_name_problems(name))
        if (source := variable.get("valueFrom")) is not None:
            yield from _source_errors(variable, source, f"{variable_path}.valueFrom")


def _source_errors(variable: Object, source: Object, path: str) -> Iterator[FieldError]:
    count = 0
    for key, check in (
        ("fieldRef", env_field_errors),
        ("resourceFieldRef", resource_field_errors),
        ("configMapKeyRef", _key_errors),
        ("secretKeyRef", _key_errors),
    ):
        if (reference := source.get(key)) is not None:
            count += 1
            yield from check(reference, f"{path}.{key}")
    if source.get("fileKeyRef") is not None:
        count += 1
    if count == 0:
        yield invalid(path, "", _ONE_SOURCE)
    elif variable.get("value"):
        yield invalid(path, "", "may not be specified when `value` is not empty")
    elif count > 1:
        yield invalid(path, "", _MANY)


def env_field_errors(reference: Object, path: str) -> Iterator[FieldError]:
    """Checks the pod field that a variable takes its value from."""
    yield from field_errors(reference, path, ENV_FIELDS)


def field_errors(reference: Object, path: str, allowed: tuple[str, ...]) -> Iterator[FieldError]:
    """A downward API reference to a field of the pod itself."""
    version, field = reference.get("apiVersion", ""), reference.get("fieldPath", "")
    if not version:
        yield required(f"{path}.apiVersion")
    elif not field:
        yield required(f"{path}.fieldPath")
    elif version != "v1":
        detail = f"error converting fieldPath: unsupported pod version: {version}"
        yield invalid(f"{path}.fieldPath", field, detail)
    elif match := _SUBSCRIPT.match(field):
        yield from _subscript_errors(match, path)
    elif field not in _KNOWN_FIELDS:
        detail = f"error converting fieldPath: field label not supported: {field}"
        yield invalid(f"{path}.fieldPath", field, detail)
    elif field not in allowed:
        yield not_supported(f"{path}.fieldPath", field, allowed)


def _subscript_errors(match: re.Match[str], path: str) -> Iterator[FieldError]:
    if match["path"] == "metadata.annotations":
        problems = qualified_name_problems(match["key"].lower())
    elif match["path"] == "metadata.labels":
        problems = qualified_name_problems(match["key"])
    else:
        text = f"error converting fieldPath: field label does not support subscript: {match[0]}"
        yield invalid(f"{path}.fieldPath", match[0], text)
        return
    yield from each(path, match["key"], problems)


def resource_field_errors(
    reference: Object, path: str, *, in_volume: bool = False
) -> Iterator[FieldError]:
    """Checks the container resource that a variable or a file takes its value from."""
    resource = reference.get("resource", "")
    if in_volume and not reference.get("containerName"):
        yield required(f"{path}.containerName")
    elif not resource:
        yield required(f"{path}.resource")
    elif resource not in _RESOURCES and not resource.startswith(
        ("limits.hugepages-", "requests.hugepages-")
    ):
        yield not_supported(f"{path}.resource", resource, _RESOURCES)


def _key_errors(reference: Object, path: str) -> Iterator[FieldError]:
    name, key = reference.get("name", ""), reference.get("key", "")
    yield from each(f"{path}.name", name, dns1123_subdomain_problems(name))
    if not key:
        yield required(f"{path}.key")
    else:
        yield from each(f"{path}.key", key, checks.config_map_key_problems(key))


def env_from_errors(sources: list[Object], path: str) -> Iterator[FieldError]:
    """Checks the ConfigMaps and Secrets that a container takes all variables from."""
    for i, source in enumerate(sources):
        source_path = f"{path}[{i}]"
        if prefix := source.get("prefix"):
            yield from each(f"{source_path}.prefix", prefix, checks.env_name_problems(prefix))
        given = [key for key in ("configMapRef", "secretRef") if source.get(key) is not None]
        for key in given:
            name = source[key].get("name", "")
            if not name:
                yield required(f"{source_path}.{key}.name")
            else:
                yield from each(f"{source_path}.{key}.name", name, dns1123_subdomain_problems(name))
        if not given:
            yield invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
        elif len(given) > 1:
            yield invalid(path, "", _MANY)
