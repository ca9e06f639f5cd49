"""EventPolicies as other kinds see them: those about an object, and those made for its parts. Pure.

Who may send to a channel that does the work of another object, or is a part of it, is told by a
policy of its own, as in Knative.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eventing.api.policyviews import EVENTPOLICY_SOURCE, applying
from eventing.api.views import spec_of
from hearth.knative.resources import EVENTPOLICIES, SUBSCRIPTIONS
from hearth.kube import meta
from hearth.kube.controllerspec import Lister, Mapper, Source, Watch
from hearth.kube.meta import Key, Object, key, name, namespace, owner_reference
from hearth.kube.plan import Action, Create, Delete, Update
from hearth.kube.resources import Resource


def policies_of(lister: Lister, resource: Resource, obj: Object) -> Sequence[Object]:
    """Return the policies about an object."""
    return applying(lister.list(EVENTPOLICY_SOURCE, namespace(obj)), resource, obj)


def policies_watch(source: Source) -> Watch:
    """Declare that a policy concerns all objects of a kind in its namespace."""
    return Watch(EVENTPOLICY_SOURCE, _all_of(source))


def _all_of(source: Source) -> Mapper:
    def to_keys(lister: Lister, policy: Object) -> Iterator[Key]:
        yield from map(key, lister.list(source, namespace(policy)))

    return to_keys


def labelled(lister: Lister, where: str, wanted: Mapping[str, str]) -> Sequence[Object]:
    """Return the policies of a namespace that have these labels."""
    return [
        each
        for each in lister.list(EVENTPOLICY_SOURCE, where)
        if wanted.items() <= meta.labels(each).items()
    ]


def inherited(
    parent: Object, title: str, to: Mapping[str, str], labels: Mapping[str, str], *owners: Object
) -> Object:
    """Return a policy that lets send to a part whoever may send to the whole."""
    spec = spec_of(parent)
    given = {field: spec[field] for field in ("from", "filters") if spec.get(field)}
    return _policy(namespace(parent), title, to, labels, given, owners)


def between(
    owner: Object, title: str, to: Mapping[str, str], labels: Mapping[str, str], subscription: str
) -> Object:
    """Return a policy that lets a Subscription of a flow send to one of its channels."""
    sender = {
        "apiVersion": SUBSCRIPTIONS.api_version,
        "kind": SUBSCRIPTIONS.kind,
        "name": subscription,
        "namespace": namespace(owner),
    }
    return _policy(namespace(owner), title, to, labels, {"from": [{"ref": sender}]}, (owner,))


def _policy(
    where: str,
    title: str,
    to: Mapping[str, str],
    labels: Mapping[str, str],
    spec: Mapping[str, Any],
    owners: Sequence[Object],
) -> Object:
    target = {field: to[field] for field in ("apiVersion", "kind", "name")}
    return {
        "apiVersion": EVENTPOLICIES.api_version,
        "kind": EVENTPOLICIES.kind,
        "metadata": {
            "name": title,
            "namespace": where,
            "labels": dict(labels),
            "ownerReferences": [owner_reference(each, controller=False) for each in owners],
        },
        "spec": {"to": [{"ref": target}], **spec},
    }


def ensured_policies(wanted: Sequence[Object], existing: Sequence[Object]) -> tuple[Action, ...]:
    """Return what makes an object's policies as they should be; those there are bear its labels."""
    there = {name(each): each for each in existing}
    actions: list[Action] = []
    for policy in wanted:
        found = there.pop(name(policy), None)
        if found is None:
            actions.append(Create(EVENTPOLICIES, policy))
        elif spec_of(found) != policy["spec"]:
            actions.append(Update(EVENTPOLICIES, {**found, "spec": policy["spec"]}))
    actions += [Delete(EVENTPOLICIES, namespace(each), name(each)) for each in there.values()]
    return tuple(actions)
