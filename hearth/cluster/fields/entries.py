"""``metadata.managedFields``: reading, writing, ordering and bounding its entries.

One entry says which fields one manager owns through one kind of operation. Used by ``updates``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from hearth.cluster.fields.fieldset import FieldSet, StoredFieldSet

APPLY = "Apply"
UPDATE = "Update"

# Beyond so many Update entries the oldest are merged into one, as kube-apiserver does.
MAX_UPDATE_MANAGERS = 10
OLD_UPDATES_MANAGER = "ancient-changes"


class ManagerId(NamedTuple):
    """What tells managers apart. An applier is the same one whatever version it applies."""

    manager: str
    operation: str
    api_version: str  # "" for appliers
    subresource: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What one manager owns, under the version it wrote."""

    fields: FieldSet
    api_version: str
    time: str | None = None  # RFC 3339, as stored


Managers = dict[ManagerId, Entry]


def manager_id(manager: str, operation: str, api_version: str, *, subresource: str) -> ManagerId:
    """The key of an entry: applies of all versions share one, updates do not."""
    version = "" if operation == APPLY else api_version
    return ManagerId(manager or "unknown", operation, version, subresource)


def decode(entries: object, *, ours: bool = False) -> Managers:
    """Reads managedFields; raises ValueError when they are not well-formed.

    ``ours``: we wrote them, and what nobody asks for need not be read.
    """
    managers: Managers = {}
    read = StoredFieldSet if ours else FieldSet.from_fields
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if not isinstance(entry, Mapping):
            raise ValueError(f"managed fields entry {index} is not an object")
        operation, version = entry.get("operation"), entry.get("apiVersion")
        if operation not in (APPLY, UPDATE):
            raise ValueError("operation must be `Apply` or `Update`")
        if not version:
            raise ValueError("apiVersion must not be empty")
        if not (kind := entry.get("fieldsType")):
            raise ValueError(f"missing fieldsType in managed fields entry {index}")
        if kind != "FieldsV1":
            raise ValueError(f'invalid fieldsType "{kind}" in managed fields entry {index}')
        subresource = entry.get("subresource", "")
        key = ManagerId(
            entry.get("manager", ""), operation, "" if operation == APPLY else version, subresource
        )
        fields = read(entry.get("fieldsV1") or {})
        managers[key] = Entry(fields, version, entry.get("time"))
    return managers


def encode(managers: Managers) -> list[dict[str, Any]]:
    """The ``managedFields`` in their order: operation, time, manager, version, subresource."""
    entries = sorted(
        managers.items(),
        key=lambda item: (
            item[0].operation,
            item[1].time or "",
            item[0].manager,
            item[1].api_version,
            item[0].subresource,
        ),
    )
    return [_encode_entry(key, entry) for key, entry in entries]


def _encode_entry(key: ManagerId, entry: Entry) -> dict[str, Any]:
    out: dict[str, Any] = {"manager": key.manager} if key.manager else {}
    out["operation"] = key.operation
    out["apiVersion"] = entry.api_version
    if entry.time is not None:
        out["time"] = entry.time
    out["fieldsType"] = "FieldsV1"
    out["fieldsV1"] = entry.fields.to_fields()
    if key.subresource:
        out["subresource"] = key.subresource
    return out


def capped(managers: Managers) -> Managers:
    """At most ten Update entries: the oldest are merged, one bucket for each version."""
    updates = [key for key in managers if key.operation == UPDATE]
    surplus = len(updates) - MAX_UPDATE_MANAGERS
    if surplus <= 0:
        return managers
    result = dict(managers)
    first_of_version: dict[str, ManagerId] = {}
    for key in sorted(updates, key=lambda k: (managers[k].time or "", k)):
        if surplus <= 0:
            break
        version = managers[key].api_version
        if version not in first_of_version:
            first_of_version[version] = key
            continue
        bucket = ManagerId(OLD_UPDATES_MANAGER, UPDATE, version, "")
        if bucket not in result:
            result[bucket] = result.pop(first_of_version[version])
        entry = result.pop(key)
        merged = entry.fields.union(result[bucket].fields)
        result[bucket] = replace(entry, fields=merged)
        surplus -= 1
    return result


def without_times(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The entries without their times, for telling whether anything else changed."""
    return [{k: v for k, v in entry.items() if k != "time"} for entry in entries]
