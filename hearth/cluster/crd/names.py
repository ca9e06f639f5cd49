"""Which names a CustomResourceDefinition gets, and its conditions. Pure.

Two definitions of one group may not share a plural, singular, short name or kind; the first comes,
first served. The API server calls ``accept`` whenever a definition was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hearth.cluster.model.fielderrors import go_value
from hearth.kube.conditions import Conditions

Object = dict[str, Any]

_SINGLE = (
    ("plural", "PluralConflict", "resource"),
    ("singular", "SingularConflict", "resource"),
    ("kind", "KindConflict", "kind"),
    ("listKind", "ListKindConflict", "kind"),
)


def accept(definition: Object, others: Iterable[Object], *, now: str) -> Object:
    """The status of a definition, given the claims of all others; unchanged when it is settled."""
    status = dict(definition.get("status") or {})
    taken = _taken(others, definition["spec"]["group"])
    accepted, reason, message = _accepted_names(definition, taken)
    names = _condition("NamesAccepted", not reason, reason or "NoConflicts", message)
    established = _established(status, is_accepted=not reason)
    conditions = _with_condition(status.get("conditions") or [], names, now)
    conditions = _with_condition(conditions, established, now)
    status |= {"acceptedNames": accepted, "conditions": conditions}
    return status


def claims(definition: Object) -> Object:
    """The part of a definition that other definitions' names depend on."""
    names = (definition.get("status") or {}).get("acceptedNames")
    return {"spec": {"group": definition["spec"]["group"]}, "status": {"acceptedNames": names}}


def is_served(definition: Object) -> bool:
    """Whether the kinds of a definition are part of the API: established, and not being removed."""
    return Conditions.of(definition).is_true("Established")


def _taken(others: Iterable[Object], group: str) -> Mapping[str, set[str]]:
    taken: dict[str, set[str]] = {"resource": set(), "kind": set()}
    for other in others:
        if other["spec"]["group"] != group:
            continue
        names = (other.get("status") or {}).get("acceptedNames") or {}
        taken["resource"] |= {names.get("plural", ""), names.get("singular", "")}
        taken["resource"] |= set(names.get("shortNames") or ())
        taken["kind"] |= {names.get("kind", ""), names.get("listKind", "")}
    return taken


def _accepted_names(definition: Object, taken: Mapping[str, set[str]]) -> tuple[Object, str, str]:
    """The names the definition may use, and why not all that it asks for (the last conflict)."""
    asked = definition["spec"]["names"]
    before = (definition.get("status") or {}).get("acceptedNames") or {}
    accepted = {k: v for k, v in before.items() if k not in ("categories", "shortNames")}
    problems: dict[str, tuple[str, str]] = {}
    for name, reason, category in _SINGLE:
        name_asked = asked.get(name, "")
        if name_asked != before.get(name) and name_asked in taken[category]:
            problems[name] = (reason, f"{go_value(name_asked)} is already in use")
        else:
            accepted[name] = name_asked
    short, problem = _short_names(asked, before, taken["resource"])
    if short:
        accepted["shortNames"] = short
    if problem:
        problems["shortNames"] = ("ShortNamesConflict", problem)
    if asked.get("categories"):
        accepted["categories"] = asked["categories"]
    for name in ("listKind", "kind", "shortNames", "singular", "plural"):
        if name in problems:
            return accepted, *problems[name]
    return accepted, "", "no conflicts found"


def _short_names(asked: Object, before: Object, taken: set[str]) -> tuple[list[str], str]:
    names, had = asked.get("shortNames") or [], before.get("shortNames") or []
    used = [name for name in names if name not in had and name in taken]
    if not used:
        return list(names), ""
    texts = [f"{go_value(name)} is already in use" for name in used]
    return list(had), texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"


def _established(status: Object, *, is_accepted: bool) -> Object:
    known = Conditions(status.get("conditions"))
    if known.is_true("Established"):
        return dict(known.get("Established") or {})  # names once accepted stay served
    if is_accepted:
        message = "the initial names have been accepted"
        return _condition("Established", True, "InitialNamesAccepted", message)
    return _condition("Established", False, "NotAccepted", "not all names are accepted")


def _condition(kind: str, is_true: bool, reason: str, message: str) -> Object:
    return {
        "type": kind,
        "status": "True" if is_true else "False",
        "reason": reason,
        "message": message,
    }


def _with_condition(conditions: list[Object], new: Object, now: str) -> list[Object]:
    """The conditions with one set; its transition time moves only when its status does."""
    out, replaced = [], False
    for old in conditions:
        if old["type"] != new["type"]:
            out.append(old)
            continue
        replaced = True
        since = old.get("lastTransitionTime", now) if old["status"] == new["status"] else now
        out.append({**new, "lastTransitionTime": since})
    return out if replaced else [*out, {**new, "lastTransitionTime": now}]
