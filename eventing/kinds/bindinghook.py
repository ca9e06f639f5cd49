"""The webhook of SinkBindings: workloads are bound as they are written.

It is asked about the kinds that SinkBindings name, and about nothing while there are none. The
decisions are pure; ``BindingHook`` follows the SinkBindings through the manager's cache.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from eventing.api import keys
from eventing.api.trust import TRUST_SOURCE
from eventing.api.views import spec_of
from eventing.kinds.binding import bind
from eventing.kinds.sinkbinding import (
    EXCLUDE,
    INCLUDE,
    SINKBINDING_SOURCE,
    known_bound,
    subject_of,
)
from hearth.knative.destinations import Reference
from hearth.kube import meta
from hearth.kube.admission import ALLOWED, CREATE, UPDATE, AdmissionRequest, AdmissionResponse
from hearth.kube.manager import Manager
from hearth.kube.meta import Object
from hearth.kube.registration import FollowedWebhook
from hearth.kube.selectors import EVERYTHING, LabelSelector, selector_from_object
from hearth.kube.webhooks import Webhook, writes_rule

NAME = "sinkbindings.webhook.sources.knative.dev"
PATH = "/sinkbindings"
_OWN_NAMESPACES = ["knative-serving", keys.SYSTEM_NAMESPACE]


class SelectionMode(enum.Enum):
    """What is asked about, by labels of namespaces and objects: ``bindings.knative.dev/``..."""

    EXCLUSION = "exclusion"
    """Everything but what is labelled ``exclude: "true"``."""
    INCLUSION = "inclusion"
    """Only what is labelled ``include: "true"``: the object and its namespace."""


@dataclass(frozen=True, slots=True)
class _Entry:
    binding: Object
    subject: Reference
    selector: LabelSelector

    def is_about(self, obj: Object) -> bool:
        """Whether the binding names or selects an object of its kind and namespace."""
        if self.subject.name:
            return self.subject.name == meta.name(obj)
        return self.selector.matches(meta.labels(obj))


class Index:
    """SinkBindings by what they are about."""

    def __init__(
        self,
        bindings: Iterable[Object],
        bundles: Callable[[str], Sequence[str]] = lambda _: (),
    ) -> None:
        """Take what can be read; a binding that cannot concerns nobody.

        ``bundles`` returns the names of the trust bundles in a namespace.
        """
        self._bundles = bundles
        self._entries: dict[tuple[str, str, str], list[_Entry]] = {}
        self.kinds: set[tuple[str, str, str]] = set()
        """Group, version and plural of all subjects."""
        for binding in sorted(bindings, key=meta.key):
            subject = subject_of(binding)
            given = (spec_of(binding).get("subject") or {}).get("selector")
            try:
                selector = EVERYTHING if subject.name else selector_from_object(given)
            except (KeyError, TypeError, AttributeError):
                continue
            resource = subject.resource
            self.kinds.add((resource.group, resource.version, resource.plural))
            where = resource.group, subject.kind, subject.namespace
            self._entries.setdefault(where, []).append(_Entry(binding, subject, selector))

    def bind(self, group: str, kind: str, namespace: str, obj: Object) -> Object:
        """Return a workload as its bindings want it."""
        for entry in self._entries.get((group, kind, namespace), ()):
            if entry.is_about(obj):
                obj = _bound(entry.binding, obj, self._bundles(namespace))
        return obj


def _bound(binding: Object, obj: Object, bundles: Sequence[str]) -> Object:
    """A binding whose sink is not known (yet) changes nothing."""
    if meta.is_deleting(binding):
        return bind(obj, None)
    bound = known_bound(binding, bundles)
    return obj if bound is None else bind(obj, bound)


def webhook(
    kinds: Iterable[tuple[str, str, str]] = (), mode: SelectionMode = SelectionMode.EXCLUSION
) -> Webhook:
    """Return the webhook that is asked about these kinds."""
    if mode is SelectionMode.EXCLUSION:
        labelled = {"key": EXCLUDE, "operator": "NotIn", "values": ["true"]}
    else:
        labelled = {"key": INCLUDE, "operator": "In", "values": ["true"]}
    # Our own workloads must come up while nobody answers.
    others = {
        "key": "kubernetes.io/metadata.name",
        "operator": "NotIn",
        "values": list(_OWN_NAMESPACES),
    }
    return Webhook(
        NAME,
        PATH,
        tuple(writes_rule(group, [version], [plural]) for group, version, plural in sorted(kinds)),
        mutating=True,
        labels={
            "app.kubernetes.io/name": keys.SYSTEM_NAMESPACE,
            "app.kubernetes.io/component": "webhook",
        },
        selectors={
            "namespaceSelector": {"matchExpressions": [labelled, others]},
            "objectSelector": {"matchExpressions": [labelled]},
        },
        reinvoked=True,
        asked_about_own=True,
    )


class BindingHook:
    """Answers at ``PATH``, and has API servers ask about what SinkBindings name."""

    def __init__(self, mode: SelectionMode = SelectionMode.EXCLUSION) -> None:
        self._mode = mode
        self._index: Index | None = Index(())
        self._bindings: Manager | None = None
        self.webhook = FollowedWebhook(lambda: webhook(self._current().kinds, self._mode))

    def follow(self, manager: Manager) -> None:
        """Go by the SinkBindings that a manager's cache holds."""
        self._bindings = manager
        manager.cache(TRUST_SOURCE)
        manager.on_change(SINKBINDING_SOURCE, self._changed)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        self._index = None
        self.webhook.look_again()

    def _current(self) -> Index:
        if self._index is None:
            known: Sequence[Object] = ()
            if self._bindings is not None:
                known = self._bindings.list(SINKBINDING_SOURCE)
            self._index = Index(known, self._bundles_in)
        return self._index

    def _bundles_in(self, namespace: str) -> Sequence[str]:
        if self._bindings is None:
            return ()
        return tuple(sorted(map(meta.name, self._bindings.list(TRUST_SOURCE, namespace))))

    def admit(self, request: AdmissionRequest) -> AdmissionResponse:
        """Bind what is written."""
        obj: Any = request.object
        if request.operation not in (CREATE, UPDATE) or request.subresource or obj is None:
            return ALLOWED
        changed = self._current().bind(request.group, request.kind, request.namespace, obj)
        return ALLOWED if changed is obj else AdmissionResponse(changed=changed)
