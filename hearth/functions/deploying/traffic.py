"""Who gets which share of a Service's requests: canaries, and the way on and back.

Shares are percent and add up to 100. In a Service's ``spec.traffic`` an entry names a revision or
follows the latest one that is ready; a tag gives an entry a URL of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Object = dict[str, Any]

CANDIDATE = "candidate"
"""The tag of a canary: it has a URL of its own, whatever its share."""


class TrafficError(ValueError):
    """A share that cannot be given; the text says why and what can be."""


def percent(text: str) -> int:
    """Return a share as a whole number; raise TrafficError on what is none of 0 to 100."""
    number = text.strip().removesuffix("%")
    if not number.isdecimal() or int(number) > 100:
        raise TrafficError(f"{text!r} is no share: give a number from 0% to 100%")
    return int(number)


def tagged(service: Object, traffic: list[Object], tag: str = "", name: str = "") -> list[Object]:
    """Return traffic with the tags that a service has, and one given to the revision ``name``.

    A tag is a URL of its own. It is taken from the revision that had it; that of a canary goes with
    the canary.
    """
    moved = [{key: value for key, value in each.items() if key != "tag" or value != tag}
             for each in traffic]  # fmt: skip
    moved = [each for each in moved if each.get("percent") or each.get("tag")]
    known = {CANDIDATE, tag, *(each.get("tag") for each in moved)}
    there = (service.get("spec") or {}).get("traffic") or ()
    kept = [
        {**each, "percent": 0} for each in there if each.get("tag") and each["tag"] not in known
    ]
    given = [{"revisionName": name, "percent": 0, "tag": tag}] if tag else []
    found = [*moved, *kept, *given]
    return list(there) if _plain(there) == _plain(found) else found


def _plain(traffic: Sequence[Object]) -> list[Object]:
    """Entries without what admission adds to them."""
    return [{k: v for k, v in each.items() if k != "latestRevision" or v} for each in traffic]


def to_tag(service: Object, tag: str, share: int) -> list[Object]:
    """Return traffic by which the revision with a tag gets a share, others the rest."""
    name = _named_by(service, tag)
    others = [each for each in _named(service) if each["revisionName"] != name]
    if share < 100 and not others:
        raise TrafficError(f"{name} has all requests: there is nobody to take {100 - share}%")
    rest = _shared(others, 100 - share) if share < 100 else []
    return [*rest, {"revisionName": name, "percent": share}]


def untagged(service: Object, tag: str) -> list[Object]:
    """Return the traffic of a service without a tag; requests stay where they are."""
    _named_by(service, tag)
    found = [{k: v for k, v in each.items() if k != "tag" or v != tag} for each in current(service)]
    return [each for each in found if each.get("percent") or each.get("tag")]


def _named_by(service: Object, tag: str) -> str:
    """The revision that a tag is of."""
    there = (service.get("status") or {}).get("traffic") or ()
    known = {each["tag"]: each.get("revisionName") or "" for each in there if each.get("tag")}
    if tag not in known:
        tags = ", ".join(sorted(known)) or "none; `hearth deploy --tag NAME` gives one"
        raise TrafficError(f"no revision has the tag {tag!r}: there are {tags}")
    return str(known[tag])


def current(service: Object) -> list[Object]:
    """Return the traffic that a service asks for; where it says nothing, all for the latest."""
    return list((service.get("spec") or {}).get("traffic") or ()) or promoted()


def canary(service: Object, share: int) -> list[Object]:
    """Return traffic by which the next revision gets a share and those of now share the rest."""
    stable = _named(service)
    if not stable:
        raise TrafficError(
            "a new service has nobody to share with: deploy it without --to or --no-traffic first"
        )
    return [*_shared(stable, 100 - share), _latest(share)]


def moved(service: Object, share: int) -> list[Object]:
    """Return traffic by which the latest revision gets a share, others the rest in proportion."""
    latest = _latest_name(service)
    others = [each for each in _named(service) if each["revisionName"] != latest]
    if share == 100:
        return promoted()
    if not others:
        raise TrafficError(
            f"{latest} has all requests, and no other revision had any: there is nobody to take "
            f"{100 - share}%; `back` takes all to the one before it"
        )
    return [*_shared(others, 100 - share), _latest(share)]


def promoted() -> list[Object]:
    """Return traffic by which all requests go to the latest revision, now and after the next."""
    return [{"latestRevision": True, "percent": 100}]


def back(service: Object, revisions: list[Object], to: str = "") -> list[Object]:
    """Return traffic without the latest revision: to those beside it, else to the one before it.

    ``revisions`` are all of the service, ``to`` may name one. TrafficError where there is none to
    go back to.
    """
    if to:
        ready = sorted(each["metadata"]["name"] for each in revisions if _ready(each))
        if to not in ready:
            raise TrafficError(f"{to} is no revision that is ready; there are {', '.join(ready)}")
        return [{"revisionName": to, "percent": 100}]
    latest = _latest_name(service)
    others = [each for each in _named(service) if each["revisionName"] != latest]
    if others:
        return _shared(others, 100)
    before = [each for each in revisions if each["metadata"]["name"] != latest and _ready(each)]
    before.sort(key=_generation)
    if not before:
        raise TrafficError("there is no earlier revision that is ready to go back to")
    return [{"revisionName": before[-1]["metadata"]["name"], "percent": 100}]


def _latest(share: int) -> Object:
    return {"latestRevision": True, "percent": share, "tag": CANDIDATE}


def _latest_name(service: Object) -> str:
    status = service.get("status") or {}
    return str(status.get("latestReadyRevisionName") or "")


def _named(service: Object) -> list[Object]:
    """Who gets requests now, by name, each once; those that have none left out."""
    shares: dict[str, int] = {}
    for each in (service.get("status") or {}).get("traffic") or ():
        name = each.get("revisionName") or _latest_name(service)
        shares[name] = shares.get(name, 0) + int(each.get("percent") or 0)
    return [{"revisionName": name, "percent": n} for name, n in shares.items() if name and n]


def _shared(entries: list[Object], whole: int) -> list[Object]:
    """The same entries with shares that add up to ``whole``, in proportion, largest rest first."""
    total = sum(each["percent"] for each in entries)
    exact = [each["percent"] * whole / total for each in entries]
    shares = [int(share) for share in exact]
    by_rest = sorted(range(len(entries)), key=lambda n: shares[n] - exact[n])
    for index in by_rest[: whole - sum(shares)]:
        shares[index] += 1
    return [{**each, "percent": n} for each, n in zip(entries, shares, strict=True)]


def _ready(revision: Object) -> bool:
    conditions = (revision.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _generation(revision: Object) -> int:
    labels = revision["metadata"].get("labels") or {}
    return int(labels.get("serving.knative.dev/configurationGeneration") or 0)
