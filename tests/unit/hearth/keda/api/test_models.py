"""What the models read off whole objects, in KEDA's words and with KEDA's defaults."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.keda.api import keys
from hearth.keda.api.httpscaledobject import HTTPScaledObject
from hearth.keda.api.interceptorroute import InterceptorRoute
from hearth.keda.api.scaledjob import ScaledJob
from hearth.keda.api.scaledobject import ScaledObject
from hearth.keda.api.shapes import names_of_triggers
from hearth.keda.api.triggerauthentication import TriggerAuthentication
from hearth.kube.models import DecodeError, decode, dump


def scaled_object(spec: dict[str, Any] | None = None, **annotations: str) -> ScaledObject:
    metadata = {"name": "web", "namespace": "shop", "annotations": annotations}
    target = {"scaleTargetRef": {"name": "web"}, "triggers": []}
    return decode(
        ScaledObject, {"metadata": metadata, "spec": target | (spec or {})}, root="ScaledObject"
    )


def scaled_job(**spec: Any) -> ScaledJob:
    return decode(ScaledJob, {"spec": spec}, root="ScaledJob")


def test_what_nothing_is_said_of() -> None:
    so = scaled_object()
    assert (so.hpa_name, so.hpa_min_replicas, so.max_replicas) == ("keda-hpa-web", 1, 100)
    assert so.modifiers is None
    assert not (so.is_paused or so.pauses_scale_in or so.pauses_scale_out or so.forces_activation)


def test_bounds_and_names_of_the_hpa() -> None:
    named = {"advanced": {"horizontalPodAutoscalerConfig": {"name": "own"}}}
    so = scaled_object({"minReplicaCount": 0, "maxReplicaCount": 7} | named)
    assert (so.hpa_name, so.hpa_min_replicas, so.max_replicas) == ("own", 1, 7)
    assert scaled_object({"minReplicaCount": 3}).hpa_min_replicas == 3


@pytest.mark.parametrize("part", ["formula", "target", "activationTarget", "metricType"])
def test_any_member_of_the_modifiers_makes_them_used(part: str) -> None:
    so = scaled_object({"advanced": {"scalingModifiers": {part: "Value"}}})
    assert so.modifiers is not None


@pytest.mark.parametrize(
    ("value", "paused"),
    [("true", True), ("1", True), ("", True), ("yes", True), ("false", False), ("F", False)],
)
def test_what_is_no_boolean_pauses(value: str, paused: bool) -> None:
    so = scaled_object(None, **{keys.PAUSED_ANNOTATION: value})
    job = decode(ScaledJob, {"metadata": so.metadata}, root="ScaledJob")
    assert (so.is_paused, job.is_paused) == (paused, paused)


def test_a_number_of_replicas_pauses_whatever_else_is_said() -> None:
    so = scaled_object(
        None, **{keys.PAUSED_REPLICAS_ANNOTATION: "2", keys.PAUSED_ANNOTATION: "false"}
    )
    assert (so.is_paused, so.paused_replicas) == (True, 2)
    with pytest.raises(ValueError, match="many"):
        _ = scaled_object(None, **{keys.PAUSED_REPLICAS_ANNOTATION: "many"}).paused_replicas


@pytest.mark.parametrize(
    ("least", "most", "bounds"),
    [
        (None, None, (0, 100)),
        (5, None, (5, 100)),
        (None, 10, (0, 10)),
        (3, 10, (3, 7)),
        (12, 10, (10, 10)),
    ],
)
def test_bounds_of_jobs(least: int | None, most: int | None, bounds: tuple[int, int]) -> None:
    job = scaled_job(minReplicaCount=least, maxReplicaCount=most)
    assert (job.min_replicas, job.max_replicas) == bounds


def test_types_and_authentications_are_told_once_each() -> None:
    triggers = [
        {"type": "redis", "metadata": {}, "authenticationRef": {"name": "a"}},
        {"type": "cron", "metadata": {}},
        {"type": "redis", "metadata": {}, "authenticationRef": {"name": "a"}},
    ]
    assert names_of_triggers(scaled_object({"triggers": triggers}).spec.triggers) == (
        "redis,cron",
        "a",
    )


def test_names_that_are_not_spelled_as_others() -> None:
    spec = {
        "podIdentity": {"provider": "aws", "externalID": "x", "identityId": "y"},
        "hashiCorpVault": {"address": "a", "authentication": "token", "secrets": []},
        "oauth2": {"clientId": "c", "tokenUrl": "http://x/"},
    }
    ta = decode(TriggerAuthentication, {"spec": spec}, root="TriggerAuthentication")
    assert dump(ta.spec)["podIdentity"] == spec["podIdentity"]
    assert ta.spec.oauth2 is not None and ta.spec.oauth2.type == "clientCredentials"


def test_defaults_of_the_http_add_on() -> None:
    http = decode(
        HTTPScaledObject, {"spec": {"scalingMetric": {"requestRate": {}}}}, root="HTTPScaledObject"
    )
    assert http.spec.scaling_metric is not None
    rate = http.spec.scaling_metric.request_rate
    assert rate is not None
    assert (rate.target_value, rate.window, rate.granularity) == (100, "1m", "1s")
    static: dict[str, Any] = {"rules": [{}], "response": {}}
    route = decode(InterceptorRoute, {"spec": {"staticRoutes": [static]}}, root="InterceptorRoute")
    assert route.spec.static_routes[0].response_mode == "WhenUnavailable"


def test_what_is_of_a_wrong_type_is_told_as_go_does() -> None:
    with pytest.raises(DecodeError, match=r"ScaledObjectSpec|int32"):
        scaled_object({"pollingInterval": "soon"})
