"""Rules of ConfigMap and Secret. Pure; used by the catalog of kinds."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping

from hearth.cluster.kinds.base import Rules, text_at
from hearth.cluster.model import checks
from hearth.cluster.model.checks import each, immutable
from hearth.cluster.model.fielderrors import FieldError, forbidden, invalid, required, too_long
from hearth.cluster.model.kind import Object

_LARGEST = 1024 * 1024
_FROZEN = "field is immutable when `immutable` is set"


def _config_map_errors(obj: Object) -> Iterator[FieldError]:
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    for key in data:
        yield from each(f"data[{key}]", key, checks.config_map_key_problems(key))
        if key in binary:
            yield invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    for key in binary:
        yield from each(f"binaryData[{key}]", key, checks.config_map_key_problems(key))
    size = sum(len(text.encode()) for text in data.values()) + _decoded_size(binary)
    if size > _LARGEST:
        yield too_long("", _LARGEST)


def _decoded_size(values: Mapping[str, str | None]) -> int:
    return sum(len(base64.b64decode(value)) for value in values.values() if value)


def _frozen_errors(new: Object, old: Object, keys: tuple[str, ...]) -> Iterator[FieldError]:
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        yield forbidden("immutable", _FROZEN)
    for key in keys:
        if (new.get(key) or {}) != (old.get(key) or {}):
            yield forbidden(key, _FROZEN)


def _config_map_update(new: Object, old: Object) -> Iterator[FieldError]:
    yield from _frozen_errors(new, old, ("data", "binaryData"))


CONFIG_MAP = Rules(
    validate=_config_map_errors,
    update=_config_map_update,
    update_first=True,
    metadata_again=True,
)


def _default_secret(obj: Object) -> None:
    """``stringData`` is for writing only: it becomes part of ``data``."""
    obj.setdefault("type", "Opaque")
    texts = obj.pop("stringData", None)
    if texts:
        data = obj.setdefault("data", {})
        for key, text in texts.items():
            data[key] = base64.b64encode(text.encode()).decode()


def _secret_errors(obj: Object) -> Iterator[FieldError]:
    data = obj.get("data") or {}
    for key in data:
        yield from each(f"data[{key}]", key, checks.config_map_key_problems(key))
    if _decoded_size(data) > _LARGEST:
        yield too_long("data", _LARGEST)
    yield from _secret_type_errors(obj, data)


_ACCOUNT = "kubernetes.io/service-account.name"
_REQUIRED_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_JSON_KEYS = {
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
}


def _secret_type_errors(obj: Object, data: Object) -> Iterator[FieldError]:
    kind = obj.get("type", "")
    if kind == "kubernetes.io/service-account-token":
        if not (obj["metadata"].get("annotations") or {}).get(_ACCOUNT):
            yield required(f"metadata.annotations[{_ACCOUNT}]")
    elif kind == "kubernetes.io/basic-auth":
        if "username" not in data and "password" not in data:
            yield required("data[username]")
            yield required("data[password]")
    elif kind in _JSON_KEYS:
        yield from _json_errors(data, _JSON_KEYS[kind])
    for key in _REQUIRED_KEYS.get(kind, ()):
        if key not in data:
            yield required(f"data[{key}]")


def _json_errors(data: Object, key: str) -> Iterator[FieldError]:
    if key not in data:
        yield required(f"data[{key}]")
        return
    text = base64.b64decode(data[key] or "")
    try:
        json.loads(text)
    except ValueError:
        from hearth.kube.gojson import syntax_error

        yield invalid(f"data[{key}]", "<secret contents redacted>", syntax_error(text))


def _secret_update(new: Object, old: Object) -> Iterator[FieldError]:
    yield from immutable(new.get("type", ""), old.get("type", ""), "type")
    yield from _frozen_errors(new, old, ("data",))


SECRET = Rules(
    default=_default_secret,
    validate=_secret_errors,
    update=_secret_update,
    update_first=True,
    metadata_again=True,
    fields={"type": text_at("type")},
)
