"""What ``NatsJetStreamBroker``s and NatsJetStreamChannels ask of their streams. Pure.

Upstream's settings that are not followed are refused by name, or, where that harms nobody, named in
a warning to who writes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from eventing.api import keys
from eventing.api.views import spec_of
from hearth.knative.fielderrors import Errors, FieldError
from hearth.kube import meta
from hearth.kube.meta import Object

CONFIG_MAP, CONFIG_KEY = "natsjetstream-broker-config", "config"
"""Upstream's ConfigMap: ``clusterDefault``, and ``namespaceDefaults`` by namespace."""
CONFIG_ANNOTATION = "natsjetstream.eventing.knative.dev/config"
"""Of a Broker, instead of all that: JSON with ``stream`` and ``consumer``."""

_RETRIES = "this has no effect: delivery.retry says how often an event is sent"
_PULLED = "this has no effect: events are pulled, as many as there is room for"
_PROCESSES = "this has no effect: Hearth's own processes deliver"
_UNUSED: Mapping[tuple[str, str], str] = {
    ("consumer", "maxDeliver"): _RETRIES,
    ("consumer", "rateLimitBPS"): _PULLED,
    ("consumer", "consumerType"): _PULLED,
    ("consumer", "fetchMaxWait"): _PULLED,
    ("consumer", "fetchBatchSize"): _PULLED,
}
_REFUSED: Mapping[tuple[str, str], str] = {
    ("stream", "noAck"): "not supported: who sends an event is told that it is stored",
    ("stream", "mirror"): "not supported: a copy of another stream takes no events",
    ("stream", "sources"): "not supported: sources of a stream are no senders of events",
}


def refused(options: Mapping[str, Any]) -> str:
    """Return what is said of a setting that we do not follow and must not pass over."""
    for (part, name), why in _REFUSED.items():
        if (options.get(part) or {}).get(name):
            return f"{part}.{name}: {why}"
    return ""


def problems(options: Mapping[str, Any], paths: Mapping[str, str]) -> Errors:
    """Complain of settings that are not followed; ``paths`` say where ``options`` come from."""
    found: Errors = []
    for table, is_warning in ((_REFUSED, False), (_UNUSED, True)):
        for (part, name), why in table.items():
            given = (options.get(part) or {}).get(name)
            if given and not (name == "consumerType" and given == "Pull"):
                found.append(FieldError(why, (f"{paths[part]}.{name}",), "", is_warning))
    return found


def broker_problems(annotations: Mapping[str, str]) -> Errors:
    """Complain of a Broker's annotation: that it cannot be read, or what is not followed."""
    if annotations.get(keys.BROKER_CLASS_ANNOTATION) != keys.NATS_CLASS:
        return []
    path = f"metadata.annotations[{CONFIG_ANNOTATION}]"
    try:
        options = _annotated(annotations)
    except ValueError as error:
        return [FieldError(str(error), (path,))]
    found = problems(options, {part: f"{path}.{part}" for part in ("stream", "consumer")})
    for part in ("ingress", "filter"):
        if options.get(part):
            found.append(FieldError(_PROCESSES, (f"{path}.{part}",), "", warning=True))
    return found


def spec_problems(spec: Mapping[str, Any]) -> Errors:
    """Complain of what a NatsJetStreamChannel's spec says and is not followed."""
    paths = {"stream": "spec.stream.config", "consumer": "spec.consumerConfigTemplate"}
    found = problems(_spec_options(spec), paths)
    if spec.get("deploymentSpecTemplate"):
        path = "spec.deploymentSpecTemplate"
        found.append(FieldError(_PROCESSES, (path,), "", warning=True))
    return found


def channel_options(channel: Object, _config_map: Object | None) -> Mapping[str, Any]:
    """Return what a NatsJetStreamChannel asks for."""
    return _spec_options(spec_of(channel))


def _spec_options(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    stream = spec.get("stream") or {}
    return {
        "name": stream.get("overrideName") or "",
        "stream": stream.get("config") or {},
        "consumer": spec.get("consumerConfigTemplate") or {},
    }


def _annotated(annotations: Mapping[str, str]) -> Mapping[str, Any]:
    """Return what a Broker's annotation asks for; nothing where there is none."""
    text = annotations.get(CONFIG_ANNOTATION)
    if not text:
        return {}
    options = _mapping(_read(json.loads, text, CONFIG_ANNOTATION), CONFIG_ANNOTATION)
    return {name: _mapping(part or {}, CONFIG_ANNOTATION) for name, part in options.items()}


def broker_options(broker: Object, config_map: Object | None) -> Mapping[str, Any]:
    """Return what a Broker asks for; raise ValueError where that cannot be read.

    The first that says something counts, and all of it: annotation, namespace, cluster.
    """
    if meta.annotations(broker).get(keys.BROKER_CLASS_ANNOTATION) != keys.NATS_CLASS:
        return {}
    if meta.annotations(broker).get(CONFIG_ANNOTATION):
        return _annotated(meta.annotations(broker))
    text = ((config_map or {}).get("data") or {}).get(CONFIG_KEY) or ""
    found = _mapping(_read(yaml.safe_load, text, CONFIG_MAP) or {}, CONFIG_MAP)
    by_namespace = _mapping(found.get("namespaceDefaults") or {}, CONFIG_MAP)
    chosen = by_namespace.get(meta.namespace(broker)) or found.get("clusterDefault") or {}
    return _mapping(chosen, CONFIG_MAP)


def _read(load: Any, text: str, of: str) -> Any:
    try:
        return load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{of} cannot be read: {error}") from error


def _mapping(value: Any, of: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{of} cannot be read: it is no object")
    return value
