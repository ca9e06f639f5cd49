"""What Brokers of class ``NatsJetStreamBroker`` and their ConfigMap ask of their streams. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from eventing.api import keys
from hearth.kube import meta
from hearth.kube.meta import Object

CONFIG_MAP, CONFIG_KEY = "natsjetstream-broker-config", "config"
"""Upstream's ConfigMap: ``clusterDefault``, and ``namespaceDefaults`` by namespace."""
CONFIG_ANNOTATION = "natsjetstream.eventing.knative.dev/config"
"""Of a Broker, instead of all that: JSON with ``stream`` and ``consumer``."""


def broker_options(broker: Object, config_map: Object | None) -> Mapping[str, Any]:
    """Return what a Broker asks for; raise ValueError where that cannot be read.

    The first that says something counts, and all of it: annotation, namespace, cluster.
    """
    if meta.annotations(broker).get(keys.BROKER_CLASS_ANNOTATION) != keys.NATS_CLASS:
        return {}
    if text := meta.annotations(broker).get(CONFIG_ANNOTATION):
        return _mapping(_read(json.loads, text, CONFIG_ANNOTATION), CONFIG_ANNOTATION)
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
