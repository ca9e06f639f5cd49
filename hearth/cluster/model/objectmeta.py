"""Validation of ObjectMeta, the same for built-in and custom kinds. Pure; called by the verbs.

Follows ``k8s.io/apimachinery/pkg/api/validation/objectmeta.go``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hearth.cluster.model.checks import each, immutable, labels_errors, non_negative
from hearth.cluster.model.fielderrors import FieldError, forbidden, invalid, required, too_long
from hearth.cluster.model.roundtrip import round_trip
from hearth.cluster.model.typetable import struct
from hearth.kube.names import (
    dns1123_label_problems,
    dns1123_subdomain_problems,
    qualified_name_problems,
)

Object = dict[str, Any]
NameFunction = Callable[[str], list[str]]

STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
"""Finalizers of Kubernetes that have no domain in their name."""
_ANNOTATIONS_LIMIT = 256 * 1024
_MANAGER_LIMIT = 128
_SUBRESOURCE_LIMIT = 256
_LASTING = frozenset({"labels", "annotations", "ownerReferences", "finalizers", "managedFields"})
_ORPHAN = "orphan"
_FOREGROUND = "foregroundDeletion"


def canonical_metadata(obj: Object, known: Object | None = None) -> None:
    """Brings ``metadata`` to the form Go would write it in, for custom kinds."""
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        round_trip(metadata, struct("meta/v1", "ObjectMeta"), (known or {}).get("metadata"))


def validate_object_meta(
    obj: Object,
    *,
    namespaced: bool,
    name_fn: NameFunction | None = None,
    known: Object | None = None,
) -> list[FieldError]:
    """The errors of an object's metadata; ``name_fn`` None means a DNS-1123 subdomain.

    What ``known``, which is stored, has just so is in order.
    """
    metadata = _touched(obj.get("metadata") or {}, (known or {}).get("metadata") or {})
    problems = name_fn or dns1123_subdomain_problems
    errors = list(_name_errors(metadata, problems))
    errors += _namespace_errors(metadata, namespaced)
    errors += non_negative(metadata, "generation", "metadata")
    errors += labels_errors(metadata.get("labels"), "metadata.labels")
    errors += _annotation_errors(metadata)
    errors += owner_errors(metadata.get("ownerReferences") or [], "metadata.ownerReferences")
    errors += _finalizer_errors(metadata.get("finalizers") or [])
    errors += _managed_fields_errors(metadata)
    return errors


def _touched(metadata: Object, before: Object) -> Object:
    """Metadata without those parts that an update left as they were."""
    return {k: v for k, v in metadata.items() if k not in _LASTING or v != before.get(k)}


def _name_errors(metadata: Object, problems: NameFunction) -> Iterator[FieldError]:
    prefix = metadata.get("generateName", "")
    if prefix:
        yield from each("metadata.generateName", prefix, problems(_masked(prefix)))
    name = metadata.get("name", "")
    if not name:
        yield required("metadata.name", "name or generateName is required")
    else:
        yield from each("metadata.name", name, problems(name))


def _masked(prefix: str) -> str:
    """A prefix may end in a dash, since a random suffix follows it."""
    return prefix[:-2] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix


def _namespace_errors(metadata: Object, namespaced: bool) -> Iterator[FieldError]:
    namespace = metadata.get("namespace", "")
    if not namespaced:
        if namespace:
            yield forbidden("metadata.namespace", "not allowed on this type")
    elif not namespace:
        yield required("metadata.namespace")
    else:
        yield from each("metadata.namespace", namespace, dns1123_label_problems(namespace))


def _annotation_errors(metadata: Object) -> Iterator[FieldError]:
    yield from annotations_errors(metadata.get("annotations"), "metadata.annotations")


def annotations_errors(annotations: Mapping[str, str] | None, path: str) -> Iterator[FieldError]:
    """Checks keys and the total size of annotations."""
    size = 0
    for key, value in (annotations or {}).items():
        yield from each(path, key, qualified_name_problems(key.lower()))
        size += len(key.encode()) + len(value.encode())
    if size > _ANNOTATIONS_LIMIT:
        yield too_long(path, _ANNOTATIONS_LIMIT)


_OWNER_FIELDS = ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")


def owner_errors(owners: list[Object], path: str) -> Iterator[FieldError]:
    """Each reference complete, and at most one controller among them."""
    controller = ""
    for owner in owners:
        yield from _owner_errors(owner, path)
        if not owner.get("controller"):
            continue
        name = f"{owner.get('kind', '')}/{owner.get('name', '')}"
        if controller:
            shown = [{k: o[k] for k in _OWNER_FIELDS if k in o} for o in owners]
            yield invalid(
                path,
                shown,
                "Only one reference can have Controller set to true. "
                f'Found "true" in references for {controller} and {name}',
            )
        else:
            controller = name


def _owner_errors(owner: Object, path: str) -> Iterator[FieldError]:
    version = owner.get("apiVersion", "")
    if not version.rpartition("/")[2]:
        yield invalid(f"{path}.apiVersion", version, "version must not be empty")
    for key in ("kind", "name", "uid"):
        if not owner.get(key):
            yield invalid(f"{path}.{key}", "", "must not be empty")
    if version == "v1" and owner.get("kind") == "Event":
        shown = {k: owner[k] for k in _OWNER_FIELDS if k in owner}
        yield invalid(path, shown, "/v1, Kind=Event is disallowed from being an owner")


def _finalizer_errors(finalizers: list[str]) -> Iterator[FieldError]:
    path = "metadata.finalizers"
    for finalizer in finalizers:
        yield from each(path, finalizer, qualified_name_problems(finalizer))
    if _ORPHAN in finalizers and _FOREGROUND in finalizers:
        detail = f"finalizer {_ORPHAN} and {_FOREGROUND} cannot be both set"
        yield invalid(path, finalizers, detail)


def _managed_fields_errors(metadata: Object) -> Iterator[FieldError]:
    for i, entry in enumerate(metadata.get("managedFields") or ()):
        path = f"metadata.managedFields[{i}]"
        operation = entry.get("operation", "")
        if operation not in ("Apply", "Update"):
            yield invalid(f"{path}.operation", operation, "must be `Apply` or `Update`")
        kind = entry.get("fieldsType", "")
        if kind and kind != "FieldsV1":
            yield invalid(f"{path}.fieldsType", kind, "must be `FieldsV1`")
        if len(entry.get("manager", "").encode()) > _MANAGER_LIMIT:
            yield too_long(f"{path}.manager", _MANAGER_LIMIT)
        if len(entry.get("subresource", "").encode()) > _SUBRESOURCE_LIMIT:
            yield too_long(f"{path}.subresource", _SUBRESOURCE_LIMIT)


def validate_object_meta_update(new: Object, old: Object) -> list[FieldError]:
    """The errors of changed metadata. The caller has filled in what the server decides."""
    metadata, before = new.get("metadata") or {}, old.get("metadata") or {}
    errors = list(no_new_finalizers(metadata, before))
    if not metadata.get("resourceVersion"):
        errors.append(invalid("metadata.resourceVersion", "", "must be specified for an update"))
    generation = metadata.get("generation", 0)
    if generation < before.get("generation", 0):
        errors.append(invalid("metadata.generation", generation, "must not be decremented"))
    for key, absent in _IMMUTABLE_FIELDS:
        now, then = metadata.get(key, absent), before.get(key, absent)
        errors += immutable(now, then, f"metadata.{key}")
    return errors + _lasting_errors(_touched(metadata, before))


def _lasting_errors(metadata: Object) -> list[FieldError]:
    errors = list(labels_errors(metadata.get("labels"), "metadata.labels"))
    errors += _annotation_errors(metadata)
    errors += owner_errors(metadata.get("ownerReferences") or [], "metadata.ownerReferences")
    errors += _managed_fields_errors(metadata)
    return errors


_IMMUTABLE_FIELDS: tuple[tuple[str, Any], ...] = (
    ("name", ""),
    ("namespace", ""),
    ("uid", ""),
    ("creationTimestamp", None),
    ("deletionTimestamp", None),
    ("deletionGracePeriodSeconds", None),
)


def no_new_finalizers(metadata: Object, before: Object) -> Iterator[FieldError]:
    """An object that is being deleted only loses finalizers."""
    if not before.get("deletionTimestamp"):
        return
    added = set(metadata.get("finalizers") or ()) - set(before.get("finalizers") or ())
    if added:
        names = ", ".join(f'"{name}"' for name in sorted(added))
        yield forbidden(
            "metadata.finalizers",
            "no new finalizers can be added if the object is being deleted, "
            f"found new finalizers []string{{{names}}}",
        )
