"""What a viewer changes: shares of requests, events that were not taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hearth.knative.resources import KSERVICES
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.errors import Conflict
from hearth.kube.meta import Object
from hearth.ui.neighbours import Json, Neighbours

_MOST_TARGETS = 100
_FIELDS = {"revisionName": str, "latestRevision": bool, "percent": int, "tag": str}


class Unusable(ValueError):
    """What was asked for means nothing; the text says why."""


class Changed(Exception):
    """Somebody else changed it meanwhile."""


async def write_traffic(client: KubeClient, asked: Mapping[str, Any]) -> str:
    """Give revisions of a Service shares of its requests; return what was done in words.

    Raises Changed where the Service is another one than the viewer saw, Unusable, ApiError.
    """
    namespace, name = text_of(asked, "namespace"), text_of(asked, "service")
    traffic = _traffic(asked.get("traffic"))
    service = await client.get(KSERVICES, name, namespace)
    told = f"{name} was changed by somebody else meanwhile: look at it, then try again"
    if meta.generation(service) != asked.get("generation"):
        raise Changed(told)
    change: Object = {
        "metadata": {"resourceVersion": meta.resource_version(service)},
        "spec": {"traffic": traffic},
    }
    try:
        await client.patch(KSERVICES, name, namespace, change)
    except Conflict as error:
        raise Changed(told) from error
    shares = (f"{each.get('percent') or 0}% {_who(each)}" for each in traffic)
    return f"{name}: {', '.join(shares)}"


def _who(entry: Object) -> str:
    return str(entry.get("revisionName") or "the latest revision")


def _traffic(given: object) -> list[Object]:
    """The entries, checked for form; what they mean is the API's to judge."""
    if not isinstance(given, list) or not 0 < len(given) <= _MOST_TARGETS:
        raise Unusable(f"traffic: a list of 1 to {_MOST_TARGETS} entries is wanted")
    entries = []
    for each in given:
        if not isinstance(each, dict) or not all(
            isinstance(each.get(field), kind) for field, kind in _FIELDS.items() if field in each
        ):
            raise Unusable(f"traffic: an entry has the fields {', '.join(_FIELDS)}")
        entries.append({field: each[field] for field in _FIELDS if each.get(field)})
    return entries


def text_of(asked: Mapping[str, Any], field: str) -> str:
    """Return a text that has to be there; raise Unusable."""
    found = asked.get(field)
    if not isinstance(found, str) or not found or "/" in found or len(found) > 253:
        raise Unusable(f"{field}: a name is wanted")
    return found


async def redrive(neighbours: Neighbours, asked: Mapping[str, Any]) -> Json:
    """Have events that are held delivered anew, or given up; return how many, and that in words."""
    body: Json = {"discard": str(bool(asked.get("discard"))).lower()}
    if asked.get("id") is not None:
        body["id"] = str(asked["id"])
    if asked.get("subscription") is not None:
        kind, _, label = str(asked["subscription"]).partition(" ")
        if kind not in ("trigger", "subscription"):
            raise Unusable("subscription: `trigger NAMESPACE/NAME` is wanted, or subscription ...")
        body[kind] = label
    count = len((await neighbours.broker("POST", "/redrive", body))["events"])
    if not count:
        return {"events": 0, "words": "No such event is held: others may have redriven it."}
    return {"events": count, "words": _redriven(count, is_over=bool(asked.get("discard")))}


def _redriven(count: int, *, is_over: bool) -> str:
    if count == 1:
        return f"1 event {'was given up' if is_over else 'is on its way again'}."
    return f"{count} events {'were given up' if is_over else 'are on their way again'}."
