"""The rules for KEDA's kinds: what admission says of each, and what it cannot know. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from hearth.keda.admission import decisions
from hearth.keda.admission.authentication import check_authentication, check_source
from hearth.keda.api import keys
from hearth.keda.api.checks import CheckError, check_triggers
from hearth.keda.api.cloudeventsource import CloudEventSource
from hearth.keda.api.scaledjob import ScaledJob
from hearth.keda.api.scaledobject import ScaledObject
from hearth.keda.api.shapes import JobTrigger
from hearth.keda.api.triggerauthentication import NOT_READ, TriggerAuthentication
from hearth.kube.meta import Object
from hearth.kube.models import DecodeError, decode
from hearth.kube.resources import Resource
from hearth.migrate.findings import Finding, Outcome, named
from hearth.migrate.snapshot import Snapshot

_STOPS, _CHANGES = Outcome.STOPS, Outcome.CHANGES
_CORRECT = "correct it: no write to it would be accepted"


def check(snapshot: Snapshot, known: Collection[str]) -> Iterator[Finding]:
    """Say what is to be known of KEDA's objects; ``known`` are types that there are scalers for."""
    for resource, objects in snapshot.objects.items():
        rules = _RULES.get(resource.kind) if resource.group in keys.GROUPS else None
        for obj in objects if rules is not None else ():
            assert rules is not None
            try:
                yield from rules(obj, named(obj, resource.kind), known)
            except (CheckError, DecodeError) as error:
                yield Finding(_STOPS, named(obj, resource.kind), str(error), _CORRECT)
    yield from _gateway(snapshot)


def _gateway(snapshot: Snapshot) -> Iterator[Finding]:
    routes = [r for r in (keys.INTERCEPTORROUTES, keys.HTTPSCALEDOBJECTS) if _some(snapshot, r)]
    if routes:
        yield Finding(
            _CHANGES,
            "the interceptor of KEDA's HTTP add-on",
            "requests come through Hearth's gateway, at another address",
            "lead to hearth-gateway what leads to keda-add-ons-http-interceptor-proxy now",
        )


def _some(snapshot: Snapshot, resource: Resource) -> bool:
    return any(True for _ in snapshot.of(resource.group, resource.kind))


def _types(
    triggers: Collection[JobTrigger], where: str, known: Collection[str]
) -> Iterator[Finding]:
    for unknown in dict.fromkeys(each.type for each in triggers if each.type not in known):
        yield Finding(
            _STOPS,
            where,
            f"Hearth has no scaler for triggers of the type {unknown}",
            "keep KEDA for it, or serve the value to a trigger of the type external or metrics-api",
        )


def _scaled_object(obj: Object, where: str, known: Collection[str]) -> Iterator[Finding]:
    scaled = decode(ScaledObject, obj, root="ScaledObject")
    types = [each.type for each in scaled.spec.triggers]
    yield from _types(scaled.spec.triggers, where, known)
    decisions.check_alone(scaled, {*known, *types})
    if scaled.spec.scale_target_ref.api_version.startswith("serving.knative.dev/"):
        yield Finding(
            _CHANGES,
            where,
            "its target is Knative's: triggers and requests become one decision, without an HPA",
        )


def _scaled_job(obj: Object, where: str, known: Collection[str]) -> Iterator[Finding]:
    scaled = decode(ScaledJob, obj, root="ScaledJob")
    yield from _types(scaled.spec.triggers, where, known)
    check_triggers(scaled.spec.triggers)


def _authentication(obj: Object, where: str, _known: Collection[str]) -> Iterator[Finding]:
    given = decode(TriggerAuthentication, obj, root="TriggerAuthentication")
    check_authentication(given)
    for field, title in NOT_READ.items():
        if getattr(given.spec, field) is not None:
            yield Finding(
                _STOPS,
                where,
                f"Hearth reads no secrets by {title}",
                "have them copied into a Secret (External Secrets), and name it in secretTargetRef",
            )
    if given.spec.bound_service_account_token:
        yield Finding(
            _CHANGES,
            where,
            "Hearth's operator may ask for no service account's token by itself",
            "bind a Role that allows create of serviceaccounts/token to keda/keda-operator",
        )


def _source(obj: Object, where: str, _known: Collection[str]) -> Iterator[Finding]:
    source = decode(CloudEventSource, obj, root="CloudEventSource")
    check_source(source)
    if source.spec.destination.azure_event_grid_topic is not None:
        yield Finding(
            _STOPS,
            where,
            "Hearth sends CloudEvents about scaled objects by HTTP alone, not to Azure Event Grid",
            "name a URL in destination.http.uri, such as that of a Broker",
        )


_RULES = {
    keys.SCALEDOBJECTS.kind: _scaled_object,
    keys.SCALEDJOBS.kind: _scaled_job,
    keys.TRIGGERAUTHENTICATIONS.kind: _authentication,
    keys.CLUSTERTRIGGERAUTHENTICATIONS.kind: _authentication,
    keys.CLOUDEVENTSOURCES.kind: _source,
    keys.CLUSTERCLOUDEVENTSOURCES.kind: _source,
}
