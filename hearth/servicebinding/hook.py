"""The webhook of ServiceBindings: they are checked, and workloads bound, as they are written.

It is asked about the kinds that ServiceBindings name, beside those of the specification. Where
nobody answers workloads are written all the same: the controller binds them a moment later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hearth.knative.references import References
from hearth.kube import install as installing
from hearth.kube import meta
from hearth.kube.admission import (
    ALLOWED,
    CREATE,
    UPDATE,
    AdmissionRequest,
    AdmissionResponse,
    Handler,
)
from hearth.kube.client import KubeClient
from hearth.kube.manager import Manager
from hearth.kube.meta import Object
from hearth.kube.registration import FollowedWebhook
from hearth.kube.webhooks import Webhook, writes_rule
from hearth.servicebinding import binding as bindings
from hearth.servicebinding import keys, mapping
from hearth.servicebinding.controller import BINDINGS, MAPPINGS, controller
from hearth.servicebinding.paths import PathError
from hearth.servicebinding.projection import mapping_of, project

NAME = "projector.servicebinding.io"
PATH = "/servicebindings"
MANAGER = "hearth-servicebinding"
_OWN_NAMESPACES = ["kube-system", "knative-serving", "knative-eventing"]
_OWN = writes_rule(
    keys.GROUP,
    [keys.SERVICEBINDINGS.version],
    [keys.SERVICEBINDINGS.plural, keys.MAPPINGS.plural],
)
Kind = tuple[str, str, str]
"""Group, version and plural."""


def webhook(kinds: Iterable[Kind] = ()) -> Webhook:
    """Return the webhook that is asked about these kinds of workloads."""
    others = {
        "key": "kubernetes.io/metadata.name",
        "operator": "NotIn",
        "values": _OWN_NAMESPACES,
    }
    return Webhook(
        NAME,
        PATH,
        (
            _OWN,
            *(writes_rule(group, [version], [plural]) for group, version, plural in sorted(kinds)),
        ),
        mutating=True,
        failure_policy="Ignore",
        labels={"app.kubernetes.io/name": "hearth-servicebinding"},
        selectors={"namespaceSelector": {"matchExpressions": [others]}},
        reinvoked=True,
        asked_about_own=True,
    )


def kinds_of(known: Iterable[Object]) -> set[Kind]:
    """Return the kinds of workloads that bindings are about."""
    found = set()
    for each in known:
        try:
            resource = bindings.workloads_of(each).reference.resource
        except ValueError:  # its status says so
            continue
        found.add((resource.group, resource.version, resource.plural))
    return found


def bound(
    workload: Object, known: Iterable[Object], kind: Mapping[str, Any], version: str
) -> Object:
    """Return a workload with all bindings in it that are about it and know their Secret."""
    for each in known:
        secret = bindings.known_secret(each)
        if secret and not meta.is_deleting(each):
            try:
                workload = project(workload, bindings.projection_of(each, secret), kind, version)
            except PathError:  # its status says so
                continue
    return workload


def refusal(request: AdmissionRequest) -> AdmissionResponse:
    """Refuse a ServiceBinding or a mapping that cannot be."""
    obj: Object = request.object or {}
    found = list(
        bindings.problems(obj, request.old_object)
        if request.kind == keys.SERVICEBINDINGS.kind
        else mapping.problems(obj)
    )
    if not found:
        return ALLOWED
    text = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
    return AdmissionResponse(allowed=False, message=text)


class ServiceBindings:
    """The kinds as a tenant of a process that has a manager and a webhook server."""

    def __init__(self) -> None:
        self._manager: Manager | None = None
        self.webhook = FollowedWebhook(lambda: webhook(kinds_of(self._known())))

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """What answers at which path of the server."""
        return {PATH: self.admit}

    async def install(self, client: KubeClient) -> None:
        """Put in the kinds."""
        definitions = installing.shipped_definitions("servicebinding")
        await installing.install(client, definitions=definitions, objects=(), manager=MANAGER)

    def follow(self, manager: Manager) -> None:
        """Add the controller, and follow what the webhook goes by."""
        self._manager = manager
        manager.add(controller(References(manager)), lambda: None)
        manager.on_change(BINDINGS, lambda _old, _new: self.webhook.look_again())

    def admit(self, request: AdmissionRequest) -> AdmissionResponse:
        """Check a binding or a mapping, bind a workload."""
        obj = request.object
        if request.operation not in (CREATE, UPDATE) or request.subresource or obj is None:
            return ALLOWED
        if request.group == keys.GROUP:
            return refusal(request)
        changed = self._bound(request, obj)
        return ALLOWED if changed is obj else AdmissionResponse(changed=changed)

    def _bound(self, request: AdmissionRequest, obj: Object) -> Object:
        assert self._manager is not None
        meant = sorted(self._about(request, obj), key=meta.key)
        if not meant:
            return obj
        resource_name = ".".join(filter(None, (request.resource, request.group)))
        kind = mapping_of(resource_name, self._manager.get(MAPPINGS, "", resource_name))
        return bound(obj, meant, kind, request.version)

    def _about(self, request: AdmissionRequest, obj: Object) -> Iterator[Object]:
        for each in self._known(request.namespace):
            try:
                about = bindings.workloads_of(each)
            except ValueError:
                continue
            resource = about.reference.resource
            same = (resource.group, about.reference.kind) == (request.group, request.kind)
            if same and about.are(obj):
                yield each

    def _known(self, namespace: str | None = None) -> Sequence[Object]:
        return () if self._manager is None else self._manager.list(BINDINGS, namespace)
