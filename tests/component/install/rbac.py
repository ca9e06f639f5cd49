"""Role-based access control, for the tests beside it: who may do what by a set of objects.

The one-machine API server lets everybody with a token do everything. Here its requests are
recorded, and those of service accounts are held to the rules as kube-apiserver would.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hearth.cluster.codec.paths import Target
from hearth.cluster.model import status
from hearth.cluster.operations.api import Api
from hearth.cluster.rest import routes
from hearth.cluster.rest.requests import Request, Response
from hearth.kube.meta import Object, labels, name, namespace
from hearth.kube.selectors import selector_from_object

ACCOUNT = "system:serviceaccount:"


class Call(NamedTuple):
    """One thing somebody asked for; ``name`` is empty where a request is about no single object."""

    user: str
    verb: str
    group: str
    resource: str
    namespace: str
    name: str


class Grant(NamedTuple):
    """The smallest part of a rule: one verb on one resource, of one name or of any."""

    user: str
    verb: str
    group: str
    resource: str
    namespace: str
    """Empty is every one."""
    name: str
    """Empty is any."""

    def allows(self, call: Call) -> bool:
        """Whether the call is covered by this alone."""
        return (
            (self.user, self.verb) == (call.user, call.verb)
            and self.group in ("*", call.group)
            and self.resource in ("*", call.resource, f"*/{call.resource.partition('/')[2]}")
            and self.namespace in ("", call.namespace)
            and self.name in ("", call.name)
        )


def grants_of(objects: Sequence[Object]) -> list[Grant]:
    """Take the roles and bindings of a set of objects apart."""
    roles = {(o["kind"], namespace(o), name(o)): o for o in objects if "Role" in o["kind"]}
    found: list[Grant] = []
    for binding in (obj for obj in objects if obj["kind"] in ("ClusterRoleBinding", "RoleBinding")):
        reference = binding["roleRef"]
        where = namespace(binding) if reference["kind"] == "Role" else ""
        role = roles[(reference["kind"], where, reference["name"])]
        for subject in binding["subjects"]:
            user = f"{ACCOUNT}{subject['namespace']}:{subject['name']}"
            for rule in _rules(role, objects):
                found += _taken_apart(rule, user, namespace(binding))
    return found


def _rules(role: Object, objects: Sequence[Object]) -> Iterator[Mapping[str, Any]]:
    yield from role.get("rules") or ()
    for selector in (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ():
        wanted = selector_from_object(selector)
        for other in objects:
            if other["kind"] == "ClusterRole" and wanted.matches(labels(other)):
                yield from other.get("rules") or ()


def _taken_apart(rule: Mapping[str, Any], user: str, where: str) -> Iterator[Grant]:
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                for title in rule.get("resourceNames") or [""]:
                    yield Grant(user, verb, group, resource, where, title)


class Recorder:
    """Stands in for the API server's way from a request to its handler."""

    def __init__(self, grants: Sequence[Grant]) -> None:
        self.grants = grants
        self.calls: set[Call] = set()
        self.refused: set[Call] = set()
        self._handle: Callable[[Api, Request, Target], Awaitable[Response]] = routes.handle_resource

    async def handle(self, api: Api, request: Request, target: Target) -> Response:
        """Record a request, and refuse what the rules do not allow."""
        call = _call(request, target)
        self.calls.add(call)
        if call.user.startswith(ACCOUNT) and not self._may(call):
            self.refused.add(call)
            why = f"the rules do not allow {call}"
            raise status.forbidden(target.group, target.plural, target.name, why=why)
        return await self._handle(api, request, target)

    def _may(self, call: Call) -> bool:
        # Everybody may ask who they are and what they may do.
        return (call.group.endswith(".k8s.io") and call.resource.startswith("self")) or any(
            grant.allows(call) for grant in self.grants
        )

    def unused(self) -> list[Grant]:
        """Return what is granted and was not needed."""
        return [g for g in self.grants if not any(g.allows(call) for call in self.calls)]


def _call(request: Request, target: Target) -> Call:
    resource = f"{target.plural}/{target.subresource}" if target.subresource else target.plural
    field, _, title = str(request.query.get("fieldSelector", "")).partition("=")
    named = target.name or (title if field == "metadata.name" else "")
    verb = routes.verb_of(request, target)
    return Call(request.user.name, verb, target.group, resource, target.namespace, named)
