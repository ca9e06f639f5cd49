"""SinkBinding: workloads of any kind are told where to send their events. ``reconcile`` is pure.

The subjects that are there are changed here; those that come are changed as they are written, by
the webhook of ``bindinghook``, which a Job depends on: its template cannot be changed later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from eventing.api import keys
from eventing.api.trust import TRUST_SOURCE
from eventing.api.views import spec_of, status_of
from eventing.kinds.binding import Bound, change_of, overrides_text, pod_of
from eventing.kinds.children import with_finalizer, without_finalizer
from eventing.kinds.references import Lookup, References, Referrer
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import OIDC_DISABLED, mark_sink, status_updates
from eventing.kinds.trust import concerned, propagated
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.destinations import Reference, Resolution, Resolved, Unresolved, not_found
from hearth.knative.resources import SINKBINDINGS
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Lister, Source, Watch
from hearth.kube.meta import Key, Object, finalizers, name, namespace
from hearth.kube.plan import Action, Patch, Plan
from hearth.kube.resources import JOBS, NAMESPACES
from hearth.kube.selectors import selector_from_object

AVAILABLE = "SinkBindingAvailable"
TRUST_BUNDLE_PROPAGATED = "TrustBundlePropagated"
OIDC_TOKEN_SECRET_CREATED = "OIDCTokenSecretCreated"
CONDITIONS = ConditionSet(
    keys.READY,
    (
        AVAILABLE,
        keys.SINK_PROVIDED,
        keys.OIDC_IDENTITY_CREATED,
        OIDC_TOKEN_SECRET_CREATED,
        TRUST_BUNDLE_PROPAGATED,
    ),
)
NAME = "sinkbinding"
FINALIZER = "sinkbindings.sources.knative.dev"
SINKBINDING_SOURCE = Source(SINKBINDINGS)
INCLUDE, EXCLUDE = "bindings.knative.dev/include", "bindings.knative.dev/exclude"
_BINDING_FAILED = "BindingFailed"
_AGAIN_SECONDS = 60.0
"""After which a subject that could not be changed is tried again."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A SinkBinding, its subjects and its sink."""

    binding: Object
    subjects: Sequence[Object] | Unresolved
    sink: Resolution
    namespace: Object | None = None
    """The namespace of the subjects."""
    trusted: Sequence[Object] = ()
    """The trust bundles that everybody trusts."""
    bundles: Sequence[Object] = ()
    """Those in the binding's namespace."""
    look_again: float | None = None


def subject_of(binding: Object) -> Reference:
    """Return what a binding is about; without a name, a kind whose labels select."""
    given: Mapping[str, Any] = spec_of(binding).get("subject") or {}
    return Reference(
        given.get("apiVersion", ""),
        given.get("kind", ""),
        given.get("namespace") or namespace(binding),
        given.get("name", ""),
    )


def bound_of(
    binding: Object, sink: Resolved, *, authenticates: bool = False, bundles: Sequence[str] = ()
) -> Bound:
    """Return what the subjects of a binding are told."""
    audience = sink.audience if authenticates else None
    return Bound(sink.url, sink.ca_certs, overrides_text(spec_of(binding)), audience, bundles)


def known_bound(binding: Object, bundles: Sequence[str] = ()) -> Bound | None:
    """Return the same by a binding's status, if that is about its present spec."""
    status = status_of(binding)
    url = status.get("sinkUri")
    if not url or status.get("observedGeneration") != meta.generation(binding):
        return None
    sink = Resolved(url, status.get("sinkCACerts"), status.get("sinkAudience"))
    return bound_of(binding, sink, authenticates="auth" in status, bundles=bundles)


def observe(references: References, lister: Lister, key: Key) -> Observed | None:
    """Read a SinkBinding, find its subjects, resolve its sink."""
    lookup = references.lookup(Referrer(NAME, key))
    binding = lister.get(SINKBINDING_SOURCE, *key)
    if binding is None:
        return None
    where = lookup.get(Reference("v1", "Namespace", "", key[0]))
    return Observed(
        binding,
        _subjects(binding, lookup),
        sink=lookup.resolve(spec_of(binding).get("sink") or {}, key[0]),
        namespace=None if isinstance(where, Unresolved) else where,
        trusted=lister.list(TRUST_SOURCE, keys.SYSTEM_NAMESPACE),
        bundles=lister.list(TRUST_SOURCE, key[0]),
        look_again=lookup.look_again,
    )


def _subjects(binding: Object, lookup: Lookup) -> Sequence[Object] | Unresolved:
    subject = subject_of(binding)
    if subject.name:
        found = lookup.get(subject)
        if found is None:
            return Missing(not_found(subject))
        return found if isinstance(found, Unresolved) else [found]
    selector = (spec_of(binding).get("subject") or {}).get("selector")
    try:
        wanted = selector_from_object(selector)
    except (KeyError, TypeError, AttributeError) as error:  # it has come past admission
        return Unresolved(f"the selector cannot be read: {error!r}")
    return lookup.list(subject, wanted)


class Missing(Unresolved):
    """The kind is there, and the subject is not."""


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Bind the subjects, and tell; before the binding goes, release them."""
    if meta.is_deleting(observed.binding):
        return _release(observed)
    if FINALIZER not in finalizers(observed.binding):
        return Plan((with_finalizer(SINKBINDINGS, observed.binding, FINALIZER),))
    authenticates = settings.authenticates
    copied, bundles = propagated(observed.binding, observed.trusted, observed.bundles)
    problem = _problem(observed, bundles, authenticates=authenticates)
    told = status_updates(
        SINKBINDINGS,
        observed.binding,
        CONDITIONS,
        partial(_decide, observed, problem, authenticates=authenticates),
        now=now,
    )
    bound = _bind(observed, bundles, authenticates=authenticates)
    return Plan((*copied, *bound), then=told, requeue_after=observed.look_again)


def refused(observed: Observed, error: str, /, *, now: float) -> Plan | None:
    """Tell that a subject could not be changed; that keeps no binding from going."""
    if meta.is_deleting(observed.binding):
        return Plan((without_finalizer(SINKBINDINGS, observed.binding, FINALIZER),))
    problem = (_BINDING_FAILED, f"failed binding subject: {error}")
    # As whom the subjects send was told when they were bound.
    authenticates = "auth" in status_of(observed.binding)
    decide = partial(_decide, observed, problem, authenticates=authenticates)
    told = status_updates(SINKBINDINGS, observed.binding, CONDITIONS, decide, now=now)
    return Plan(told, requeue_after=_AGAIN_SECONDS)


def _problem(
    observed: Observed, bundles: Sequence[str], *, authenticates: bool
) -> tuple[str, str] | None:
    """Reason and message of what keeps subjects from being bound."""
    match observed.subjects:
        case Missing(message=message):
            return "SubjectMissing", message
        case Unresolved(message=message):
            return "SubjectUnavailable", message
    kind = subject_of(observed.binding).kind
    for each in observed.subjects:
        if pod_of(each) is None:
            return "SubjectUnavailable", f"a {kind} has no pod template"
    if isinstance(observed.sink, Resolved) and subject_of(observed.binding).name:
        bound = bound_of(
            observed.binding, observed.sink, authenticates=authenticates, bundles=bundles
        )
        for each in _jobs(observed):
            if change_of(each, bound) is not None:
                text = (
                    f"failed binding subject {name(each)}: the pod template of a Job cannot be "
                    "changed; create the Job once the SinkBinding is ready"
                )
                return _BINDING_FAILED, text
    return None


def _decide(
    observed: Observed,
    problem: tuple[str, str] | None,
    status: dict[str, Any],
    conditions: ConditionManager,
    *,
    authenticates: bool,
) -> None:
    _mark_identity(observed, status, conditions, authenticates=authenticates)
    conditions.mark_true(TRUST_BUNDLE_PROPAGATED)
    mark_sink(
        observed.sink,
        status,
        conditions,
        reason="NoAddressable",
        prefix="Addressable could not be extracted from destination: ",
    )
    if problem is None:
        conditions.mark_true(AVAILABLE)
    else:
        conditions.mark_false(AVAILABLE, *problem)


def _mark_identity(
    observed: Observed, status: dict[str, Any], conditions: ConditionManager, *, authenticates: bool
) -> None:
    """Subjects send as the accounts of their pods; nothing has to be made for it."""
    reason = "" if authenticates else OIDC_DISABLED
    if authenticates and isinstance(observed.sink, Resolved) and not observed.sink.audience:
        reason = "Sink has no audience defined"
    for kind in (keys.OIDC_IDENTITY_CREATED, OIDC_TOKEN_SECRET_CREATED):
        conditions.mark_true(kind, reason)
    status.pop("auth", None)
    if authenticates:
        subjects = () if isinstance(observed.subjects, Unresolved) else observed.subjects
        pods = [pod for each in subjects if (pod := pod_of(each)) is not None]
        accounts = {str(pod.get("serviceAccountName") or "default") for pod in pods}
        status["auth"] = {"serviceAccountNames": sorted(accounts)}


# -- the subjects ----------------------------------------------------------------------------------


def _bind(observed: Observed, bundles: Sequence[str], *, authenticates: bool) -> tuple[Action, ...]:
    """Nothing is taken from a subject because its sink cannot be found at the moment."""
    if isinstance(observed.subjects, Unresolved) or not isinstance(observed.sink, Resolved):
        return ()
    bound = bound_of(observed.binding, observed.sink, authenticates=authenticates, bundles=bundles)
    return (*_include(observed.namespace), *_patches(observed, bound))


def _include(where: Object | None) -> tuple[Action, ...]:
    """Have the namespace asked about where only those that say so are, as Knative does."""
    if where is None or any(meta.labels(where).get(each) for each in (INCLUDE, EXCLUDE)):
        return ()
    return (Patch(NAMESPACES, name(where), "", {"metadata": {"labels": {INCLUDE: "true"}}}),)


def _patches(observed: Observed, bound: Bound | None) -> Iterable[Action]:
    if isinstance(observed.subjects, Unresolved):
        return
    resource = subject_of(observed.binding).resource
    jobs = {meta.uid(each) for each in _jobs(observed)}
    for each in observed.subjects:
        if meta.is_deleting(each) or meta.uid(each) in jobs:
            continue
        change = change_of(each, bound)
        if change is not None:
            yield Patch(resource, name(each), namespace(each), change)


def _jobs(observed: Observed) -> Sequence[Object]:
    reference = subject_of(observed.binding)
    is_job = (reference.kind, reference.resource.group) == (JOBS.kind, JOBS.group)
    if not is_job or isinstance(observed.subjects, Unresolved):
        return ()
    return observed.subjects


def _release(observed: Observed) -> Plan:
    if FINALIZER not in finalizers(observed.binding):
        return Plan()
    gone = without_finalizer(SINKBINDINGS, observed.binding, FINALIZER)
    return Plan(tuple(_patches(observed, None)), then=(gone,))


def controller(references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps SinkBindings."""
    return ControllerSpec(
        NAME,
        SINKBINDING_SOURCE,
        partial(observe, references),
        reconcile,
        watches=(Watch(TRUST_SOURCE, concerned(SINKBINDING_SOURCE)),),
        refused=refused,
    )
