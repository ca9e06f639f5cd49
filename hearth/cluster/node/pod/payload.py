"""What files a volume holds, from ConfigMaps, Secrets, fields and tokens. Pure.

``volumes`` writes them; it calls again whenever a source may have changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hearth.cluster.node.pod.environment import (
    ConfigError,
    Facts,
    Sources,
    field_value,
    resource_value,
)
from hearth.cluster.node.pod.owners import owners_of
from hearth.kube.meta import Object

_INJECTED_PREFIX = "kube-api-access-"  # of the volume that the API server adds to every pod
_DEFAULT_MODE = 0o644


@dataclass(frozen=True, slots=True)
class File:
    """A file of a volume and its permissions."""

    content: bytes
    mode: int = _DEFAULT_MODE
    user: int | None = None
    """To whom it is given; None: it stays this process's own."""


Payload = dict[str, File]
"""Relative path -> file."""
Token = Callable[[str, int], str]
"""(audience, seconds) -> a service account token that was fetched before."""


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A service account token a volume asks for."""

    audience: str = ""
    seconds: int = 3600


FILE_KINDS = ("configMap", "secret", "downwardAPI", "projected")
SUPPORTED_KINDS = (*FILE_KINDS, "emptyDir", "hostPath", "persistentVolumeClaim")


def kind_of(volume: Mapping[str, Any]) -> str:
    """The field that says what a volume is; a volume that says nothing is an emptyDir."""
    return next((field for field in volume if field != "name"), "emptyDir")


def make_payload(
    volume: Mapping[str, Any], sources: Sources, facts: Facts, token: Token
) -> Payload:
    """The files of one volume; raises ConfigError in kubelet's words."""
    kind = kind_of(volume)
    body = volume[kind] or {}
    mode = _mode(body.get("defaultMode"), _DEFAULT_MODE)
    if kind != "projected":
        return _source(kind, body, sources, facts=facts, token=token, mode=mode)
    files: Payload = {}
    for source in body.get("sources") or ():
        inner = next(iter(source))
        files |= _source(inner, source[inner] or {}, sources, facts=facts, token=token, mode=mode)
    return files


def _source(
    kind: str,
    body: Mapping[str, Any],
    sources: Sources,
    *,
    facts: Facts,
    token: Token,
    mode: int,
) -> Payload:
    match kind:
        case "configMap":
            name = body.get("name") or ""
            return _keys(body, sources.config_map(name), f'configmap "{name}"', mode=mode)
        case "secret":
            name = body.get("secretName") or body.get("name") or ""
            return _keys(body, sources.secret(name), f'secret "{name}"', mode=mode)
        case "downwardAPI":
            return {i["path"]: _field(i, facts, mode) for i in body.get("items") or ()}
        case "serviceAccountToken":
            seconds = int(body.get("expirationSeconds") or 3600)
            text = token(body.get("audience") or "", seconds)
            owners = owners_of(facts.pod)
            return {body["path"]: File(text.encode(), owners.token_mode(mode), owners.user)}
    raise ConfigError(f"projected volume source {kind} is not supported on one machine")


def _keys(
    body: Mapping[str, Any], data: Mapping[str, bytes] | None, what: str, *, mode: int
) -> Payload:
    optional = bool(body.get("optional"))
    if data is None:
        if optional:
            return {}
        raise ConfigError(f"{what} not found")
    items = body.get("items")
    if not items:
        return {key: File(value, mode) for key, value in data.items()}
    files: Payload = {}
    for item in items:
        if item["key"] in data:
            files[item["path"]] = File(data[item["key"]], _mode(item.get("mode"), mode))
        elif not optional:
            word = "secret" if what.startswith("secret") else "config"
            raise ConfigError(f"references non-existent {word} key: {item['key']}")
    return files


def _field(item: Mapping[str, Any], facts: Facts, mode: int) -> File:
    if item.get("fieldRef"):
        text = field_value(item["fieldRef"].get("fieldPath", ""), facts)
    else:
        text = resource_value(item.get("resourceFieldRef") or {}, {}, facts)
    return File(text.encode(), _mode(item.get("mode"), mode))


def _mode(given: int | None, default: int) -> int:
    return default if given is None else int(given)


# -- what a pod refers to -------------------------------------------------------------------------


def token_requests(pod: Object) -> list[TokenRequest]:
    """The tokens the pod's projected volumes need."""
    return [
        TokenRequest(body.get("audience") or "", int(body.get("expirationSeconds") or 3600))
        for kind, body in _volume_sources(pod)
        if kind == "serviceAccountToken"
    ]


def referenced(pod: Object) -> tuple[frozenset[str], frozenset[str]]:
    """Names of the ConfigMaps and of the Secrets that the pod needs."""
    config_maps: set[str] = set()
    secrets: set[str] = set()
    for kind, body in _volume_sources(pod):
        if kind == "configMap":
            config_maps.add(body.get("name") or "")
        elif kind == "secret":
            secrets.add(body.get("secretName") or body.get("name") or "")
    spec = pod["spec"]
    secrets.update(entry.get("name") or "" for entry in spec.get("imagePullSecrets") or ())
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for kind, name in _environment_references(container):
            (config_maps if kind == "configMap" else secrets).add(name)
    return frozenset(config_maps), frozenset(secrets)


def _environment_references(container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for source in container.get("envFrom") or ():
        for kind in ("configMap", "secret"):
            if source.get(f"{kind}Ref"):
                yield kind, source[f"{kind}Ref"].get("name") or ""
    for entry in container.get("env") or ():
        for kind in ("configMap", "secret"):
            reference = (entry.get("valueFrom") or {}).get(f"{kind}KeyRef")
            if reference:
                yield kind, reference.get("name") or ""


def _volume_sources(pod: Object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for volume in pod["spec"].get("volumes") or ():
        kind = kind_of(volume)
        if kind == "projected":
            for source in volume[kind].get("sources") or ():
                inner = next(iter(source))
                yield inner, source[inner] or {}
        else:
            yield kind, volume.get(kind) or {}


def needs_service_account(pod: Object) -> bool:
    """Whether containers get token files at the well-known path.

    Only where the pod says so, by ``automountServiceAccountToken: true`` or an account of its own:
    our API server lets whoever has a token do everything, hardly any program needs one, and a
    start is slower by it.
    """
    spec = pod["spec"]
    automount = spec.get("automountServiceAccountToken")
    if automount is not None:
        return bool(automount)
    return (spec.get("serviceAccountName") or "default") != "default"


def effective_pod(pod: Object) -> Object:
    """The pod as it is run: without the token volume that nobody asked for."""
    spec = pod["spec"]
    volumes = spec.get("volumes") or ()
    unasked = {v["name"] for v in volumes if v["name"].startswith(_INJECTED_PREFIX)}
    if not unasked or needs_service_account(pod):
        return pod
    lean = {**spec, "volumes": [v for v in volumes if v["name"] not in unasked]}
    for field in ("initContainers", "containers"):
        if spec.get(field):
            lean[field] = [_without_mounts(c, unasked) for c in spec[field]]
    return {**pod, "spec": lean}


def _without_mounts(container: Mapping[str, Any], volumes: set[str]) -> Mapping[str, Any]:
    mounts = [m for m in container.get("volumeMounts") or () if m["name"] not in volumes]
    return {**container, "volumeMounts": mounts}
