"""ApiServerSource: what happens to objects of the API, as events. ``reconcile`` is pure.

Each source has an adapter of its own, as in Knative: a Deployment beside it that runs with the
service account the source names, so it sees what that account may see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

from eventing.api import keys
from eventing.api.apiserveradapter import CONFIG, AdapterConfig, Watched
from eventing.api.observability import told
from eventing.api.trust import TRUST_SOURCE
from eventing.api.views import spec_of
from eventing.kinds.adapters import adapter_deployment
from eventing.kinds.binding import CA_CERTS, CE_OVERRIDES, SINK, overrides_text
from eventing.kinds.eventtype import EVENTTYPE_SOURCE
from eventing.kinds.eventtypes import kept_event_types, registered
from eventing.kinds.lastwords import ADAPTER_PODS, pods_of
from eventing.kinds.permissions import Access, Question
from eventing.kinds.references import Lookup, References, Referrer
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import OIDC_DISABLED, mark_sink, status_updates
from eventing.kinds.trust import concerned, propagated
from eventing.kinds.workloads import kept_deployment, mark_deployment, mark_foreign
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.destinations import Reference, Resolution, Resolved, Unresolved
from hearth.knative.names import child_name
from hearth.knative.resources import APISERVERSOURCES
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Lister, Source, Watch, label_key, owner_key
from hearth.kube.meta import Key, Object, name, namespace, uid
from hearth.kube.plan import Action, Plan
from hearth.kube.resources import DEPLOYMENTS
from hearth.kube.selectors import selector_from_object, selector_text

DEPLOYED, SUFFICIENT_PERMISSIONS = "Deployed", "SufficientPermissions"
CONDITIONS = ConditionSet(
    keys.READY,
    (keys.SINK_PROVIDED, DEPLOYED, SUFFICIENT_PERMISSIONS, keys.OIDC_IDENTITY_CREATED),
)
NAME = "apiserversource"
KIND = APISERVERSOURCES.kind
COMPONENT = "apiserversource"
APISERVERSOURCE_SOURCE = Source(APISERVERSOURCES)
SKIP_PERMISSIONS = "features.knative.dev/apiserversource-skip-permissions-check"
_VERBS = ("get", "list", "watch")
_AGAIN_SECONDS = 30.0
"""After which rights that were missing are asked for again: nobody tells when they come."""
_TYPES = {
    "Resource": [f"dev.knative.apiserver.resource.{each}" for each in ("add", "delete", "update")],
    "Reference": [f"dev.knative.apiserver.ref.{each}" for each in ("add", "delete", "update")],
}


@dataclass(frozen=True, slots=True)
class Observed:
    """An ApiServerSource, its sink, the namespaces it follows, and what was made for it."""

    source: Object
    sink: Resolution
    namespaces: Sequence[str]
    missing: Sequence[Access] | None = ()
    """What its service account may not do; None while that is not known."""
    deployment: Object | None = None
    pods: Sequence[Object] = ()
    """Of its adapter."""
    event_types: Sequence[Object] = ()
    trusted: Sequence[Object] = ()
    """The trust bundles that everybody trusts."""
    bundles: Sequence[Object] = ()
    """Those in its namespace."""
    look_again: float | None = None


def observe(references: References, lister: Lister, key: Key) -> Observed | None:
    """Read an ApiServerSource, resolve its sink, and ask what its account may do."""
    lookup = references.lookup(Referrer(NAME, key))
    source = lister.get(APISERVERSOURCE_SOURCE, *key)
    if source is None or meta.is_deleting(source):
        return None
    sink = lookup.resolve(spec_of(source).get("sink") or {}, key[0])
    namespaces = _namespaces(source, lookup)
    missing: Sequence[Access] | None = ()
    asks = meta.annotations(source).get(SKIP_PERMISSIONS) != "true"
    if asks and isinstance(sink, Resolved):
        question = Question(_user(source), accesses(source, namespaces))
        missing = references.permissions.missing(question, NAME, key)
    made = Reference(DEPLOYMENTS.api_version, DEPLOYMENTS.kind, key[0], deployment_name(source))
    deployment = lookup.get(made)
    return Observed(
        source,
        sink,
        namespaces,
        missing=missing,
        deployment=None if isinstance(deployment, Unresolved) else deployment,
        pods=pods_of(lister, key[0], _labels(source)),
        event_types=registered(lister, source),
        trusted=lister.list(TRUST_SOURCE, keys.SYSTEM_NAMESPACE),
        bundles=lister.list(TRUST_SOURCE, key[0]),
        look_again=lookup.look_again,
    )


def _namespaces(source: Object, lookup: Lookup) -> list[str]:
    """Its own, or those that its selector selects."""
    selector = spec_of(source).get("namespaceSelector")
    if selector is None:
        return [namespace(source)]
    found = lookup.list(Reference("v1", "Namespace", "", ""), selector_from_object(selector))
    return [] if isinstance(found, Unresolved) else [name(each) for each in found]


def _selects_all(source: Object) -> bool:
    """Whether all namespaces are followed, those to come included."""
    selector = spec_of(source).get("namespaceSelector")
    if selector is None:
        return False
    return not selector.get("matchLabels") and not selector.get("matchExpressions")


def _account(source: Object) -> str:
    return str(spec_of(source).get("serviceAccountName") or "default")


def _user(source: Object) -> str:
    return f"system:serviceaccount:{namespace(source)}:{_account(source)}"


def _resources(source: Object) -> list[tuple[Reference, Mapping[str, Any]]]:
    given: Sequence[Mapping[str, Any]] = spec_of(source).get("resources") or ()
    return [
        (Reference(each.get("apiVersion", ""), each.get("kind", ""), "", ""), each)
        for each in given
    ]


def accesses(source: Object, namespaces: Sequence[str]) -> tuple[Access, ...]:
    """Return what an adapter asks of the API server."""
    return tuple(
        Access(verb, reference.resource.group, reference.resource.plural, where)
        for reference, _ in _resources(source)
        for where in namespaces
        for verb in _VERBS
    )


def deployment_name(source: Object) -> str:
    """Return the name of an adapter, as Knative's is called."""
    return child_name(f"apiserversource-{name(source)}-", uid(source))


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Have an adapter run where it may see what it is to see, and tell."""
    source = observed.source
    attributes = _attributes(source, settings)
    decide = partial(_decide, observed, attributes, settings=settings)
    told = status_updates(APISERVERSOURCES, source, CONDITIONS, decide, now=now)
    kept: tuple[Action, ...] = ()
    may_see = observed.missing is not None and not observed.missing
    if isinstance(observed.sink, Resolved) and may_see:
        copied, bundles = propagated(source, observed.trusted, observed.bundles)
        desired = make_adapter(observed, observed.sink, settings, bundles)
        kept = (*copied, *kept_deployment(source, desired, observed.deployment, kind=KIND))
        kept += kept_event_types(source, attributes, observed.event_types)
    again = _AGAIN_SECONDS if observed.missing else observed.look_again
    return Plan(kept, then=told, requeue_after=again)


def _attributes(source: Object, settings: ControlSettings) -> list[dict[str, str]]:
    kinds = _TYPES.get(spec_of(source).get("mode") or "Reference", ())
    return [{"type": each, "source": settings.api_server} for each in kinds]


def _decide(
    observed: Observed,
    attributes: Sequence[Mapping[str, str]],
    status: dict[str, Any],
    conditions: ConditionManager,
    *,
    settings: ControlSettings,
) -> None:
    """In Knative's order; what comes after a failure stays as it is."""
    source = observed.source
    # It sends as the account that it watches as; no other is made.
    status.pop("auth", None)
    if settings.authenticates:
        status["auth"] = {"serviceAccountName": _account(source)}
    reason = "" if settings.authenticates else OIDC_DISABLED
    conditions.mark_true(keys.OIDC_IDENTITY_CREATED, reason)
    mark_sink(observed.sink, status, conditions, reason="NotFound", prefix=None)
    if not isinstance(observed.sink, Resolved):
        return
    status["namespaces"] = list(observed.namespaces)
    if observed.missing is None:
        return
    if observed.missing:
        text = f"User {_user(source)} cannot {missing_text(observed.missing)}"
        conditions.mark_false(SUFFICIENT_PERMISSIONS, "", text)
        return
    conditions.mark_true(SUFFICIENT_PERMISSIONS)
    if not mark_foreign(DEPLOYED, observed.deployment, source, conditions):
        title = deployment_name(source)
        mark_deployment(DEPLOYED, observed.deployment, title, conditions, pods=observed.pods)
    status["ceAttributes"] = [dict(each) for each in attributes]


def missing_text(missing: Sequence[Access]) -> str:
    """Return what is missing, as Knative says it: verbs by resource and namespace."""
    return ", ".join(
        f'{", ".join(each.verb for each in same)} resource "{resource}" '
        f'in API group "{group}" in Namespace "{where}"'
        for (group, resource, where), same in groupby(
            missing, key=lambda each: (each.group, each.resource, each.namespace)
        )
    )


# -- the adapter -----------------------------------------------------------------------------------


_NAME_LABEL = "eventing.knative.dev/sourceName"


def _labels(source: Object) -> dict[str, str]:
    return {
        "eventing.knative.dev/source": "apiserver-source-controller",
        _NAME_LABEL: name(source),
    }


def make_adapter(
    observed: Observed, sink: Resolved, settings: ControlSettings, bundles: Sequence[str] = ()
) -> Object:
    """Return the adapter's Deployment."""
    source = observed.source
    env = [
        {"name": SINK, "value": sink.url},
        {"name": CONFIG, "value": _config(observed, settings)},
    ]
    if sink.ca_certs:
        env.append({"name": CA_CERTS, "value": sink.ca_certs})
    if overrides := overrides_text(spec_of(source)):
        env.append({"name": CE_OVERRIDES, "value": overrides})
    env += told(settings.tracing)
    audience = sink.audience if settings.authenticates else None
    return adapter_deployment(
        settings.adapters,
        metadata={
            "name": deployment_name(source),
            "namespace": namespace(source),
            "ownerReferences": [meta.owner_reference(source)],
        },
        component=COMPONENT,
        labels=_labels(source),
        account=_account(source),
        env=env,
        audience=audience,
        bundles=bundles,
    )


def _config(observed: Observed, settings: ControlSettings) -> str:
    spec = spec_of(observed.source)
    watched = [
        Watched(
            reference.resource.group,
            reference.resource.version,
            reference.resource.plural,
            selector_text(given["selector"]) if given.get("selector") else "",
        )
        for reference, given in _resources(observed.source)
    ]
    return AdapterConfig(
        settings.api_server,
        watched,
        namespaces=observed.namespaces,
        all_namespaces=_selects_all(observed.source),
        whole=spec.get("mode") == "Resource",
        owner=spec.get("owner") or {},
        filters=spec.get("filters") or (),
    ).to_json()


def controller(references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps ApiServerSources."""
    return ControllerSpec(
        NAME,
        APISERVERSOURCE_SOURCE,
        partial(observe, references),
        reconcile,
        watches=(
            Watch(EVENTTYPE_SOURCE, owner_key(APISERVERSOURCES)),
            Watch(ADAPTER_PODS, label_key(_NAME_LABEL)),
            Watch(TRUST_SOURCE, concerned(APISERVERSOURCE_SOURCE)),
        ),
    )
