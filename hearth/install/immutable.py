"""What a cluster does not let be changed once it is there: a StatefulSet's claims. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
