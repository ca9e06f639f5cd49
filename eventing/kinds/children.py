"""Objects that a kind makes of its own: whether they are there and as they should be. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eventing.api import keys
from eventing.api.channelkinds import CHANNEL_KINDS
from eventing.api.deliveryoptions import given_options
from hearth.knative.resources import CHANNELS
from hearth.kube import meta
from hearth.kube.meta import Object, finalizers, name, namespace, owner_reference
from hearth.kube.plan import Action, Create, Patch, Update
from hearth.kube.resources import Resource

_RESOURCES = (CHANNELS, *(kind.resource for kind in CHANNEL_KINDS))
_OURS = {(each.api_version, each.kind) for each in _RESOURCES}
NO_MORE: Mapping[str, str] = {}
_HEAD = frozenset({"apiVersion", "kind", "metadata", "status"})


def ensured(resource: Resource, desired: Object, existing: Object | None) -> tuple[Action, ...]:
    """Return what makes an object as it should be; what others added to it stays."""
    if existing is None:
        return (Create(resource, desired),)
    changed: dict[str, Any] = dict(existing)
    for field, value in desired.items():
        if field not in _HEAD:
            changed[field] = _merged(existing.get(field), value)
    labels = {**meta.labels(existing), **meta.labels(desired)}
    if labels != meta.labels(existing):
        changed["metadata"] = {**meta.metadata(existing), "labels": labels}
    return () if changed == existing else (Update(resource, changed),)


def _merged(before: Any, value: Any) -> Any:
    if isinstance(before, dict) and isinstance(value, dict):
        return {**before, **value}
    return value


def head(owner: Object, title: str) -> dict[str, Any]:
    """Return the metadata of what a kind makes of its own."""
    return {
        "name": title,
        "namespace": namespace(owner),
        "ownerReferences": [owner_reference(owner)],
    }


def made_channel(
    owner: Object,
    template: Mapping[str, Any],
    title: str,
    spec: Mapping[str, Any],
    more: Mapping[str, str] = NO_MORE,
) -> Object:
    """Return a channel of a template's kind, as admission leaves those of our own.

    Those have the delivery annotations of their owner, and more where more are given.

    In a cluster the API server does not ask about what we write ourselves.
    """
    metadata = head(owner, title)
    if is_of_ours(template):
        metadata |= marked({**given_options(meta.annotations(owner)), **more})
        metadata["annotations"] = {
            keys.SUBSCRIBABLE_ANNOTATION: "v1",
            **metadata.get("annotations", {}),
        }
    return {
        "apiVersion": template.get("apiVersion"),
        "kind": template.get("kind"),
        "metadata": metadata,
        "spec": {**spec, **with_delivery(spec, namespace(owner))},
    }


def is_of_ours(obj: Mapping[str, Any]) -> bool:
    """Whether a channel, or a template of one, is of a kind that we serve."""
    return (obj.get("apiVersion"), obj.get("kind")) in _OURS


def marked(wanted: Mapping[str, str]) -> dict[str, Any]:
    """Return metadata with annotations, and a list of their names: these are to go as they came."""
    if not wanted:
        return {}
    return {"annotations": {**wanted, keys.HANDED_ON_ANNOTATION: ",".join(sorted(wanted))}}


def wanted_by(desired: Object) -> dict[str, str]:
    """Return the annotations that an object was made with."""
    given = meta.annotations(desired)
    names = given.get(keys.HANDED_ON_ANNOTATION)
    return {title: given[title] for title in names.split(",")} if names else {}


def handed_on(
    resource: Resource,
    existing: Object,
    wanted: Mapping[str, str],
    spec: Mapping[str, Any] | None = None,
) -> tuple[Action, ...]:
    """Return what gives a part, made earlier, the annotations of what it was made for.

    Those that it was given by somebody else stay, unless they are among the wanted. Its ``spec``
    becomes the one that is given.
    """
    if meta.is_deleting(existing):
        return ()
    known = meta.annotations(existing)
    before = known.get(keys.HANDED_ON_ANNOTATION)
    ours = {*before.split(","), keys.HANDED_ON_ANNOTATION} if before else set()
    marks: dict[str, str] = marked(wanted).get("annotations", {})
    kept = {title: value for title, value in known.items() if title not in ours}
    annotations = {**kept, **marks}
    changed: Object = dict(existing)
    if annotations != known:
        changed["metadata"] = {**meta.metadata(existing), "annotations": annotations}
    if spec is not None and spec != existing.get("spec"):
        changed["spec"] = spec
    return () if changed == existing else (Update(resource, changed),)


def with_delivery(part: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the delivery that a part gives, if it does, with its references in full."""
    delivery: dict[str, Any] | None = part.get("delivery")
    if not delivery:
        return {}
    ref = (delivery.get("deadLetterSink") or {}).get("ref")
    if ref and not ref.get("namespace"):
        sink = {**delivery["deadLetterSink"], "ref": {**ref, "namespace": where}}
        delivery = {**delivery, "deadLetterSink": sink}
    return {"delivery": delivery}


def with_finalizer(resource: Resource, obj: Object, finalizer: str) -> Action:
    """Return what keeps an object from going before we have done our part."""
    return _finalizers(resource, obj, [*finalizers(obj), finalizer])


def without_finalizer(resource: Resource, obj: Object, finalizer: str) -> Action:
    """Return what lets an object go."""
    return _finalizers(resource, obj, [each for each in finalizers(obj) if each != finalizer])


def _finalizers(resource: Resource, obj: Object, wanted: list[str]) -> Action:
    metadata = {"finalizers": wanted, "resourceVersion": meta.resource_version(obj)}
    return Patch(resource, name(obj), namespace(obj), {"metadata": metadata})
