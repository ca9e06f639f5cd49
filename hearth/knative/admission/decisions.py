"""The answers of the defaulting and the validating webhook, in the words of knative.dev/pkg. Pure.

The order is the one of ``webhook/resourcesemantics``: decode, default, sign; then decode, validate,
and for a dry run name the child to try. Writes of a status, and writes to an object that is on its
way out, are let through: neither may be held up by a rule that is newer than the object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from hearth.knative import fielderrors as fe
from hearth.knative.admission.kinds import Change, Decoded, Kind, Right, Trial
from hearth.kube.admission import ALLOWED, CREATE, UPDATE, AdmissionRequest, AdmissionResponse
from hearth.kube.meta import Object, is_deleting
from hearth.kube.models import DecodeError, decode, dump, unknown_field

T = TypeVar("T")
Kinds = Mapping[tuple[str, str, str], Kind[Any, T]]
"""Kinds by group, version and kind."""

_WRITES = (CREATE, UPDATE)


def deny(message: str, warnings: tuple[str, ...] = ()) -> AdmissionResponse:
    """Refuse as knative.dev/pkg does: a bad request with this message."""
    return AdmissionResponse(
        allowed=False, message=message, code=400, reason="BadRequest", warnings=warnings
    )


def is_asked(request: AdmissionRequest) -> bool:
    """Whether the request creates or updates an object that is there to stay."""
    return (
        request.operation in _WRITES
        and not request.subresource
        and request.object is not None
        and not is_deleting(request.object)
    )


def default(kinds: Kinds[T], request: AdmissionRequest, settings: T) -> AdmissionResponse:
    """Complete the object and note on it who wrote it."""
    if not is_asked(request):
        return ALLOWED
    try:
        return AdmissionResponse(changed=_defaulted(_kind(kinds, request), request, settings))
    except DecodeError as error:
        return deny(f"mutation failed: {error}")


def _defaulted(kind: Kind[Any, T], request: AdmissionRequest, settings: T) -> Object:
    obj, old = request.object, None
    assert obj is not None
    new = _decode(kind, request, obj, "new")
    if request.old_object is not None:
        # The old object may stem from other defaults; what they change is no change of the user.
        old = _decode(kind, request, request.old_object, "old")
        kind.default(Change(old, None, settings, creating=False))
    change = Change(new, old, settings, creating=old is None)
    kind.default(change)
    if kind.is_signed(new) and change.is_spec_changed:
        _sign(new, kind.resource.group, request.username, creating=old is None)
    kept = {k: v for k, v in new.metadata.items() if v or k not in ("annotations", "labels")}
    return {**obj, "metadata": kept, "spec": dump(new.spec)}


def _sign(obj: Decoded[Any], group: str, username: str, *, creating: bool) -> None:
    signatures = {f"{group}/lastModifier": username}
    if creating:
        signatures[f"{group}/creator"] = username
    obj.put("annotations", {**obj.annotations, **signatures})


def validate(
    kinds: Kinds[T], request: AdmissionRequest, settings: T
) -> tuple[AdmissionResponse, Trial | None]:
    """Refuse what is wrong, all complaints at once; else name what a dry run has yet to try."""
    if not is_asked(request):
        return ALLOWED, None
    try:
        kind = _kind(kinds, request)
        change = _change(kind, request, settings)
    except DecodeError as error:
        return deny(f"decoding request failed: {error}"), None
    errors = kind.validate(change)
    warnings = tuple(fe.line(error) for error in fe.merged(errors) if error.warning)
    refusals = [error for error in errors if not error.warning]
    if refusals:
        return deny(f"validation failed: {fe.text(refusals)}", warnings), None
    trial = kind.trial(change) if request.dry_run or kind.always_tries else None
    return AdmissionResponse(warnings=warnings), trial


def right_needed(kinds: Kinds[T], request: AdmissionRequest, settings: T) -> Right | None:
    """Name what the user of a write that is valid must be allowed to do besides, if anything."""
    kind = kinds.get((request.group, request.version, request.kind))
    if kind is None or kind.right is None or not is_asked(request):
        return None
    return kind.right(_change(kind, request, settings))


def _change(kind: Kind[Any, T], request: AdmissionRequest, settings: T) -> Change[Any, T]:
    assert request.object is not None
    new, old = _decode(kind, request, request.object, "new"), None
    if request.operation == UPDATE and request.old_object is not None:
        old = _decode(kind, request, request.old_object, "old")
    return Change(new, old, settings, creating=old is None)


def _kind(kinds: Kinds[T], request: AdmissionRequest) -> Kind[Any, T]:
    kind = kinds.get((request.group, request.version, request.kind))
    if kind is None:
        named = f"{request.group}/{request.version}, Kind={request.kind}"
        raise DecodeError(f"unhandled kind: {named}")
    return kind


def _decode(
    kind: Kind[Any, Any], request: AdmissionRequest, obj: Object, which: str
) -> Decoded[Any]:
    given = obj.get("spec")
    try:
        spec = decode(kind.spec, given, root=kind.resource.kind, at=("spec",))
        unknown = unknown_field(kind.spec, given) if kind.is_strict else None
        if unknown is not None:
            raise DecodeError(f'json: unknown field "{unknown}"')
    except DecodeError as error:
        raise DecodeError(f"cannot decode incoming {which} object: {error}") from None
    metadata = dict(obj.get("metadata") or {})
    return Decoded(metadata, spec, request.namespace or str(metadata.get("namespace", "")))
