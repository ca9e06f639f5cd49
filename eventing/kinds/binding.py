"""What a SinkBinding puts into a pod template, and how it is taken out again. Pure.

The variables, and their order, are those of ``sources.knative.dev/v1`` SinkBinding: ``K_SINK``,
``K_CA_CERTS`` where the sink has certificates, ``K_CE_OVERRIDES``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.kube import meta
from hearth.kube.meta import Object

SINK, CA_CERTS, CE_OVERRIDES = "K_SINK", "K_CA_CERTS", "K_CE_OVERRIDES"
_OURS = frozenset({SINK, CA_CERTS, CE_OVERRIDES})
_CONTAINERS = ("initContainers", "containers")


@dataclass(frozen=True, slots=True)
class Bound:
    """What containers are told."""

    url: str
    ca_certs: str | None = None
    overrides: str = ""
    """The binding's ``ceOverrides`` as JSON."""

    def variables(self) -> list[dict[str, str]]:
        """Return the entries of ``env``; as stored, an empty value is none."""
        entries = [{"name": SINK, "value": self.url}]
        if self.ca_certs is not None:
            entries.append({"name": CA_CERTS, "value": self.ca_certs})
        value = {"value": self.overrides} if self.overrides else {}
        return [*entries, {"name": CE_OVERRIDES, **value}]


def overrides_text(spec: Mapping[str, Any]) -> str:
    """Return the ``ceOverrides`` of a source as one line of JSON; nothing where there are none."""
    given = spec.get("ceOverrides")
    return "" if given is None else json.dumps(given, separators=(",", ":"), sort_keys=True)


def pod_of(obj: Object) -> Mapping[str, Any] | None:
    """Return the pod spec within a workload; None where a kind holds no pod template."""
    spec = obj.get("spec")
    template = spec.get("template") if isinstance(spec, Mapping) else None
    pod = template.get("spec") if isinstance(template, Mapping) else None
    return pod if isinstance(pod, Mapping) else None


def bind(obj: Object, bound: Bound | None) -> Object:
    """Return a workload whose containers are told where to send; with None, no more."""
    pod = pod_of(obj)
    if pod is None:
        return obj
    changed = _bind_pod(pod, [] if bound is None else bound.variables())
    template = {**obj["spec"]["template"], "spec": changed}
    return {**obj, "spec": {**obj["spec"], "template": template}}


def _bind_pod(pod: Mapping[str, Any], variables: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    changed = dict(pod)
    for field in _CONTAINERS:
        if pod.get(field):
            changed[field] = [_bind_container(each, variables) for each in pod[field]]
    return changed


def _bind_container(
    container: Mapping[str, Any], variables: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    known = container.get("env")
    kept = [each for each in known or () if each.get("name") not in _OURS]
    if len(kept) == len(known or ()) and not variables:
        return dict(container)
    env = [*kept, *(dict(each) for each in variables)]
    others = {field: value for field, value in container.items() if field != "env"}
    return {**others, "env": env} if env else others


def change_of(obj: Object, bound: Bound | None) -> dict[str, Any] | None:
    """Return the merge patch that binds a workload; None where it is bound as it should be.

    A merge patch replaces lists as a whole, so it holds for the version that was looked at only.
    """
    changed = bind(obj, bound)
    if changed == obj:
        return None
    before, after = obj["spec"]["template"]["spec"], changed["spec"]["template"]["spec"]
    pod = {field: after[field] for field in _CONTAINERS if after.get(field) != before.get(field)}
    return {
        "metadata": {"resourceVersion": meta.resource_version(obj)},
        "spec": {"template": {"spec": pod}},
    }
