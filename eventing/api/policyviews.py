"""What is read off EventPolicies, and the names that authentication goes by. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eventing.api import keys
from eventing.api.views import spec_of
from hearth.knative.names import child_name
from hearth.knative.resources import EVENTPOLICIES
from hearth.kube.controllerspec import Source
from hearth.kube.meta import Key, Object, labels, name, namespace
from hearth.kube.resources import SERVICEACCOUNTS, Resource
from hearth.kube.selectors import selector_from_object

EVENTPOLICY_SOURCE = Source(EVENTPOLICIES)
ACCOUNT_SOURCE = Source(SERVICEACCOUNTS, label_selector=keys.OIDC_LABEL)
"""The service accounts that objects send as."""


def audience_of(resource: Resource, key: Key) -> str:
    """Return whom tokens must be meant for that are shown to an addressable."""
    return f"{resource.group}/{resource.kind}/{key[0]}/{key[1]}".lower()


def account_name(resource: Resource, name: str) -> str:
    """Return the service account that an object sends as."""
    return child_name(name, f"-oidc-{resource.group}-{resource.kind}").lower()


def applying(policies: Iterable[Object], resource: Resource, obj: Object) -> list[Object]:
    """Return the policies about an object, of those of its namespace, in order of name."""
    where = namespace(obj)
    found = [
        each for each in policies if namespace(each) == where and _applies(each, resource, obj)
    ]
    return sorted(found, key=name)


def _applies(policy: Object, resource: Resource, obj: Object) -> bool:
    """One that says nothing of where to is about all of its namespace."""
    targets: list[dict[str, Any]] = spec_of(policy).get("to") or []
    return not targets or any(_is_meant(each, resource, obj) for each in targets)


def _is_meant(target: Mapping[str, Any], resource: Resource, obj: Object) -> bool:
    """Names and kinds are compared in any case, as Knative does."""
    ref, selector = target.get("ref"), target.get("selector")
    if ref and _is_of(ref, resource) and ref.get("name", "").lower() == name(obj).lower():
        return True
    if not selector or not _is_of(selector, resource):
        return False
    try:
        return selector_from_object(selector).matches(labels(obj))
    except (KeyError, ValueError):  # an operator that there is not
        return False


def _is_of(given: Mapping[str, Any], resource: Resource) -> bool:
    group = given.get("apiVersion", "").rpartition("/")[0]
    return (group.lower(), given.get("kind", "").lower()) == (
        resource.group.lower(),
        resource.kind.lower(),
    )
