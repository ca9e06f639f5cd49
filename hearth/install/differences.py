"""What would change in a cluster, as text. Pure."""

from __future__ import annotations

import difflib
from typing import Any

import yaml

from hearth.kube.meta import Object

_SERVERS = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid")
_HIDDEN = "(not shown)"


def difference(title: str, before: Object | None, after: Object) -> str:
    """Return a unified diff of what stands in the cluster and what would; "" for no change."""
    old = _text(before) if before is not None else ""
    lines = difflib.unified_diff(
        old.splitlines(), _text(after).splitlines(), f"{title} (is)", f"{title} (would be)", n=3
    )
    return "\n".join(line.rstrip("\n") for line in lines)


def _text(obj: Object) -> str:
    metadata = {k: v for k, v in obj["metadata"].items() if k not in _SERVERS}
    shown: dict[str, Any] = {**obj, "metadata": metadata}
    shown.pop("status", None)
    if obj["kind"] == "Secret":
        shown["data"] = dict.fromkeys(obj.get("data") or {}, _HIDDEN)
    return yaml.safe_dump(shown, sort_keys=True, width=100)
