"""The rules: from a snapshot to findings. Pure.

What Hearth's own admission, filters and engines say is asked of them; only what none of them can
know (a setting that is read and changes nothing, a field of Knative's sidecar) is listed here.
``docs/compatibility.md`` is the same in prose.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from eventing.api import keys as eventing_keys
from eventing.api.admission import ADMISSION as EVENTING_ADMISSION
from eventing.api.settings import Settings as EventingSettings
from eventing.engines.classes import ENGINES
from eventing.filters import FilterError, compile_trigger
from hearth.install.preflight import OLDEST_MINOR
from hearth.keda.api.keys import RESOURCES as KEDAS
from hearth.knative.admission import decisions
from hearth.knative.admission.configmaps import validate_config_map
from hearth.knative.admission.webhooks import Admission
from hearth.knative.settings import LiveSettings
from hearth.kube import meta
from hearth.kube.admission import CREATE, AdmissionRequest
from hearth.kube.meta import Object, controller_of, labels, name, namespace
from hearth.migrate import kedarules
from hearth.migrate.findings import Finding, Outcome, named
from hearth.migrate.snapshot import Snapshot
from serving.api import keys
from serving.api.config.certmanager import CertManagerConfig
from serving.api.settings import Settings
from serving.api.views import Revision
from serving.webhook.admission import ADMISSION as SERVING_ADMISSION

_STOPS, _CHANGES = Outcome.STOPS, Outcome.CHANGES
_KNATIVES_OWN = frozenset(
    {
        ("caching.internal.knative.dev", "Image"),
        ("networking.internal.knative.dev", "ServerlessService"),
        ("autoscaling.internal.knative.dev", "Metric"),
    }
)
"""Kinds that Knative makes for itself: nothing of Hearth reads them, nobody misses them."""

_SIDECAR_PREFIX = "queue.sidecar.serving.knative.dev/"


def check(snapshot: Snapshot, triggers: Collection[str]) -> list[Finding]:
    """Say all there is to know before a move, the worst first.

    ``triggers`` are the types that there are scalers of KEDA's for.
    """
    serving: Settings = _settings(snapshot, SERVING_ADMISSION, Settings())
    eventing: EventingSettings = _settings(snapshot, EVENTING_ADMISSION, EventingSettings())
    findings = [
        *_version(snapshot),
        *_unread_settings(snapshot, SERVING_ADMISSION),
        *_unread_settings(snapshot, EVENTING_ADMISSION),
        *_network(serving),
        *_observability(serving),
        *_unknown_kinds(snapshot),
        *_refused(snapshot, SERVING_ADMISSION, serving),
        *_refused(snapshot, EVENTING_ADMISSION, eventing),
        *_revisions(snapshot),
        *_brokers(snapshot),
        *_triggers(snapshot),
        *kedarules.check(snapshot, triggers),
    ]
    return sorted(set(findings))


def _version(snapshot: Snapshot) -> Iterator[Finding]:
    if snapshot.minor < OLDEST_MINOR:
        yield Finding(
            _STOPS,
            "the cluster",
            f"it is Kubernetes 1.{snapshot.minor}; Hearth needs 1.{OLDEST_MINOR} or newer",
            "upgrade the cluster first",
        )


# -- settings --------------------------------------------------------------------------------------


def _unread_settings(snapshot: Snapshot, admission: Admission[Any]) -> Iterator[Finding]:
    """ConfigMaps that Hearth's admission would refuse: their settings would be the defaults."""
    for config_map in snapshot.config_maps:
        if namespace(config_map) != admission.system_namespace:
            continue
        data = {k: v for k, v in _data(config_map).items() if not k.startswith("_")}
        request = _creation("", "v1", "ConfigMap", {**config_map, "data": data})
        answer = validate_config_map(admission.config_maps, request)
        if not answer.allowed:
            yield Finding(
                _STOPS,
                named(config_map, "ConfigMap"),
                answer.message.removeprefix("validation failed: "),
                "correct it; until then the defaults would hold",
            )


def _settings(snapshot: Snapshot, admission: Admission[Any], initial: Any) -> Any:
    live = LiveSettings(initial)
    for config_map in snapshot.config_maps:
        if namespace(config_map) == admission.system_namespace:
            live.offer(name(config_map), _data(config_map))
    return live.value


def _data(config_map: Object) -> Mapping[str, str]:
    return config_map.get("data") or {}


def _network(settings: Settings) -> Iterator[Finding]:
    network, where = settings.network, "config-network in knative-serving"
    if network.ingress_class != keys.HEARTH_INGRESS_CLASS:
        yield Finding(
            _CHANGES,
            where,
            f"requests come through {network.ingress_class}; with Hearth they come through its own "
            "gateway, at another address",
            f"set ingress-class to {keys.HEARTH_INGRESS_CLASS} and move DNS to hearth-gateway, or "
            "put the gateway you have in front of it",
        )
    asked = {
        "external-domain-tls": (network.external_domain_tls, settings.certmanager.issuer),
        "cluster-local-domain-tls": (
            network.cluster_local_domain_tls,
            settings.certmanager.cluster_local_issuer,
        ),
    }
    for setting, (is_asked, issuer) in asked.items():
        if is_asked and issuer == CertManagerConfig().issuer:
            yield Finding(
                _STOPS,
                where,
                f"{setting} is on, and certificates come of {issuer['name']}, an issuer that "
                "Knative's installation brings and Hearth's does not",
                "keep its ClusterIssuer, or name one of yours in config-certmanager",
            )
    if network.system_internal_tls:
        yield Finding(
            _CHANGES,
            where,
            "system-internal-tls is on; Hearth has no sidecar that could end TLS in a pod, so "
            "requests reach pods by plain HTTP",
            "a mesh or the network's own encryption can take its place",
        )


def _observability(settings: Settings) -> Iterator[Finding]:
    where = "config-observability in knative-serving"
    if settings.observability.enable_request_log:
        text = "logging.enable-request-log: request logs are the activator's, not beside each pod"
        yield Finding(_CHANGES, where, text, "collect the output of deployment/hearth-activator")


# -- kinds -----------------------------------------------------------------------------------------


def _unknown_kinds(snapshot: Snapshot) -> Iterator[Finding]:
    known = {(k.resource.group, k.resource.kind) for k in SERVING_ADMISSION.kinds}
    known |= {(k.resource.group, k.resource.kind) for k in EVENTING_ADMISSION.kinds}
    for resource, objects in snapshot.objects.items():
        if (resource.group, resource.kind) in known | _KNATIVES_OWN or resource in KEDAS:
            continue
        for obj in objects:
            if controller_of(obj) is None:
                yield Finding(
                    _STOPS,
                    named(obj, resource.kind),
                    f"Hearth does not serve {resource.plural}.{resource.group} yet",
                    "keep Knative for it, or do without",
                )


def _refused(snapshot: Snapshot, admission: Admission[Any], settings: Any) -> Iterator[Finding]:
    """Objects that could not be written again as they are."""
    kinds = admission.by_kind()
    for (group, version, kind), known in kinds.items():
        for obj in snapshot.objects.get(known.resource, ()):
            if controller_of(obj) is not None:
                continue
            request = _creation(group, version, kind, obj)
            answer = decisions.default(kinds, request, settings)
            if answer.allowed:
                request = replace(request, object=answer.changed)
                answer, _ = decisions.validate(kinds, request, settings)
            if not answer.allowed:
                yield Finding(
                    _STOPS,
                    named(obj, kind),
                    answer.message.removeprefix("validation failed: "),
                    "correct it: no write to it would be accepted",
                )


def _creation(group: str, version: str, kind: str, obj: Object) -> AdmissionRequest:
    return AdmissionRequest(
        uid="",
        group=group,
        version=version,
        kind=kind,
        resource="",
        operation=CREATE,
        name=name(obj),
        namespace=namespace(obj),
        object=obj,
    )


# -- serving ---------------------------------------------------------------------------------------


def _revisions(snapshot: Snapshot) -> Iterator[Finding]:
    for obj in snapshot.of(keys.SERVING_GROUP, "Revision"):
        if labels(obj).get(keys.ROUTING_STATE) != keys.STATE_ACTIVE:
            continue
        revision, where = Revision(obj), named(obj, "Revision")
        unpinned = [c["image"] for c in revision.containers if "@" not in c.get("image", "@")]
        if unpinned:
            yield Finding(
                _CHANGES,
                where,
                f"Knative runs the digest that {', '.join(unpinned)} had; Hearth runs the name",
                "name images by digest where a tag may have moved",
            )
        if any(key.startswith(_SIDECAR_PREFIX) for key in meta.annotations(obj)):
            yield Finding(_CHANGES, where, "resources of the sidecar are asked for; there is none")


# -- eventing --------------------------------------------------------------------------------------


def _brokers(snapshot: Snapshot) -> Iterator[Finding]:
    for obj in snapshot.of(eventing_keys.GROUP, "Broker"):
        of_class = meta.annotations(obj).get(eventing_keys.BROKER_CLASS_ANNOTATION)
        if of_class is not None and of_class not in ENGINES:
            yield Finding(
                _STOPS,
                named(obj, "Broker"),
                f"Hearth has no engine for the class {of_class}",
                f"make a Broker of the class {', '.join(ENGINES)} and move its Triggers to it",
            )
        else:
            yield Finding(
                _CHANGES,
                named(obj, "Broker"),
                "events that its channel still holds stay with Knative",
                "let it run empty before its producers move",
            )


def _triggers(snapshot: Snapshot) -> Iterator[Finding]:
    for obj in snapshot.of(eventing_keys.GROUP, "Trigger"):
        try:
            compile_trigger(obj.get("spec") or {})
        except FilterError as error:
            yield Finding(_STOPS, named(obj, "Trigger"), str(error), "filter in another way")
