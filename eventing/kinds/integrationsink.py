"""IntegrationSink: a pod that gives events to a log or to AWS, and its address.

``reconcile`` is pure. As in Knative there are a Deployment and a Service beside it. The address is
the broker's ingress, which asks who may send and hands events on; so what holds for other addresses
holds for this one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from eventing.api import keys
from eventing.api.policyviews import account_name, audience_of
from eventing.api.sinkviews import INTEGRATIONSINK_SOURCE, path_of
from eventing.api.views import spec_of
from eventing.kinds.adapters import ADAPTER_LABEL, EVENTS_PORT_NAME, adapter_deployment
from eventing.kinds.awspods import account_of as aws_account
from eventing.kinds.awspods import credentials, service_config
from eventing.kinds.children import ensured, head
from eventing.kinds.identity import account_of, accounts_watch, ensured_account
from eventing.kinds.lastwords import ADAPTER_PODS, pods_of
from eventing.kinds.podcertificates import certificate_name, seconds_left
from eventing.kinds.policies import policies_of, policies_watch
from eventing.kinds.references import References, Referrer
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import going_by, mark_policies, mark_served, status_updates
from eventing.kinds.workloads import kept_deployment, mark_deployment, mark_foreign
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.destinations import Reference, Unresolved
from hearth.knative.names import child_name
from hearth.knative.resources import INTEGRATIONSINKS
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Lister, Source, Watch, label_key, owner_key
from hearth.kube.meta import Key, Object, name, namespace
from hearth.kube.plan import Plan
from hearth.kube.resources import DEPLOYMENTS, SERVICES

DEPLOYMENT_READY, TRUST_BUNDLE_PROPAGATED = "DeploymentReady", "TrustBundlePropagated"
CONDITIONS = ConditionSet(
    keys.READY,
    (keys.ADDRESSABLE, DEPLOYMENT_READY, keys.EVENT_POLICIES_READY, TRUST_BUNDLE_PROPAGATED),
)
NAME = "integrationsink"
KIND = INTEGRATIONSINKS.kind
COMPONENT = "integrationsink"
CONFIG = "K_SINK_CONFIG"
_NAME_LABEL = "app.kubernetes.io/name"
SERVICE_SOURCE = Source(SERVICES, label_selector=f"{ADAPTER_LABEL}={COMPONENT}")


@dataclass(frozen=True, slots=True)
class Observed:
    """The IntegrationSink, and what was made for it."""

    sink: Object
    deployment: Object | None = None
    service: Object | None = None
    pods: Sequence[Object] = ()
    account: Object | None = None
    """The service account that the broker shows its pod a token of."""
    policies: Sequence[Object] = ()
    """The EventPolicies about it."""


def observe(references: References, lister: Lister, key: Key) -> Observed | None:
    """Read an IntegrationSink and what was made for it."""
    lookup = references.lookup(Referrer(NAME, key))
    sink = lister.get(INTEGRATIONSINK_SOURCE, *key)
    if sink is None or meta.is_deleting(sink):
        return None
    made = Reference(DEPLOYMENTS.api_version, DEPLOYMENTS.kind, key[0], deployment_name(key))
    deployment = lookup.get(made)
    return Observed(
        sink,
        None if isinstance(deployment, Unresolved) else deployment,
        lister.get(SERVICE_SOURCE, key[0], deployment_name(key)),
        pods_of(lister, key[0], labels_of(key)),
        account_of(lister, INTEGRATIONSINKS, sink),
        policies_of(lister, INTEGRATIONSINKS, sink),
    )


def deployment_name(sink: Key) -> str:
    """Return the name of a sink's Deployment and Service."""
    return child_name(sink[1], "-deployment")


def labels_of(sink: Key) -> dict[str, str]:
    """Return what tells the pods of a sink from all others."""
    return {_NAME_LABEL: sink[1], ADAPTER_LABEL: COMPONENT}


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Keep the pod and its Service, and tell where events are sent to."""
    sink = observed.sink

    certificate = certificate_of(sink, settings, now)
    decide = going_by(partial(_decide, certificate), observed, settings)
    kept = ensured_account(INTEGRATIONSINKS, sink, observed.account, settings)
    # While it is not known who vouches for certificates, there is no address either.
    if certificate or not settings.encrypts:
        deployment = make_deployment(sink, settings, certificate)
        kept = (
            *kept,
            *kept_deployment(sink, deployment, observed.deployment, kind=KIND),
            *ensured(SERVICES, make_service(sink, encrypted=bool(certificate)), observed.service),
        )
    updates = status_updates(INTEGRATIONSINKS, sink, CONDITIONS, decide, now=now)
    again = seconds_left(meta.uid(sink), now) if certificate else None
    return Plan(kept, then=updates, requeue_after=again)


def certificate_of(sink: Object, settings: ControlSettings, now: float) -> str:
    """Return the Secret with the certificate of its pod; nothing where that listens in plain."""
    if not settings.encrypts or not settings.tls.ca_certs:
        return ""
    title = deployment_name(meta.key(sink))
    return certificate_name(title, meta.uid(sink), settings.tls.ca_certs, now)


# -- what is made ------------------------------------------------------------------------------


def make_deployment(sink: Object, settings: ControlSettings, certificate: str = "") -> Object:
    """Return the Deployment of a sink's adapter."""
    aws: Mapping[str, Any] = spec_of(sink).get("aws") or {}
    told = _config(sink, settings) | ({"tls": True} if certificate else {})
    value = json.dumps(told, separators=(",", ":"))
    return adapter_deployment(
        settings.adapters,
        metadata=head(sink, deployment_name(meta.key(sink))),
        component=COMPONENT,
        labels=labels_of(meta.key(sink)),
        account=aws_account(aws),
        env=[{"name": CONFIG, "value": value}, *credentials(aws)],
        takes_events=True,
        certificate=certificate,
    )


def _config(sink: Object, settings: ControlSettings) -> dict[str, Any]:
    """What the adapter is to do, and whom it lets in."""
    spec = spec_of(sink)
    told: dict[str, Any] = {"log": spec.get("log")}
    if spec.get("log") is None:
        told = {"aws": service_config(spec.get("aws") or {})}
    if settings.authenticates:
        account = account_name(INTEGRATIONSINKS, name(sink))
        told["sender"] = {
            "subject": f"system:serviceaccount:{namespace(sink)}:{account}",
            "audience": audience_of(INTEGRATIONSINKS, meta.key(sink)),
        }
    return told


def make_service(sink: Object, *, encrypted: bool = False) -> Object:
    """Return the Service in front of the pod."""
    labels = labels_of(meta.key(sink))
    scheme, number = ("https", 443) if encrypted else ("http", 80)
    port = {"name": scheme, "port": number, "protocol": "TCP", "targetPort": EVENTS_PORT_NAME}
    return {
        "apiVersion": SERVICES.api_version,
        "kind": SERVICES.kind,
        "metadata": {**head(sink, deployment_name(meta.key(sink))), "labels": labels},
        "spec": {"selector": labels, "ports": [port]},
    }


# -- what is told ------------------------------------------------------------------------------


def _decide(
    certificate: str,
    observed: Observed,
    status: dict[str, Any],
    conditions: ConditionManager,
    settings: ControlSettings,
) -> None:
    sink = observed.sink
    _tell_broker(sink, status, settings, certificate)
    conditions.mark_true(TRUST_BUNDLE_PROPAGATED)
    mark_policies(observed.policies, status, conditions, settings)
    _mark_deployment(observed, conditions)
    mark_served(INTEGRATIONSINKS, sink, status, conditions, settings)


def _tell_broker(
    sink: Object, status: dict[str, Any], settings: ControlSettings, certificate: str
) -> None:
    marks = status.setdefault("annotations", {})
    host = f"{deployment_name(meta.key(sink))}.{namespace(sink)}.svc.{settings.cluster_domain}"
    scheme = "https" if certificate else "http"
    marks[keys.POD_ADDRESS_ANNOTATION] = f"{scheme}://{host}{path_of(INTEGRATIONSINKS, sink)}"
    marks.pop(keys.POD_CERTIFICATE_ANNOTATION, None)
    if certificate:
        marks[keys.POD_CERTIFICATE_ANNOTATION] = certificate
    marks.pop(keys.POD_SENDER_ANNOTATION, None)
    if settings.authenticates:
        marks[keys.POD_SENDER_ANNOTATION] = account_name(INTEGRATIONSINKS, name(sink))


def _mark_deployment(observed: Observed, conditions: ConditionManager) -> None:
    sink, deployment = observed.sink, observed.deployment
    if mark_foreign(DEPLOYMENT_READY, deployment, sink, conditions):
        return
    title = deployment_name(meta.key(sink))
    mark_deployment(DEPLOYMENT_READY, deployment, title, conditions, pods=observed.pods)


def controller(references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps IntegrationSinks."""
    return ControllerSpec(
        NAME,
        INTEGRATIONSINK_SOURCE,
        partial(observe, references),
        reconcile,
        watches=(
            Watch(SERVICE_SOURCE, owner_key(INTEGRATIONSINKS)),
            Watch(ADAPTER_PODS, label_key(_NAME_LABEL)),
            accounts_watch(INTEGRATIONSINKS),
            policies_watch(INTEGRATIONSINK_SOURCE),
        ),
    )
