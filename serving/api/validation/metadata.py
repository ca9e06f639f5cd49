"""Names, annotations and labels of serving's objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hearth.knative import fielderrors as fe
from hearth.knative.configmap import whole_seconds
from hearth.knative.fielderrors import Errors, FieldError
from hearth.kube.durations import parse_go_duration
from hearth.kube.gotext import format_list
from hearth.kube.names import dns1035_label_problems
from serving.api import keys
from serving.api.keys import Aliases
from serving.api.validation.names import generate_name_problems

Metadata = Mapping[str, Any]

_NETWORKING_ANNOTATIONS = frozenset(
    {
        *keys.INGRESS_CLASS.spellings,
        *keys.CERTIFICATE_CLASS.spellings,
        *keys.DISABLE_EXTERNAL_TLS.spellings,
        *keys.HTTP_PROTOCOL.spellings,
    }
)


def annotations_of(metadata: Metadata) -> Mapping[str, str]:
    """Return the annotations; an empty map where there are none."""
    return metadata.get("annotations") or {}


def validate_name(metadata: Metadata) -> Errors:
    """The object's own name, or the prefix of one to be made up."""
    name, prefix = metadata.get("name", ""), metadata.get("generateName", "")
    if prefix and (problems := generate_name_problems(prefix)):
        message = f"not a DNS 1035 label prefix: {format_list(problems)}"
        return [FieldError(message, ("generateName",))]
    if name and (problems := dns1035_label_problems(name)):
        return [FieldError(f"not a DNS 1035 label: {format_list(problems)}", ("name",))]
    if not name and not prefix:
        return [FieldError("name or generateName is required", ("name",))]
    return []


def no_autoscaling_annotations(annotations: Mapping[str, str]) -> Errors:
    """They belong to the template; here they would do nothing."""
    hint = 'autoscaling annotations must be put under "spec.template.metadata.annotations" to work'
    return [
        fe.invalid_key(key, "", hint)
        for key in annotations
        if key.startswith(keys.AUTOSCALING_GROUP)
    ]


def networking_annotations(annotations: Mapping[str, str]) -> Errors:
    """Refuse annotations of ``networking.knative.dev`` that nobody knows."""
    return [
        fe.invalid_key(key, "")
        for key in annotations
        if key.startswith(keys.NETWORKING_GROUP) and key not in _NETWORKING_ANNOTATIONS
    ]


def whole_positive_duration(
    annotations: Mapping[str, str], aliases: Aliases, *, called: str
) -> Errors:
    """A duration in whole seconds that is not negative; empty is as good as absent."""
    entry = aliases.find(annotations)
    if entry is None or not entry[1]:
        return []
    key, text = entry
    try:
        seconds = parse_go_duration(text)
    except ValueError:
        return [fe.invalid(text, key)]
    if not whole_seconds(seconds):
        return [FieldError(f"{called}={text} is not at second precision", (key,))]
    if seconds < 0:
        return [FieldError(f"{called}={text} must be positive", (key,))]
    return []


def creator_and_modifier(old: Metadata, new: Metadata, *, spec_changed: bool) -> Errors:
    """The creator never changes; the last modifier only along with the spec."""
    before, after = annotations_of(old), annotations_of(new)
    errors: Errors = []
    if before.get(keys.CREATOR, "") != after.get(keys.CREATOR, ""):
        errors.append(FieldError("annotation value is immutable", (keys.CREATOR,)))
    modifier = after.get(keys.LAST_MODIFIER, "")
    if not spec_changed and before.get(keys.LAST_MODIFIER, "") != modifier:
        errors.append(fe.invalid(modifier, keys.LAST_MODIFIER))
    return errors


def label_names_owner(metadata: Metadata, label: str, kind: str) -> Errors:
    """A label that names a parent is only for its children."""
    value = (metadata.get("labels") or {}).get(label)
    owners = metadata.get("ownerReferences") or ()
    if value is None or any(o.get("kind") == kind and o.get("name") == value for o in owners):
        return []
    return [fe.missing(label)]
