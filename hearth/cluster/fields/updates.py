"""Who owns which field: tracking updates and merging server-side applies.

Called by the request handlers with whole objects, on the way to the store: ``track_update`` for
create, update and every kind of patch, ``apply`` for apply patches. Pure: the time is an argument.

Ownership follows Kubernetes: an update takes the fields it changes from everybody else; an apply
owns what it sends, conflicts with other owners of values it would change (unless forced), and
removes what it used to send when nobody else owns it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hearth.cluster.fields.atoms import Atom, atom_of
from hearth.cluster.fields.entries import (
    APPLY,
    UPDATE,
    Entry,
    ManagerId,
    Managers,
    capped,
    decode,
    encode,
    manager_id,
    without_times,
)
from hearth.cluster.fields.fieldset import EMPTY, FieldSet, Path, StoredFieldSet, path_text
from hearth.cluster.fields.merging import fitted, merge, remove, with_named_fields
from hearth.cluster.fields.typed import ABSENT, TypedError, check, compare, field_set, same
from hearth.cluster.model.differences import is_exactly
from hearth.cluster.model.roundtrip import round_trip
from hearth.cluster.model.typetable import struct_of

Object = dict[str, Any]
Schema = Mapping[str, Any]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
BEFORE_FIRST_APPLY = "before-first-apply"

# Never owned by anybody: the server's own, and what names the object.
_STRIPPED = FieldSet.of(
    ("f:apiVersion",),
    ("f:kind",),
    ("f:metadata",),
    *(
        ("f:metadata", f"f:{name}")
        for name in (
            "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName",
            "generation", "managedFields", "resourceVersion",
        )
    ),
)  # fmt: skip

# What the strategy of each endpoint sets back, so that nobody comes to own it there.
_RESET_ON_MAIN = FieldSet.of(("f:status",))
_RESET_ON_STATUS = FieldSet.of(("f:spec",))
_RESET_ON_CUSTOM_STATUS = FieldSet.of(("f:metadata",), ("f:spec",))


class ApplyError(ValueError):
    """An apply patch that cannot be merged; ``code`` is the HTTP status to answer with."""

    def __init__(self, message: str, *, code: int = 500) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field whose value would change although another manager owns it."""

    manager: ManagerId
    api_version: str
    path: Path

    @property
    def field(self) -> str:
        """The field as the message names it, ``.spec.replicas``."""
        return path_text(self.path)

    @property
    def owner(self) -> str:
        """The other manager as messages name it."""
        text = json.dumps(self.manager.manager, ensure_ascii=False)
        if self.manager.subresource:
            text += f" with subresource {json.dumps(self.manager.subresource)}"
        if self.manager.operation == UPDATE:
            text += f" using {self.api_version}"
        return text


def reset_fields(subresource: str, *, has_status: bool, custom: bool = False) -> FieldSet:
    """The fields that no write through this endpoint can come to own."""
    if subresource == "status":
        return _RESET_ON_CUSTOM_STATUS if custom else _RESET_ON_STATUS
    return _RESET_ON_MAIN if has_status and not subresource else EMPTY


def track_update(
    old: Object | None,
    new: Object,
    *,
    schema: Schema,
    manager: str,
    api_version: str,
    now: str,
    subresource: str = "",
    reset: FieldSet = EMPTY,
) -> list[dict[str, Any]]:
    """The managedFields of an object after a create (``old`` is None), update or patch.

    An empty list means that the object has none.
    """
    atom = atom_of(schema)
    managers = _known_managers(old, new, subresource)
    if not managers and old is not None:
        return []  # tracking starts with a create or the first apply
    before = _stripped(old) if old is not None else zero_object(schema)
    author = manager_id(manager, UPDATE, api_version, subresource=subresource)
    try:
        updated = _update(
            managers, before, _stripped(new), atom=atom, author=author,
            api_version=api_version, now=now, reset=reset,
        )  # fmt: skip
    except ValueError:  # an object that cannot be walked keeps the owners it had
        return _entries_of(old)
    return encode(capped(updated))


def apply(
    live: Object | None,
    applied: Object,
    *,
    schema: Schema,
    manager: str,
    force: bool,
    api_version: str,
    now: str,
    subresource: str = "",
    reset: FieldSet = EMPTY,
) -> tuple[Object, tuple[Conflict, ...]]:
    """Merges an applied configuration into the live object (None: it does not exist yet).

    Returns the object to store, managedFields included, and no conflicts; or the live object and
    the conflicts. Raises ApplyError for a configuration that cannot be merged.
    """
    if (applied.get("metadata") or {}).get("managedFields") is not None:
        raise ApplyError("metadata.managedFields must be nil", code=400)
    atom = atom_of(schema)
    _check_applied(atom, applied)
    managers = _managers_before_apply(live, schema, api_version=api_version, now=now)
    step = _Apply(
        atom=atom,
        live=_stripped(live) if live is not None else {},
        applied=applied,
        author=manager_id(manager, APPLY, api_version, subresource=subresource),
        api_version=api_version,
        reset=reset,
    )
    try:
        merged, after, conflicts = step.run(managers, force=force)
        if conflicts and manager == "kubectl":
            conflicts = _not_from_client_side(conflicts, step.live, atom)
            if not conflicts:
                merged, after, conflicts = step.run(managers, force=True)
    except TypedError as error:
        raise ApplyError(f"failed to merge config: {error}") from error
    if conflicts:
        return live or {}, tuple(conflicts)
    if live is None or not same(step.live, merged):
        key = step.author
        if key in after:
            after[key] = replace(after[key], time=now)
    merged = _with_entries(merged, encode(after))
    if manager == "kubectl":
        _refresh_last_applied(merged, applied)
    return merged, ()


def conflict_status(conflicts: tuple[Conflict, ...]) -> Object:
    """The Status body of a refused apply."""
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {c.owner}",
            "field": c.field,
        }
        for c in conflicts
    ]
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": _conflict_message(conflicts),
        "reason": "Conflict",
        "details": {"causes": causes},
        "code": 409,
    }


def _conflict_message(conflicts: tuple[Conflict, ...]) -> str:
    if len(conflicts) == 1:
        one = conflicts[0]
        return f"Apply failed with 1 conflict: conflict with {one.owner}: {one.field}"
    lines: list[str] = []
    owner = ""
    for conflict in conflicts:  # they come sorted by manager
        if conflict.owner != owner:
            owner = conflict.owner
            lines.append(f"conflicts with {owner}:")
        lines.append(f"- {conflict.field}")
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)


def keep_times(old: Object, new: Object) -> None:
    """Gives ``new`` the managedFields of ``old`` when they differ in nothing but their times.

    A write that changes nothing else is then no write at all.
    """
    before, after = _entries_of(old), _entries_of(new)
    if before != after and without_times(before) == without_times(after):
        new["metadata"] = {**new["metadata"], "managedFields": before}


# -- updates -------------------------------------------------------------------------------


def _known_managers(old: Object | None, new: Object, subresource: str) -> Managers:
    """The owners before an update: those in the request when it may set them, else the live ones.

    Clients that do not know managedFields drop them; an explicitly empty list resets them.
    """
    stored = _entries_of(old)
    if not subresource:
        given = (new.get("metadata") or {}).get("managedFields")
        if given == [] or given == [{}]:
            return {}
        try:
            if not is_exactly(given, stored) and (managers := decode(given)):
                return managers
        except ValueError:
            pass
    try:
        return decode(stored, ours=True)
    except ValueError:
        return {}


def _update(
    managers: Managers,
    before: Object,
    after: Object,
    *,
    atom: Atom,
    author: ManagerId,
    api_version: str,
    now: str,
    reset: FieldSet,
) -> Managers:
    difference = compare(atom, before, after).excluding(reset)
    changed = difference.modified.union(difference.added)
    lost = changed.union(difference.removed)
    result: Managers = {}
    for key, entry in managers.items():
        if isinstance(entry.fields, StoredFieldSet) and not entry.fields.overlaps(lost):
            result[key] = entry
        elif rest := fitted(atom, entry.fields).difference(lost):
            result[key] = replace(entry, fields=rest)
    if gained := changed.difference(_STRIPPED):
        held = fitted(atom, result[author].fields) if author in result else EMPTY
        result[author] = Entry(gained.union(held), api_version, now)
    return result


# -- apply ---------------------------------------------------------------------------------


def _check_applied(atom: Atom, applied: Object) -> None:
    errors = check(atom, applied, allow_duplicates=False)
    if not errors:
        return
    meta = applied.get("metadata") or {}
    text = errors[0] if len(errors) == 1 else "\n".join(["errors:", *(f"  {e}" for e in errors)])
    group, _, version = applied.get("apiVersion", "").rpartition("/")
    group_version, kind = f"{group}/{version}", applied.get("kind", "")
    raise ApplyError(
        f"failed to create typed patch object ({meta.get('namespace', '')}/{meta.get('name', '')}; "
        f"{group_version}, Kind={kind}): {text}"
    )


def _managers_before_apply(
    live: Object | None, schema: Schema, *, api_version: str, now: str
) -> Managers:
    """The owners of the live object; all its fields have one, even if it was never tracked."""
    if live is None:
        return {}
    try:
        managers = decode(_entries_of(live))
    except ValueError as error:
        raise ApplyError(f"failed to decode managed fields: {error}") from error
    if managers:
        return managers
    author = manager_id(BEFORE_FIRST_APPLY, UPDATE, api_version, subresource="")
    try:
        return _update(
            {}, zero_object(schema), _stripped(live), atom=atom_of(schema), author=author,
            api_version=api_version, now=now, reset=EMPTY,
        )  # fmt: skip
    except TypedError as error:
        raise ApplyError(f"failed to create manager for existing fields: {error}") from error


@dataclass(frozen=True, slots=True)
class _Apply:
    """One apply: its inputs, and the steps from them to the merged object and its owners."""

    atom: Atom
    live: Object
    applied: Object
    author: ManagerId
    api_version: str
    reset: FieldSet

    def run(self, managers: Managers, *, force: bool) -> tuple[Object, Managers, list[Conflict]]:
        known = {k: replace(e, fields=fitted(self.atom, e.fields)) for k, e in managers.items()}
        last = known.get(self.author)
        fields = field_set(self.atom, self.applied).recursive_difference(self.reset)
        time = last.time if last else None
        known[self.author] = Entry(fields, self.api_version, time)
        merged = merge(self.atom, self.live, self.applied)
        if last and last.fields:
            merged = self._prune(merged, known, last.fields)
        return self._settle(merged, known, force=force)

    def _prune(self, merged: Object, managers: Managers, last: FieldSet) -> Object:
        """Removes what this manager applied last time and nobody owns now."""
        atom = self.atom
        last = with_named_fields(atom, last)
        everything = with_named_fields(atom, field_set(atom, merged))
        owned = EMPTY
        for entry in managers.values():
            owned = owned.union(entry.fields)
        kept = self._fields_after(merged, last).union(with_named_fields(atom, owned))
        without_unowned = self._fields_after(merged, everything.difference(kept))
        # Only what this manager really owned goes; fields that nobody owns stay.
        gone = everything.difference(without_unowned).intersection(last)
        pruned = remove(atom, merged, gone, emptied=True)
        return pruned if isinstance(pruned, dict) else {}

    def _fields_after(self, merged: Object, removed: FieldSet) -> FieldSet:
        rest = remove(self.atom, merged, removed)
        return with_named_fields(self.atom, field_set(self.atom, None if rest is ABSENT else rest))

    def _settle(
        self, merged: Object, managers: Managers, *, force: bool
    ) -> tuple[Object, Managers, list[Conflict]]:
        """Takes changed and removed fields from the other owners, or finds the conflicts."""
        difference = compare(self.atom, self.live, merged).excluding(self.reset)
        changed = difference.modified.union(difference.added)
        result: Managers = {}
        conflicts: list[Conflict] = []
        for key, entry in sorted(managers.items()):
            fields = entry.fields
            if key != self.author:
                taken = fields.intersection(changed)
                conflicts += [Conflict(key, entry.api_version, path) for path in taken]
                fields = fields.difference(taken).difference(difference.removed)
            else:
                fields = fields.difference(_STRIPPED)
            if fields:
                result[key] = replace(entry, fields=fields)
        return merged, result, ([] if force else conflicts)


# -- kubectl's client-side apply -----------------------------------------------------------


def _not_from_client_side(conflicts: list[Conflict], live: Object, atom: Atom) -> list[Conflict]:
    """The conflicts that remain when kubectl goes over from client-side to server-side apply.

    Fields that its last client-side apply set, and that still have that value, are its own.
    """
    try:
        last = json.loads(_annotations(live).get(LAST_APPLIED) or "null")
        if not isinstance(last, dict) or last.get("apiVersion") != live.get("apiVersion"):
            return conflicts
        difference = compare(atom, last, live)
        own = field_set(atom, last).difference(difference.modified).difference(difference.removed)
    except ValueError:
        return conflicts
    return [conflict for conflict in conflicts if conflict.path not in own]


def _refresh_last_applied(merged: Object, applied: Object) -> None:
    """Keeps the client-side annotation, where there is one, in step with what was applied."""
    if not _annotations(merged).get(LAST_APPLIED):
        return
    meta = dict(applied.get("metadata") or {})
    if LAST_APPLIED in (meta.get("annotations") or {}):
        meta["annotations"] = {k: v for k, v in meta["annotations"].items() if k != LAST_APPLIED}
        if not meta["annotations"]:
            del meta["annotations"]
    text = json.dumps({**applied, "metadata": meta}, separators=(",", ":"), sort_keys=True) + "\n"
    annotations = {**merged["metadata"]["annotations"], LAST_APPLIED: text}
    merged["metadata"] = {**merged["metadata"], "annotations": annotations}


def _annotations(obj: Object) -> Mapping[str, Any]:
    return (obj.get("metadata") or {}).get("annotations") or {}


# -- objects -------------------------------------------------------------------------------


def _entries_of(obj: Object | None) -> list[dict[str, Any]]:
    return ((obj or {}).get("metadata") or {}).get("managedFields") or []


def _stripped(obj: Object) -> Object:
    """The object without its managedFields, sharing the rest."""
    meta = obj.get("metadata")
    if not isinstance(meta, dict) or "managedFields" not in meta:
        return obj
    return {**obj, "metadata": {k: v for k, v in meta.items() if k != "managedFields"}}


def _with_entries(obj: Object, entries: list[dict[str, Any]]) -> Object:
    meta = {k: v for k, v in (obj.get("metadata") or {}).items() if k != "managedFields"}
    if entries:
        meta["managedFields"] = entries
    return {**obj, "metadata": meta}


# By identity; the schema is kept, so that its id cannot be used again.
_zeros: dict[int, tuple[Schema, Object]] = {}


def zero_object(schema: Schema) -> Object:
    """What an object holds before anything is set.

    Of a built-in kind these are its structs, empty: nobody owns such a ``spec`` itself. A custom
    resource starts with nothing.
    """
    struct = struct_of(schema)
    if struct is None:
        return {}
    cached = _zeros.get(id(schema))
    if cached is None:
        zero: Object = {}
        round_trip(zero, struct)
        cached = _zeros[id(schema)] = (schema, zero)
    return cached[1]
