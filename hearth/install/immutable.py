"""What stays as it is once it is there: a StatefulSet's claims, settings taken away. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hearth.install.values import EXAMPLE, Values, config_path, read
from hearth.kube.meta import Object

_CLAIMS = "volumeClaimTemplates"


def as_made(obj: Object, present: Object | None) -> tuple[Object, str | None]:
    """Return the object as it can be applied, and what that leaves as it was made, if anything."""
    if present is None or obj["kind"] != "StatefulSet":
        return obj, None
    made = present["spec"].get(_CLAIMS)
    if _covers(made, obj["spec"].get(_CLAIMS)):
        return obj, None
    kept = {**obj, "spec": {**obj["spec"], _CLAIMS: made}}
    return kept, f".spec.{_CLAIMS} as it was made: a volume grows by its claim's own size"


def as_settled(obj: Object, present: Object | None, chosen: Values) -> Object:
    """Return a ConfigMap without those defaults that are not there any more, unless chosen."""
    path = config_path(obj)
    if path is None or present is None:
        return obj
    kept = {EXAMPLE, *(present.get("data") or {}), *(read(chosen, path) or {})}
    data = {key: text for key, text in (obj.get("data") or {}).items() if key in kept}
    rest = {key: value for key, value in obj.items() if key != "data"}
    return {**rest, "data": data} if data else rest


def _covers(present: Any, wanted: Any) -> bool:
    """Whether all that is wanted is there, whatever a server has added."""
    if isinstance(wanted, Mapping):
        return isinstance(present, Mapping) and all(
            _covers(present.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(present, list)
            and len(present) == len(wanted)
            and all(map(_covers, present, wanted))
        )
    return bool(present == wanted)
