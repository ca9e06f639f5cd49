"""config-deployment: how a revision becomes a Deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from hearth.knative.configmap import Reader, read_yaml, whole_seconds, with_texts
from hearth.knative.structs import read_struct
from hearth.kube.durations import format_go_duration
from hearth.kube.gotext import format_list, quote
from hearth.kube.models import Model
from hearth.kube.names import dns1123_subdomain_problems
from hearth.kube.selectors import label_map_problem

AFFINITY_NONE = "none"
AFFINITY_SPREAD = "prefer-spread-revision-over-nodes"
_SKIPPED_REGISTRIES = frozenset({"kind.local", "ko.local", "dev.local"})
_SIDECAR_QUANTITIES = {
    "queue-sidecar-cpu-request": ("queueSidecarCPURequest", "25m"),
    "queue-sidecar-memory-request": ("queueSidecarMemoryRequest", None),
    "queue-sidecar-ephemeral-storage-request": ("queueSidecarEphemeralStorageRequest", None),
    "queue-sidecar-cpu-limit": ("queueSidecarCPULimit", None),
    "queue-sidecar-memory-limit": ("queueSidecarMemoryLimit", None),
    "queue-sidecar-ephemeral-storage-limit": ("queueSidecarEphemeralStorageLimit", None),
}


@dataclass(frozen=True, slots=True)
class DeploymentConfig:
    """Durations in seconds. Settings of Knative's sidecar are read and checked, but not used."""

    queue_sidecar_image: str = ""
    progress_deadline: float = 600.0
    digest_resolution_timeout: float = 10.0
    registries_skipping_tag_resolving: frozenset[str] = _SKIPPED_REGISTRIES
    resolves_digests: bool = False
    """Whether registries are asked for digests. Hearth's own key; Knative always does."""
    default_affinity_type: str = AFFINITY_SPREAD
    runtime_class_names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pod_is_always_schedulable: bool = False
    queue_sidecar_resources: Mapping[str, str] = field(
        default_factory=lambda: {"queue-sidecar-cpu-request": "25m"}
    )

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> DeploymentConfig:
        """Read the ConfigMap's data; raises ValueError in Knative's words."""
        reader = Reader(data)
        config = _read(reader, data)
        deadline, timeout = config.progress_deadline, config.digest_resolution_timeout
        if "queue-sidecar-image" in data and not config.queue_sidecar_image:
            raise ValueError("queue-sidecar-image cannot be empty or unset")
        if deadline <= 0:
            raise ValueError(
                "progress-deadline cannot be a non-positive duration, "
                f"was {format_go_duration(deadline)}"
            )
        if not whole_seconds(deadline):
            raise ValueError(
                "progress-deadline must be rounded to a whole second, "
                f"was: {format_go_duration(deadline)}"
            )
        if timeout <= 0:
            raise ValueError(
                "digest-resolution-timeout cannot be a non-positive duration, "
                f"was {format_go_duration(timeout)}"
            )
        if config.default_affinity_type not in (AFFINITY_NONE, AFFINITY_SPREAD):
            raise ValueError(
                f"unsupported default-affinity-type value: {quote(config.default_affinity_type)}"
            )
        _check_runtime_classes(config.runtime_class_names)
        return config

    def runtime_class_name(self, labels: Mapping[str, str]) -> str | None:
        """The runtime class whose selector fits best: most labels, then first by name."""
        fitting = [
            (-len(selector), name)
            for name, selector in self.runtime_class_names.items()
            if all(labels.get(key) == value for key, value in selector.items())
        ]
        return min(fitting)[1] if fitting else None


def _read(reader: Reader, data: Mapping[str, str]) -> DeploymentConfig:
    image = reader.text("queueSidecarImage", "queue-sidecar-image")
    return DeploymentConfig(
        queue_sidecar_image=image,
        progress_deadline=reader.seconds("progressDeadline", "progress-deadline", default=600.0),
        digest_resolution_timeout=reader.seconds(
            "digestResolutionTimeout", "digest-resolution-timeout", default=10.0
        ),
        registries_skipping_tag_resolving=reader.names(
            "registriesSkippingTagResolving",
            "registries-skipping-tag-resolving",
            default=_SKIPPED_REGISTRIES,
        ),
        resolves_digests=_is_enabled(data.get("digest-resolution", "disabled")),
        queue_sidecar_resources=_quantities(reader),
        default_affinity_type=data.get("default-affinity-type", AFFINITY_SPREAD),
        runtime_class_names=_runtime_classes(reader.text("runtime-class-name")),
        pod_is_always_schedulable=reader.boolean("pod-is-always-schedulable", default=False),
    )


def _is_enabled(text: str) -> bool:
    if text not in ("enabled", "disabled"):
        raise ValueError(f"digest-resolution must be enabled or disabled, but was {quote(text)}")
    return text == "enabled"


def _quantities(reader: Reader) -> dict[str, str]:
    read = {
        key: reader.quantity(old, key, default=default)
        for key, (old, default) in _SIDECAR_QUANTITIES.items()
    }
    return {key: value for key, value in read.items() if value}


class _ClassSelector(Model):
    selector: dict[str, str] = Field(default_factory=dict)


_CLASS_GO_TYPE = "deployment.RuntimeClassNameLabelSelector"


def _runtime_classes(text: str) -> dict[str, dict[str, str]]:
    try:
        classes = read_yaml(text)
        if classes is not None and not isinstance(classes, dict):
            # No struct but a map of structs, which has no name of its own.
            read_struct(classes, _ClassSelector, go_type=f"map[string]{_CLASS_GO_TYPE}")
        return {name: _selector(entry) for name, entry in (classes or {}).items()}
    except ValueError as error:
        raise ValueError(
            f"runtime-class-name cannot be parsed, please check the format: {error}"
        ) from None


def _selector(entry: Any) -> dict[str, str]:
    if isinstance(entry, dict):
        entry = {**entry, "selector": with_texts(entry.get("selector"))}
    return read_struct(entry, _ClassSelector, go_type=_CLASS_GO_TYPE).selector


def _check_runtime_classes(classes: Mapping[str, Mapping[str, str]]) -> None:
    for name, selector in classes.items():
        if problems := dns1123_subdomain_problems(name):
            raise ValueError(
                f"runtime-class-name {name} selector not valid DNSSubdomain: "
                f"{format_list(problems)}"
            )
        if problem := label_map_problem(selector):
            raise ValueError(f"runtime-class-name {name} selector invalid: {problem}")
