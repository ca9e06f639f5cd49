"""The environment and command line of a container, by Kubernetes' rules. Pure.

Order, later wins: the node's base environment, the image's, ``envFrom`` in order, ``env`` in
order. ``$(VAR)`` refers to what is defined before it; ``$$`` is a dollar sign; an unknown name
stays as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING
from typing import Any, Protocol

from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.kube.quantity import parse_quantity

_REFERENCE = re.compile(r"\$(\$|\([^)]*\))")
_SUBSCRIPT = re.compile(r"^metadata\.(labels|annotations)\['(.*)'\]$")


class ConfigError(Exception):
    """The container cannot be created as it is described; the text is kubelet's."""


class Sources(Protocol):
    """Where ConfigMaps and Secrets of the pod's namespace are looked up; values as bytes."""

    def config_map(self, name: str) -> Mapping[str, bytes] | None:
        """The data of a ConfigMap; None where there is none of that name."""

    def secret(self, name: str) -> Mapping[str, bytes] | None:
        """The data of a Secret, decoded; None where there is none of that name."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What ``fieldRef`` and ``resourceFieldRef`` can ask for."""

    pod: Object
    node_name: str
    allocatable: Mapping[str, str]
    pod_ip: str = "127.0.0.1"
    host_ip: str = "127.0.0.1"


def make_environment(
    container: Mapping[str, Any], base: Mapping[str, str], sources: Sources, *, facts: Facts
) -> dict[str, str]:
    """All variables of a container; raises ConfigError where something required is missing."""
    namespace = meta.namespace(facts.pod)
    env = dict(base)
    for source in container.get("envFrom") or ():
        env |= _env_from(source, sources)
    for entry in container.get("env") or ():
        value = _value(entry, env, sources, facts=facts, container=container, namespace=namespace)
        if value is not None:
            env[entry["name"]] = value
    return env


def expand(text: str, env: Mapping[str, str]) -> str:
    """Replaces ``$(NAME)`` by the variable's value, ``$$`` by a dollar sign."""

    def replace(match: re.Match[str]) -> str:
        inner = match[1]
        return "$" if inner == "$" else env.get(inner[1:-1], match[0])

    return _REFERENCE.sub(replace, text)


def expand_all(words: Sequence[str], env: Mapping[str, str]) -> tuple[str, ...]:
    """Expands each word of a command line."""
    return tuple(expand(word, env) for word in words)


def _env_from(source: Mapping[str, Any], sources: Sources) -> dict[str, str]:
    prefix = source.get("prefix") or ""
    if source.get("configMapRef"):
        data = _required("configmap", sources.config_map, source["configMapRef"])
    else:
        data = _required("secret", sources.secret, source.get("secretRef") or {})
    names = {prefix + key: value for key, value in data.items()}
    return {k: _text(v) for k, v in names.items() if k and "=" not in k and b"\0" not in v}


def _required(
    kind: str, find: Callable[[str], Mapping[str, bytes] | None], reference: Mapping[str, Any]
) -> Mapping[str, bytes]:
    name = reference.get("name") or ""
    data = find(name)
    if data is not None:
        return data
    if reference.get("optional"):
        return {}
    raise ConfigError(f'{kind} "{name}" not found')


def _value(
    entry: Mapping[str, Any],
    env: Mapping[str, str],
    sources: Sources,
    *,
    facts: Facts,
    container: Mapping[str, Any],
    namespace: str,
) -> str | None:
    """The value of one ``env`` entry; None when an optional source is absent."""
    origin = entry.get("valueFrom")
    if not origin:
        return expand(entry.get("value") or "", env)
    if origin.get("fieldRef"):
        return field_value(origin["fieldRef"].get("fieldPath", ""), facts)
    if origin.get("resourceFieldRef"):
        return resource_value(origin["resourceFieldRef"], container, facts)
    if origin.get("configMapKeyRef"):
        reference = origin["configMapKeyRef"]
        data = _required("configmap", sources.config_map, reference)
        return _key_value(data, reference, f"ConfigMap {namespace}/{reference.get('name', '')}")
    if origin.get("secretKeyRef"):
        reference = origin["secretKeyRef"]
        data = _required("secret", sources.secret, reference)
        return _key_value(data, reference, f"Secret {namespace}/{reference.get('name', '')}")
    raise ConfigError(f'environment variable "{entry["name"]}" has an unsupported source')


def _key_value(data: Mapping[str, bytes], reference: Mapping[str, Any], where: str) -> str | None:
    key = reference.get("key") or ""
    if key in data:
        return _text(data[key])
    if reference.get("optional"):
        return None
    raise ConfigError(f"couldn't find key {key} in {where}")


def _text(value: bytes) -> str:
    """As the process gets it: bytes that are no UTF-8 pass through unchanged."""
    return value.decode(errors="surrogateescape")


def field_value(path: str, facts: Facts) -> str:
    """What a ``fieldRef`` gives; raises ConfigError for a path that there is not."""
    pod = facts.pod
    subscript = _SUBSCRIPT.match(path)
    if subscript is not None:
        entries = meta.labels(pod) if subscript[1] == "labels" else meta.annotations(pod)
        return entries.get(subscript[2], "")
    simple: dict[str, Callable[[], str]] = {
        "metadata.name": lambda: meta.name(pod),
        "metadata.namespace": lambda: meta.namespace(pod),
        "metadata.uid": lambda: meta.uid(pod),
        "metadata.labels": lambda: _format_map(meta.labels(pod)),
        "metadata.annotations": lambda: _format_map(meta.annotations(pod)),
        "spec.nodeName": lambda: facts.node_name,
        "spec.serviceAccountName": lambda: pod["spec"].get("serviceAccountName") or "default",
        "status.hostIP": lambda: facts.host_ip,
        "status.hostIPs": lambda: facts.host_ip,
        "status.podIP": lambda: facts.pod_ip,
        "status.podIPs": lambda: facts.pod_ip,
    }
    if path not in simple:
        raise ConfigError(f"unsupported fieldPath: {path}")
    return simple[path]()


def _format_map(entries: Mapping[str, str]) -> str:
    """``key="value"`` lines, sorted: how downward API files show labels."""
    quoted = {
        key: value.replace("\\", "\\\\").replace('"', '\\"') for key, value in entries.items()
    }
    lines = [f'{key}="{value}"'.replace("\n", "\\n") for key, value in sorted(quoted.items())]
    return "\n".join(lines)


def resource_value(reference: Mapping[str, Any], container: Mapping[str, Any], facts: Facts) -> str:
    """What a ``resourceFieldRef`` gives: rounded up to the divisor; limits default to the node."""
    name = reference.get("containerName")
    if name:
        spec = facts.pod["spec"]
        every = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
        container = next((c for c in every if c["name"] == name), container)
    section, _, resource = (reference.get("resource") or "").partition(".")
    resources = container.get("resources") or {}
    given = (resources.get(section) or {}).get(resource)
    if given is None and section == "limits":
        given = facts.allocatable.get(resource)
    amount = parse_quantity(given or "0").amount
    divisor = parse_quantity(reference.get("divisor") or "1").amount or 1
    return str(int((amount / divisor).to_integral_value(rounding=ROUND_CEILING)))
