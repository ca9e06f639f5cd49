"""What a SinkBinding puts into a pod template, and how it is taken out again. Pure.

A sink with an audience is shown a token, which pods find in ``/oidc/token`` as with Knative: one of
the pod's own service account, which the kubelet renews.

The variables, and their order, are those of ``sources.knative.dev/v1`` SinkBinding: ``K_SINK``,
``K_CA_CERTS`` where the sink has certificates, ``K_CE_OVERRIDES``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventing.api import trust
from hearth.kube import meta
from hearth.kube.meta import Object

SINK, CA_CERTS, CE_OVERRIDES = "K_SINK", "K_CA_CERTS", "K_CE_OVERRIDES"
_OURS = frozenset({SINK, CA_CERTS, CE_OVERRIDES})
TOKEN_VOLUME, TOKEN_FOLDER = "oidc-token", "/oidc"
TOKEN, DEAD_LETTER_TOKEN = "token", "dead-letter-token"
"""Files with tokens there: for the sink, and for who gets what that does not take."""
_TOKEN_SECONDS = 3600
_CONTAINERS = ("initContainers", "containers")


@dataclass(frozen=True, slots=True)
class Bound:
    """What containers are told."""

    url: str
    ca_certs: str | None = None
    overrides: str = ""
    """The binding's ``ceOverrides`` as JSON."""
    audience: str | None = None
    """Whom a token must be meant for that the sink is shown; None where it asks for none."""
    bundles: Sequence[str] = ()
    """Names of the ConfigMaps with authorities to trust, which containers find in a folder."""

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
    changed = _bind_pod(pod, bound)
    template = {**obj["spec"]["template"], "spec": changed}
    return {**obj, "spec": {**obj["spec"], "template": template}}


def _bind_pod(pod: Mapping[str, Any], bound: Bound | None) -> dict[str, Any]:
    variables = [] if bound is None else bound.variables()
    audience = None if bound is None else bound.audience
    bundles = () if bound is None else bound.bundles
    mounts = ([] if audience is None else [token_mount()]) + ([trust.mount()] if bundles else [])
    changed = dict(pod)
    for field in _CONTAINERS:
        if pod.get(field):
            changed[field] = [_bind_container(each, variables, mounts) for each in pod[field]]
    volumes = [] if audience is None else [token_volume(audience)]
    if bundles:
        volumes.append(trust.volume(bundles))
    return _replaced(changed, "volumes", volumes, ours=_is_our_volume)


def _bind_container(
    container: Mapping[str, Any],
    variables: Sequence[Mapping[str, str]],
    mounts: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    told = _replaced(container, "env", variables, ours=lambda each: each.get("name") in _OURS)
    return _replaced(told, "volumeMounts", mounts, ours=_is_our_volume)


def _is_our_volume(entry: Mapping[str, Any]) -> bool:
    return entry.get("name") in (TOKEN_VOLUME, trust.VOLUME)


def _replaced(
    within: Mapping[str, Any],
    field: str,
    wanted: Sequence[Mapping[str, Any]],
    *,
    ours: Callable[[Mapping[str, Any]], bool],
) -> dict[str, Any]:
    """A list with our entries at its end, and none of ours elsewhere; an empty one is left out."""
    known = within.get(field)
    kept = [each for each in known or () if not ours(each)]
    if len(kept) == len(known or ()) and not wanted:
        return dict(within)
    entries = [*kept, *(dict(each) for each in wanted)]
    others = {name: value for name, value in within.items() if name != field}
    return {**others, field: entries} if entries else others


def token_volume(audience: str | None, dead_letter: str | None = None) -> dict[str, Any]:
    """Return the volume with a token of the pod's own account, as the API server completes it.

    ``dead_letter`` is the audience of a second one, for who gets what the sink does not take.
    """
    tokens = [
        {"audience": whom, "expirationSeconds": _TOKEN_SECONDS, "path": path}
        for path, whom in ((TOKEN, audience), (DEAD_LETTER_TOKEN, dead_letter))
        if whom is not None
    ]
    sources = [{"serviceAccountToken": each} for each in tokens]
    projected = {"sources": sources, "defaultMode": 0o644}
    return {"name": TOKEN_VOLUME, "projected": projected}


def token_mount() -> dict[str, Any]:
    """Return where a container finds the token."""
    return {"name": TOKEN_VOLUME, "mountPath": TOKEN_FOLDER, "readOnly": True}


def change_of(obj: Object, bound: Bound | None) -> dict[str, Any] | None:
    """Return the merge patch that binds a workload; None where it is bound as it should be.

    A merge patch replaces lists as a whole, so it holds for the version that was looked at only.
    """
    changed = bind(obj, bound)
    if changed == obj:
        return None
    before, after = obj["spec"]["template"]["spec"], changed["spec"]["template"]["spec"]
    fields = (*_CONTAINERS, "volumes")
    pod = {each: after.get(each) for each in fields if after.get(each) != before.get(each)}
    return {
        "metadata": {"resourceVersion": meta.resource_version(obj)},
        "spec": {"template": {"spec": pod}},
    }
