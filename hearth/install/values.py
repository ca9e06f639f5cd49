"""The settings of an installation: where each stands in the objects, and what it may be. Pure.

One table for two uses: ``apply_values`` sets them for ``hearth install --values``, and the Helm
chart is made by putting an expression at the same places (``hearth.install.chart``). What an object
holds without a setting is the setting's default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import yaml

from hearth.kube.meta import Object, name, namespace

Path = tuple[str | int, ...]
Values = Mapping[str, Any]

EXAMPLE = "_example"
CONFIG = "config"
"""Under it ConfigMaps are set, by project and name: their data besides the example."""


class InvalidValues(Exception):
    """Values that mean nothing or cannot be; the text says which."""


@dataclass(frozen=True, slots=True)
class Place:
    """A field of one object."""

    kind: str
    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, by its key in a values file (``control.replicas``)."""

    key: str
    about: str
    schema: Mapping[str, Any]
    places: Sequence[Place] = field(default_factory=tuple)

    @property
    def path(self) -> tuple[str, ...]:
        """The key in its parts."""
        return tuple(self.key.split("."))


_WORKLOADS = {
    "control": ("Deployment", "hearth-control"),
    "activator": ("Deployment", "hearth-activator"),
    "broker": ("StatefulSet", "hearth-broker"),
    "keda": ("Deployment", "keda-operator"),
    "externalScaler": ("Deployment", "hearth-external-scaler"),
    "sharedIngress": ("Deployment", "hearth-broker-ingress"),
    "dispatchers": ("Deployment", "hearth-broker-dispatcher"),
    "pipelines": ("Deployment", "hearth-pipelines"),
}
"""The last five are there only where their components are asked for."""
_POD: Path = ("spec", "template", "spec")
_CONTAINER: Path = (*_POD, "containers", 0)
_STRING = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 1}
_MAPPING = {"type": "object"}
_LIST = {"type": "array"}
_GATEWAY = ("Service", "hearth-gateway")
_SCALER = ("HorizontalPodAutoscaler", "hearth-activator")
_CLAIM: Path = ("spec", "volumeClaimTemplates", 0, "spec")


def _everywhere(path: Path) -> tuple[Place, ...]:
    return tuple(Place(*workload, path) for workload in _WORKLOADS.values())


def _spread() -> tuple[Place, ...]:
    path = (*_POD, "topologySpreadConstraints", 0, "whenUnsatisfiable")
    return tuple(Place(*_WORKLOADS[each], path) for each in _WORKLOADS if each != "broker")


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "image",
        "Hearth's image.",
        _STRING,
        (
            *_everywhere((*_CONTAINER, "image")),
            # Pods of adapters are made by control.
            Place(*_WORKLOADS["control"], (*_CONTAINER, "env", 6, "value")),
            # Those of scripts by pipelines.
            Place(*_WORKLOADS["pipelines"], (*_CONTAINER, "env", 5, "value")),
        ),
    ),
    Setting(
        "imagePullPolicy",
        "When the image is pulled.",
        {"enum": ["Always", "IfNotPresent", "Never"]},
        _everywhere((*_CONTAINER, "imagePullPolicy")),
    ),
    Setting(
        "imagePullSecrets",
        "Secrets of the registry: [{name: NAME}], in both namespaces.",
        _LIST,
        _everywhere((*_POD, "imagePullSecrets")),
    ),
    Setting("nodeSelector", "Nodes for the pods.", _MAPPING, _everywhere((*_POD, "nodeSelector"))),
    Setting("tolerations", "Taints the pods bear.", _LIST, _everywhere((*_POD, "tolerations"))),
    Setting(
        "logLevel",
        "DEBUG, INFO, WARNING or ERROR.",
        {"enum": ["DEBUG", "INFO", "WARNING", "ERROR"]},
        _everywhere((*_CONTAINER, "env", 3, "value")),
    ),
    Setting(
        "spread",
        "Whether replicas must be on different nodes (DoNotSchedule) or should (ScheduleAnyway).",
        {"enum": ["DoNotSchedule", "ScheduleAnyway"]},
        _spread(),
    ),
    Setting(
        "control.replicas",
        "One decides, the others stand by.",
        _COUNT,
        [Place(*_WORKLOADS["control"], ("spec", "replicas"))],
    ),
    Setting(
        "keda.replicas",
        "One scales, the others stand by.",
        _COUNT,
        [Place(*_WORKLOADS["keda"], ("spec", "replicas"))],
    ),
    Setting(
        "externalScaler.replicas",
        "Each hears of all requests and answers KEDA.",
        _COUNT,
        [Place(*_WORKLOADS["externalScaler"], ("spec", "replicas"))],
    ),
    *(
        Setting(
            f"{each}.{field}",
            f"{word} {what} of Brokers that NATS or Kafka keeps.",
            _COUNT,
            [Place("HorizontalPodAutoscaler", _WORKLOADS[each][1], ("spec", field))],
        )
        for each, what in (
            ("sharedIngress", "pods that take in events"),
            ("dispatchers", "pods that deliver events"),
        )
        for field, word in (("minReplicas", "The least"), ("maxReplicas", "The most"))
    ),
    *(
        Setting(
            f"{each}.resources",
            f"What a pod of {each} asks for and may use.",
            _MAPPING,
            [Place(*workload, (*_CONTAINER, "resources"))],
        )
        for each, workload in _WORKLOADS.items()
    ),
    Setting(
        "activator.minReplicas",
        "Fewest activators.",
        _COUNT,
        [Place(*_SCALER, ("spec", "minReplicas"))],
    ),
    Setting(
        "activator.maxReplicas",
        "Most activators.",
        _COUNT,
        [Place(*_SCALER, ("spec", "maxReplicas"))],
    ),
    Setting(
        "gateway.type",
        "How the gateway is reached.",
        {"enum": ["ClusterIP", "LoadBalancer", "NodePort"]},
        [Place(*_GATEWAY, ("spec", "type"))],
    ),
    Setting(
        "gateway.externalTrafficPolicy",
        "Local keeps the client's address.",
        {"enum": ["Cluster", "Local"]},
        [Place(*_GATEWAY, ("spec", "externalTrafficPolicy"))],
    ),
    Setting(
        "gateway.nodePort",
        "The port of every node; the cluster chooses one where there is none.",
        {"type": "integer", "minimum": 1},
        [Place(*_GATEWAY, ("spec", "ports", 0, "nodePort"))],
    ),
    Setting(
        "gateway.externalPort",
        "The gateway's port in URLs.",
        _STRING,
        [Place(*_WORKLOADS["control"], (*_CONTAINER, "env", 5, "value"))],
    ),
    Setting(
        "gateway.tlsNodePort",
        "The port of every node for https; the cluster chooses one where there is none.",
        {"type": "integer", "minimum": 1},
        [Place(*_GATEWAY, ("spec", "ports", 1, "nodePort"))],
    ),
    Setting(
        "gateway.externalTlsPort",
        "The gateway's port in URLs with https, and in redirects to them.",
        _STRING,
        [
            Place(*_WORKLOADS["control"], (*_CONTAINER, "env", 7, "value")),
            Place(*_WORKLOADS["activator"], (*_CONTAINER, "env", 5, "value")),
        ],
    ),
    Setting(
        "gateway.annotations",
        "What a cloud's load balancer is told.",
        _MAPPING,
        [Place(*_GATEWAY, ("metadata", "annotations"))],
    ),
    Setting(
        "broker.storage.size",
        "Of the volume of the broker's log.",
        _STRING,
        [Place(*_WORKLOADS["broker"], (*_CLAIM, "resources", "requests", "storage"))],
    ),
    Setting(
        "broker.storage.className",
        "Its storage class; the cluster's default where there is none.",
        _STRING,
        [Place(*_WORKLOADS["broker"], (*_CLAIM, "storageClassName"))],
    ),
)


# -- ConfigMaps ------------------------------------------------------------------------------------


def config_path(obj: Object) -> tuple[str, ...] | None:
    """Return where a ConfigMap's data stands in values; None for other objects."""
    if obj["kind"] != "ConfigMap" or not name(obj).startswith("config-"):
        return None
    return (CONFIG, namespace(obj).removeprefix("knative-"), name(obj))


def config_data(obj: Object) -> dict[str, str]:
    """Return what a ConfigMap sets, without the example."""
    return {key: text for key, text in (obj.get("data") or {}).items() if key != EXAMPLE}


# -- reading ---------------------------------------------------------------------------------------


def read(obj: Any, path: Sequence[str | int]) -> Any:
    """Return what stands at a path; None where nothing does."""
    for step in path:
        try:
            obj = obj[step]
        except (LookupError, TypeError):
            return None
    return obj


def holder(objects: Sequence[Object], place: Place) -> Object | None:
    """Return the object that a place is in; None where it is not installed."""
    found = (o for o in objects if (o["kind"], name(o)) == (place.kind, place.name))
    return next(found, None)


def values_of(objects: Sequence[Object]) -> dict[str, Any]:
    """Return the values that objects hold: of rendered ones, the defaults."""
    found: dict[str, Any] = {}
    for setting in SETTINGS:
        place = setting.places[0]
        obj = holder(objects, place)
        if obj is not None:
            put(found, setting.path, deepcopy(read(obj, place.path)))
    for obj in objects:
        path = config_path(obj)
        if path is not None:
            put(found, path, config_data(obj))
    return found


def put(into: Any, path: Sequence[str | int], value: Any) -> None:
    """Set what stands at a path, with mappings on the way there made."""
    for step in path[:-1]:
        into = into.setdefault(step, {}) if isinstance(into, dict) else into[step]
    into[path[-1]] = value


def merged(below: Values, above: Values) -> dict[str, Any]:
    """Return values laid over others, as Helm lays them: null takes a value away."""
    result = dict(below)
    for key, value in above.items():
        known = result.get(key)
        if isinstance(value, Mapping) and isinstance(known, Mapping):
            result[key] = merged(known, value)
        else:
            result[key] = value
    return result


def parse(text: str, *, source: str) -> dict[str, Any]:
    """Read a values file."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidValues(f"{source}: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InvalidValues(f"{source}: values are a mapping")
    return content


# -- setting ---------------------------------------------------------------------------------------


def apply_values(objects: Sequence[Object], values: Values) -> list[Object]:
    """Return the objects with values set, which ``valueschecks.check`` has let pass."""
    defaults = values_of(objects)
    wanted, result = merged(defaults, values), [deepcopy(obj) for obj in objects]
    for setting in SETTINGS:
        value = read(wanted, setting.path)
        for place in setting.places:
            obj = holder(result, place)
            if obj is not None:
                _set(obj, place.path, value)
    for obj in result:
        path = config_path(obj)
        if path is not None:
            _set_data(obj, read(wanted, path) or {})
    return result


def _set(obj: Object, path: Path, value: Any) -> None:
    if value is not None:
        put(obj, path, deepcopy(value))
    elif read(obj, path) is not None:
        del read(obj, path[:-1])[path[-1]]


def _set_data(obj: Object, data: Mapping[str, Any]) -> None:
    kept = {k: v for k, v in (obj.get("data") or {}).items() if k == EXAMPLE}
    kept |= {key: str(text) for key, text in data.items() if text is not None}
    if kept:
        obj["data"] = kept
    else:
        obj.pop("data", None)


# -- on the command line ---------------------------------------------------------------------------

_DOT = re.compile(r"(?<!\\)\.")


def assignment(text: str) -> dict[str, Any]:
    r"""Read ``KEY=VALUE`` as values; a dot that is part of a key is written ``\.``."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InvalidValues(f"--set {text!r}: give KEY=VALUE")
    path = [part.replace("\\.", ".") for part in _DOT.split(key)]
    found: dict[str, Any] = {}
    put(found, path, value if path[0] == CONFIG else yaml.safe_load(value))
    return found
