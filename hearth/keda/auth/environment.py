"""The environment of a container as far as it can be known without running it. Pure.

``envFrom`` and ``env`` by KEDA's rules (``pkg/scaling/resolver``): what an optional reference
misses is left out, fields of the pod are skipped, ``$(NAME)`` is replaced by what is known then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hearth.keda.scalers.seam import ConfigError

Data = Mapping[str, str]
_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
_KINDS = {
    "configMapRef": "ConfigMap",
    "configMapKeyRef": "ConfigMap",
    "secretRef": "Secret",
    "secretKeyRef": "Secret",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A ConfigMap or Secret that an environment is made of."""

    kind: str
    name: str


def container_of(pod: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    """Return a container of a pod's spec; the first without a name. Raises ConfigError."""
    containers = (pod or {}).get("containers") or ()
    if not containers:
        raise ConfigError("target object doesn't have containers")
    for each in containers:
        if not name or each.get("name") == name:
            found: Mapping[str, Any] = each
            return found
    raise ConfigError(f"couldn't find container with name {name} on Target object")


def wanted(container: Mapping[str, Any]) -> set[Wanted]:
    """Return what has to be read for a container's environment."""
    sources = [*(container.get("envFrom") or ()), *_sources(container)]
    return {found for each in sources for _, found, _ in _references(each)}


def environment(
    container: Mapping[str, Any],
    known: Mapping[Wanted, Data | None],
    namespace: str,
    *,
    with_secrets: bool = True,
) -> dict[str, str]:
    """Return variables and values. ``known`` has None for what is not there.

    Raises ConfigError for a reference that is not optional and leads nowhere. Without secrets
    those that stand in Secrets are left out.
    """
    found: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        for _, at, optional in _references(source, with_secrets=with_secrets):
            data = known.get(at)
            if data is None and not optional:
                what = "config" if at.kind == "ConfigMap" else "secret"
                raise ConfigError(f"error reading {what} ref {at.name} on namespace {namespace}")
            prefix = source.get("prefix") or ""
            found |= {f"{prefix}{key}": value for key, value in (data or {}).items()}
    for variable in container.get("env") or ():
        if text := variable.get("value"):
            found[variable["name"]] = expanded(text, found)
        elif not variable.get("valueFrom"):
            found[variable["name"]] = ""
        for key, at, optional in _references(
            variable.get("valueFrom") or {}, with_secrets=with_secrets
        ):
            data = known.get(at)
            if data is None and not optional:
                what = "config" if at.kind == "ConfigMap" else "secret name"
                raise ConfigError(
                    f"error resolving {what} {at.name} for env {variable['name']} in namespace "
                    f"{namespace}"
                )
            if data is not None:
                found[variable["name"]] = data.get(key, "")
    return found


def expanded(text: str, known: Data) -> str:
    """Return a value with ``$(NAME)`` replaced; ``$$`` is a dollar, what is unknown stays."""

    def replaced(found: re.Match[str]) -> str:
        return "$" if found[1] is None else known.get(found[1], found[0])

    return _REFERENCE.sub(replaced, text)


def _sources(container: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for variable in container.get("env") or ():
        if not variable.get("value"):
            yield variable.get("valueFrom") or {}


def _references(
    source: Mapping[str, Any], *, with_secrets: bool = True
) -> Iterator[tuple[str, Wanted, bool]]:
    """Key, object and whether it may be missing, of each reference to a ConfigMap or Secret."""
    for member, kind in _KINDS.items():
        if (at := source.get(member)) and (with_secrets or kind != "Secret"):
            yield at.get("key", ""), Wanted(kind, at.get("name", "")), bool(at.get("optional"))
