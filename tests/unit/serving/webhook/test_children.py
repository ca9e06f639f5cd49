"""What our controllers make of what was admitted, admission would take and leave as it is.

So API servers need not ask about it: see ``Endpoint.trusted_user``.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from hearth.knative.admission import decisions
from hearth.knative.resources import (
    CONFIGURATIONS,
    KINGRESSES,
    KSERVICES,
    PODAUTOSCALERS,
    REVISIONS,
    ROUTES,
)
from hearth.kube.admission import AdmissionRequest
from hearth.kube.meta import Object, name, namespace
from hearth.kube.resources import Resource
from serving.api import keys, views
from serving.api.config.features import FeaturesConfig, key_of
from serving.api.settings import Settings
from serving.kinds.configuration.children import make_revision
from serving.kinds.revision.children import make_podautoscaler
from serving.kinds.route.children import make_ingress
from serving.kinds.service.children import make_configuration, make_route
from serving.routing.domains import Naming
from serving.routing.rollout import target_rollout
from serving.routing.targets import resolve_targets
from serving.webhook.admission import ADMISSION

KINDS = ADMISSION.by_kind()
DEFAULTS = Settings()
ALL_ON = Settings(
    features=FeaturesConfig.from_data(
        {key_of(flag): "enabled" for flag in FeaturesConfig.__dataclass_fields__}
    )
)
ONE: Object = {"template": {"spec": {"containers": [{"image": "app"}]}}}
HPA: Object = {
    "template": {
        "metadata": {"annotations": {"autoscaling.knative.dev/class": keys.HPA_CLASS}},
        "spec": {"containers": [{"image": "app"}], "containerConcurrency": 7},
    }
}
MUCH: Object = {
    "template": {
        "metadata": {
            "name": "hello-one",
            "labels": {"team": "a"},
            "annotations": {"autoscaling.knative.dev/min-scale": "2"},
        },
        "spec": {
            "timeoutSeconds": 5,
            "containers": [
                {
                    "name": "first",
                    "image": "app",
                    "ports": [{"containerPort": 80, "name": "h2c"}],
                    "env": [{"name": "A", "value": "b"}],
                    "readinessProbe": {"httpGet": {"path": "/"}, "successThreshold": 2},
                    "livenessProbe": {"tcpSocket": {}},
                    "resources": {"limits": {"cpu": "1"}},
                    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                },
                {"name": "second", "image": "other"},
            ],
            "volumes": [{"name": "v", "emptyDir": {}}],
        },
    },
    "traffic": [{"tag": "t", "percent": 40}, {"percent": 60, "latestRevision": True}],
}


def request(resource: Resource, obj: Object) -> AdmissionRequest:
    return AdmissionRequest(
        uid="u",
        group=resource.group,
        version=resource.version,
        kind=resource.kind,
        resource=resource.plural,
        operation="CREATE",
        name=name(obj),
        namespace=namespace(obj),
        username="system:serviceaccount:knative-serving:hearth-control",
        object=obj,
    )


def admitted(spec: Object, settings: Settings) -> Object:
    """A Service of a user's as the server stores it."""
    service = {
        "apiVersion": KSERVICES.api_version,
        "kind": KSERVICES.kind,
        "metadata": {"name": "hello", "namespace": "ns", "annotations": {"mine": "1"}},
        "spec": copy.deepcopy(spec),
    }
    answer = decisions.default(KINDS, request(KSERVICES, service), settings)
    assert answer.changed is not None, answer.message
    judged, _ = decisions.validate(KINDS, request(KSERVICES, answer.changed), settings)
    assert judged.allowed, judged.message
    return stored(answer.changed)


def stored(obj: Object) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "uid": f"uid-{name(obj)}", "generation": 1}}


def children(service: Object, settings: Settings) -> list[tuple[Resource, Object]]:
    """Everything of Knative's kinds that becomes of a Service."""
    configuration = make_configuration(service)
    route = make_route(service)
    revision = make_revision(stored(configuration), now=0.0)
    podautoscaler = make_podautoscaler(stored(revision), settings, reachability="")
    ingress = _ingress(stored(route), stored(configuration), stored(revision), settings)
    return [
        (CONFIGURATIONS, configuration),
        (ROUTES, route),
        (REVISIONS, revision),
        (PODAUTOSCALERS, podautoscaler),
        (KINGRESSES, ingress),
    ]


def _ingress(route: Object, configuration: Object, revision: Object, settings: Settings) -> Object:
    ready = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}
    latest = {"latestReadyRevisionName": name(revision)}
    traffic = resolve_targets(
        views.Route(route).traffic,
        service="hello",
        configurations={"hello": {**configuration, "status": latest}},
        revisions={name(revision): {**revision, "status": ready}},
    )
    assert traffic.problem is None
    tags = views.Route(route).tags
    return make_ingress(
        route,
        traffic,
        rollout=target_rollout(traffic),
        visibility=Naming.of(settings).visibility(route, tags, frozenset()),
        settings=settings,
    )


CASES: list[Any] = [
    pytest.param(spec, settings, id=f"{called} {how}")
    for called, spec in (("one", ONE), ("hpa", HPA), ("much", MUCH))
    for how, settings in (("defaults", DEFAULTS), ("all features", ALL_ON))
]


@pytest.mark.parametrize(("spec", "settings"), CASES)
def test_nothing_is_added_to_what_controllers_make(spec: Object, settings: Settings) -> None:
    for resource, child in children(admitted(spec, settings), settings):
        answer = decisions.default(KINDS, request(resource, child), settings)
        assert answer.allowed, answer.message
        assert answer.changed == child, resource.kind


@pytest.mark.parametrize(("spec", "settings"), CASES)
def test_nothing_that_controllers_make_is_refused(spec: Object, settings: Settings) -> None:
    for resource, child in children(admitted(spec, settings), settings):
        answer, _ = decisions.validate(KINDS, request(resource, child), settings)
        assert answer.allowed, f"{resource.kind}: {answer.message}"
