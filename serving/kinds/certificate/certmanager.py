"""Certificates that cert-manager makes: asked for, and their state taken over. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hearth.knative.conditions import ConditionSet
from hearth.knative.resources import CERTIFICATES
from hearth.kube.meta import (
    Object,
    is_controlled_by,
    is_deleting,
    metadata,
    name,
    namespace,
)
from hearth.kube.plan import Action, Create, Event, Plan, Update
from hearth.kube.views import View
from serving.api import keys, views
from serving.api.config.network import DEFAULT_CERTIFICATE_CLASS
from serving.api.settings import Settings
from serving.kinds.certificate.request import REQUESTS, Refusal, make_request
from serving.kinds.status import Draft

CONDITIONS = ConditionSet(keys.READY, ())
_RENEWING = "Renewing"
_UNKNOWN = (
    "NoCertManagerCertCondition",
    "The ready condition of Cert Manager Certificate does not exist.",
)
# As cert-manager says that it is at work (its pkg/controller/certificates).
_AT_WORK = frozenset({"InProgress", "Pending", "TemporaryCertificate"})
_PATH = "/.well-known/acme-challenge"


@dataclass(frozen=True, slots=True)
class Observed:
    """What the reconciler sees of one Certificate."""

    certificate: Object
    request: Object | None = None
    """cert-manager's Certificate of the same name."""
    solvers: Sequence[Object] = ()
    """Services that answer ACME's challenges for its names."""
    challenges: Mapping[str, Object] = field(default_factory=dict)
    """The Challenges that own them, by name."""


def reconcile(observed: Observed, *, settings: Settings, now: float) -> Plan:
    """Ask cert-manager, and say what it says."""
    certificate = observed.certificate
    view = views.Certificate(certificate)
    if is_deleting(certificate) or view.certificate_class != DEFAULT_CERTIFICATE_CLASS:
        return Plan()
    draft = Draft(certificate, CONDITIONS, now=now)
    desired = make_request(certificate, settings.certmanager)
    actions: tuple[Action, ...] = ()
    after = None
    if isinstance(desired, Refusal):
        draft.conditions.mark_false(keys.READY, desired.reason, desired.message)
    else:
        actions = _asked(observed, desired, draft)
        after = _take_over(observed, draft, is_new=bool(actions), now=now)
    return Plan((*actions, *draft.writes(CERTIFICATES)), requeue_after=after)


def _asked(observed: Observed, desired: Object, draft: Draft) -> tuple[Action, ...]:
    existing, certificate = observed.request, observed.certificate
    where = f"{namespace(desired)}/{name(desired)}"
    if existing is None:
        message = f"Created Cert-Manager Certificate {where}"
        return (Create(REQUESTS, desired), Event(certificate, "Normal", "Created", message))
    if not is_controlled_by(existing, certificate):
        kind = "CertManagerCertificate"
        message = f'There is an existing {kind} "{name(desired)}" that we do not own.'
        draft.conditions.mark_false(keys.READY, "NotOwned", message)
        return ()
    # What others set, such as a rotation of keys, is theirs.
    spec = {**(existing.get("spec") or {}), **desired["spec"]}
    if spec == existing.get("spec"):
        return ()
    message = f"Updated Spec for Cert-Manager Certificate {where}"
    updated = {**existing, "spec": spec}
    return (Update(REQUESTS, updated), Event(certificate, "Normal", "Updated", message))


def _take_over(observed: Observed, draft: Draft, *, is_new: bool, now: float) -> float | None:
    """Say what cert-manager says; return in how many seconds there is to be looked again."""
    request, conditions = observed.request, draft.conditions
    if request is not None and not is_controlled_by(request, observed.certificate):
        return None
    status = View(request or {}).status
    ready = View(request or {}).conditions.get("Ready")
    draft.put("notAfter", status.get("notAfter"))
    if ready is None or is_new:
        conditions.mark_unknown(keys.READY, *_UNKNOWN)
        draft.put("http01Challenges", _challenges(observed))
        return None
    reason, message = ready.get("reason", ""), ready.get("message", "")
    if ready["status"] == "True":
        return _ready(observed, draft, status.get("renewalTime"), now=now)
    if ready["status"] == "False" and reason not in _AT_WORK:
        conditions.mark_false(keys.READY, reason, message)
    else:
        conditions.mark_unknown(keys.READY, reason, message)
    draft.put("http01Challenges", _challenges(observed))
    return None


def _ready(observed: Observed, draft: Draft, renewal: str | None, *, now: float) -> float | None:
    conditions = draft.conditions
    conditions.mark_true(keys.READY)
    due = _seconds(renewal) if renewal else None
    if due is not None and now >= due:
        # The ACME server asks again before the old certificate ends.
        conditions.mark_true(_RENEWING)
        draft.put("http01Challenges", _challenges(observed))
        return None
    conditions.clear(_RENEWING)
    draft.put("http01Challenges", None)
    return None if due is None else due - now


def _challenges(observed: Observed) -> list[dict[str, Any]]:
    return list(_each_challenge(observed))


def _each_challenge(observed: Observed) -> Iterator[dict[str, Any]]:
    for service in sorted(observed.solvers, key=name):
        owners = metadata(service).get("ownerReferences") or ()
        challenge = observed.challenges.get(owners[0]["name"]) if owners else None
        ports = (service.get("spec") or {}).get("ports") or ()
        if challenge is None or not ports:
            continue
        spec = challenge.get("spec") or {}
        yield {
            "serviceName": name(service),
            "serviceNamespace": namespace(service),
            "servicePort": ports[0].get("targetPort", ports[0].get("port")),
            "url": f"http://{spec.get('dnsName')}{_PATH}/{spec.get('token')}",
        }


def _seconds(moment: str) -> float | None:
    try:
        return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None
