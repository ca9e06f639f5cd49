"""Copies of trust bundles in the namespaces of those who need them. Pure.

A copy belongs to all objects that need it: each is one of its owners, and the last one that goes
takes it along. A copy whose original is gone goes with the next look of an owner.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from eventing.api import keys
from eventing.api.trust import copies
from hearth.kube import meta
from hearth.kube.controllerspec import Lister, Mapper, Source
from hearth.kube.meta import Key, Object, name, namespace, owner_reference, uid
from hearth.kube.plan import Action, Create, Delete, Update
from hearth.kube.resources import CONFIGMAPS


def propagated(
    owner: Object, system: Sequence[Object], there: Sequence[Object]
) -> tuple[tuple[Action, ...], tuple[str, ...]]:
    """Return what makes the copies, and the names of all bundles that there will be.

    ``there`` are the bundles in the owner's namespace, copies or not.
    """
    wanted = {name(each): each for each in copies(system, namespace(owner))}
    known = {name(each): each for each in there}
    mine = owner_reference(owner, controller=False)
    actions: list[Action] = []
    for title, copy in wanted.items():
        existing = known.get(title)
        if existing is None:
            metadata = {**copy["metadata"], "ownerReferences": [mine]}
            actions.append(Create(CONFIGMAPS, {**copy, "metadata": metadata}))
        elif (changed := _as_wanted(existing, copy, mine)) != existing:
            actions.append(Update(CONFIGMAPS, changed))
    left = {
        title
        for title, each in known.items()
        if title not in wanted and any(ref.get("uid") == uid(owner) for ref in _owners(each))
    }
    actions += [Delete(CONFIGMAPS, namespace(owner), each) for each in sorted(left)]
    return tuple(actions), tuple(sorted((known.keys() | wanted.keys()) - left))


def _owners(obj: Object) -> Sequence[dict[str, Any]]:
    owners: Sequence[dict[str, Any]] = meta.metadata(obj).get("ownerReferences") or ()
    return owners


def _as_wanted(existing: Object, copy: Object, mine: dict[str, Any]) -> Object:
    owners = list(_owners(existing))
    if not any(each.get("uid") == mine["uid"] for each in owners):
        owners.append(mine)
    labels = {**meta.labels(existing), **copy["metadata"]["labels"]}
    metadata = {**meta.metadata(existing), "labels": labels, "ownerReferences": owners}
    contents: dict[str, Any] = {f: copy[f] for f in ("data", "binaryData") if f in copy}
    others = {field: v for field, v in existing.items() if field not in ("data", "binaryData")}
    return {**others, "metadata": metadata, **contents}


def concerned(source: Source) -> Mapper:
    """Map a bundle to the objects of its namespace; one that everybody trusts to all of them."""

    def to_keys(lister: Lister, bundle: Object) -> Iterator[Key]:
        where = namespace(bundle)
        everywhere = where == keys.SYSTEM_NAMESPACE
        yield from map(meta.key, lister.list(source, None if everywhere else where))

    return to_keys
