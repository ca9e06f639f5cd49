"""InterceptorRoutes and HTTPScaledObjects read as one view, and what is no route."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from hearth.keda.api.httproutes import (
    ColdStart,
    HeaderMatch,
    InvalidRoute,
    Response,
    Rule,
    Scaling,
    ServiceRef,
    StaticRoute,
    Timeouts,
    read_route,
    with_ready,
)

METADATA = {"namespace": "ns", "name": "app", "creationTimestamp": "2026-11-29T00:00:00Z"}


def interceptor_route(**spec: Any) -> dict[str, Any]:
    given = {"target": {"service": "app", "port": 80}, "scalingMetric": {}, **spec}
    return {"metadata": METADATA, "spec": given}


def scaled_object(**spec: Any) -> dict[str, Any]:
    given = {"scaleTargetRef": {"name": "app", "service": "app", "port": 80}, **spec}
    return {"metadata": METADATA, "spec": given}


def test_all_of_an_interceptor_route() -> None:
    response = {"statusCode": 418, "body": "tea", "headers": {"X-Tea": "green"}}
    route = read_route(
        interceptor_route(
            target={"service": "app", "portName": "web"},
            rules=[
                {
                    "hosts": ["a.test"],
                    "paths": [{"value": "/api"}],
                    "headers": [{"name": "X-A", "value": "1"}, {"name": "X-B"}],
                }
            ],
            staticRoutes=[
                {"rules": [{}], "response": response, "responseMode": "Always"},
                {
                    "rules": [{}],
                    "response": {"bodyFromConfigMap": {"name": "pages"}},
                    "responseMode": "WhenUnavailable",
                },
            ],
            coldStart={
                "fallback": {"service": {"name": "spare", "port": 8080}},
                "placeholder": {"response": {"body": ""}},
                "maxPendingRequests": 5,
                "overflow": "Placeholder",
            },
            timeouts={"readiness": "5s", "request": "0s", "responseHeader": "1m30s"},
            scalingMetric={
                "concurrency": {"targetValue": 7},
                "requestRate": {"targetValue": 9, "window": "30s", "granularity": "500ms"},
            },
        )
    )
    assert (route.namespace, route.name, route.created) == ("ns", "app", "2026-11-29T00:00:00Z")
    assert route.target == ServiceRef("app", "web")
    assert route.rules == (
        Rule(("a.test",), ("/api",), (HeaderMatch("X-A", "1"), HeaderMatch("X-B"))),
    )
    tea = Response(418, "tea", headers=(("X-Tea", "green"),))
    assert route.statics == (
        StaticRoute((Rule(),), tea, is_always=True),
        StaticRoute((Rule(),), Response(config_map="pages")),
    )
    assert route.cold_start == ColdStart(ServiceRef("spare", 8080), Response(body=""), 5, True)
    assert route.timeouts == Timeouts(5.0, 0.0, 90.0)
    assert route.scaling == Scaling(7.0, 9.0, 30.0, 0.5)


def test_what_is_not_said_is_as_upstream_has_it() -> None:
    route = read_route(interceptor_route(scalingMetric={"requestRate": {"targetValue": 3}}))
    assert route.timeouts == Timeouts(None, None, None)
    assert route.cold_start == ColdStart()
    assert route.scaling == Scaling(None, 3.0, 60.0, 1.0)


def test_an_http_scaled_object_is_one_rule() -> None:
    route = read_route(
        scaled_object(
            hosts=["a.test", "b.test"],
            pathPrefixes=["/x"],
            headers=[{"name": "X-A", "value": "1"}],
            timeouts={"conditionWait": "7s", "responseHeader": "2s"},
        )
    )
    assert route.rules == (Rule(("a.test", "b.test"), ("/x",), (HeaderMatch("X-A", "1"),)),)
    assert route.timeouts == Timeouts(7.0, None, 2.0)


def test_its_failover_is_a_fallback_with_a_time_of_its_own() -> None:
    failover = {"service": "spare", "port": 81, "timeoutSeconds": 30}
    route = read_route(scaled_object(coldStartTimeoutFailoverRef=failover))
    assert route.cold_start == ColdStart(ServiceRef("spare", 81))
    assert route.timeouts.readiness == 30.0


@pytest.mark.parametrize(
    ("spec", "scaling"),
    [
        pytest.param({}, Scaling(100.0), id="nothing"),
        pytest.param({"targetPendingRequests": 5}, Scaling(5.0), id="deprecated"),
        pytest.param(
            {"scalingMetric": {"concurrency": {"targetValue": 3}}}, Scaling(3.0), id="concurrency"
        ),
        pytest.param(
            {"scalingMetric": {"requestRate": {"window": "10s"}}},
            Scaling(None, 100.0, 10.0, 1.0),
            id="rate",
        ),
    ],
)
def test_what_an_http_scaled_object_scales_by(spec: dict[str, Any], scaling: Scaling) -> None:
    assert read_route(scaled_object(**spec)).scaling == scaling


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"target": {"port": 80}}, "names no service"),
        ({"target": {"service": "a"}}, "exactly one of 'port' or 'portName'"),
        ({"target": {"service": "a", "port": 1, "portName": "b"}}, "exactly one of"),
        ({"timeouts": {"request": "soon"}}, 'request: time: invalid duration "soon"'),
        ({"staticRoutes": [{"rules": [{}], "response": {"statusCode": 101}}]}, "statusCode 101"),
        (
            {"coldStart": {"placeholder": {"response": {"body": "x" * 32769}}}},
            "at most 32768 characters",
        ),
        (
            {
                "coldStart": {
                    "placeholder": {"response": {"body": "", "bodyFromConfigMap": {"name": "a"}}}
                }
            },
            "at most one of 'body' or 'bodyFromConfigMap'",
        ),
        ({"coldStart": {"maxPendingRequests": 1, "overflow": "Placeholder"}}, "'placeholder' must"),
        ({"scalingMetric": {"concurrency": {"targetValue": -1}}}, "targetValue -1 is not positive"),
        ({"rules": [{"paths": [{}]}]}, "cannot be read: KeyError"),
        ({"rules": 7}, "cannot be read: TypeError"),
    ],
)
def test_what_is_no_route_says_why(spec: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidRoute, match=text.replace("(", r"\(")):
        read_route(interceptor_route(**spec))


def test_ready_keeps_its_moment_while_it_stays_as_it_is() -> None:
    said = partial(with_ready, reason="Reconciled", message="ok")
    first = said(None, is_ready=True, generation=1, now="2026-01-01T00:00:00Z")
    [again] = said(first, is_ready=True, generation=2, now="2026-01-02T00:00:00Z")
    assert again["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert again["observedGeneration"] == 2
    [failed] = said([again], is_ready=False, generation=2, now="2026-01-03T00:00:00Z")
    assert (failed["status"], failed["lastTransitionTime"]) == ("False", "2026-01-03T00:00:00Z")
