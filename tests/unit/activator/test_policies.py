"""What a route's policy decides: who waits, what is answered, which time-outs hold."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from activator.http.events import RequestHead
from activator.policies import (
    USUAL,
    AddonSettings,
    Answer,
    Pending,
    Policy,
    RouteCounts,
    answer_of,
    policy_of,
    target_ref,
    target_spec,
)
from activator.routes import BackendRef
from hearth.keda.api.httproutes import (
    ColdStart,
    HttpRoute,
    InvalidRoute,
    Response,
    Rule,
    Scaling,
    ServiceRef,
    StaticRoute,
    Timeouts,
)

PAGE = Response(body="wait")
SPARE = ServiceRef("spare", "web")
SHORT = AddonSettings(request_timeout=5.0, response_header_timeout=2.0)
NO_COLD, NO_TIMEOUTS, NO_SCALING = ColdStart(), Timeouts(), Scaling()


def a_route(
    cold: ColdStart = NO_COLD,
    timeouts: Timeouts = NO_TIMEOUTS,
    scaling: Scaling = NO_SCALING,
    statics: tuple[StaticRoute, ...] = (),
) -> HttpRoute:
    return HttpRoute(
        "ns",
        "app",
        "1",
        ServiceRef("svc", 80),
        cold_start=cold,
        timeouts=timeouts,
        scaling=scaling,
        statics=statics,
    )


def a_policy(
    route: HttpRoute, settings: AddonSettings = USUAL, data: Mapping[str, str] | None = None
) -> Policy:
    return policy_of(route, settings, lambda namespace, name: data, RouteCounts())


WAIT, PLACEHOLDER, REJECT = Pending.WAIT, Pending.PLACEHOLDER, Pending.REJECT


@pytest.mark.parametrize(
    ("cold", "all_routes", "outcomes"),
    [
        pytest.param(ColdStart(), 0, [WAIT, WAIT, WAIT], id="nothing said"),
        pytest.param(ColdStart(placeholder=PAGE), 0, [PLACEHOLDER] * 3, id="placeholder"),
        pytest.param(ColdStart(max_pending=2), 0, [WAIT, WAIT, REJECT], id="limit"),
        pytest.param(ColdStart(), 1, [WAIT, REJECT, REJECT], id="limit of all routes"),
        pytest.param(ColdStart(max_pending=2), 1, [WAIT, WAIT, REJECT], id="own limit first"),
        pytest.param(
            ColdStart(placeholder=PAGE, max_pending=1, overflows_to_placeholder=True),
            0,
            [WAIT, PLACEHOLDER, PLACEHOLDER],
            id="overflow to the placeholder",
        ),
        pytest.param(
            ColdStart(placeholder=PAGE, max_pending=1), 0, [PLACEHOLDER] * 3, id="no overflow to it"
        ),
        pytest.param(
            ColdStart(placeholder=PAGE, overflows_to_placeholder=True),
            1,
            [PLACEHOLDER] * 3,
            id="no limit of its own",
        ),
    ],
)
def test_who_waits(cold: ColdStart, all_routes: int, outcomes: list[Pending]) -> None:
    policy = a_policy(a_route(cold), AddonSettings(max_pending=all_routes))
    assert [policy.pending(waiting) for waiting in range(3)] == outcomes


@pytest.mark.parametrize(
    ("said", "all_routes", "has_fallback", "seconds"),
    [
        (None, 0.0, False, 0.0),
        (None, 7.0, False, 7.0),
        (0.0, 7.0, False, 0.0),
        (3.0, 7.0, True, 3.0),
        (None, 0.0, True, 30.0),
        (0.0, 7.0, True, 30.0),
    ],
)
def test_how_long_they_wait(
    said: float | None, all_routes: float, has_fallback: bool, seconds: float
) -> None:
    route = a_route(ColdStart(SPARE if has_fallback else None), Timeouts(readiness=said))
    policy = a_policy(route, AddonSettings(readiness_timeout=all_routes))
    assert policy.readiness == seconds


@pytest.mark.parametrize(
    ("said", "settings", "first_look", "exact", "request_seconds", "coarse"),
    [
        pytest.param(NO_TIMEOUTS, USUAL, 300.0, 0.0, math.inf, 300.0, id="nothing said"),
        pytest.param(NO_TIMEOUTS, SHORT, 5.0, 2.0, 5.0, math.inf, id="of all routes"),
        pytest.param(Timeouts(None, 0.0, 0.0), SHORT, math.inf, 0.0, math.inf, math.inf, id="none"),
        pytest.param(Timeouts(None, 400.0), SHORT, 400.0, 2.0, 400.0, math.inf, id="long request"),
        pytest.param(Timeouts(None, 7.0, 30.0), USUAL, 7.0, 0.0, 7.0, 30.0, id="short request"),
    ],
)
def test_time_outs_of_a_route_are_its_own_or_those_of_all_routes(
    said: Timeouts,
    settings: AddonSettings,
    first_look: float,
    exact: float,
    request_seconds: float,
    coarse: float,
) -> None:
    route = a_route(timeouts=said)
    spec, policy = target_spec(route, settings), a_policy(route, settings)
    assert (spec.timeout_seconds, spec.response_start_timeout_seconds) == (first_look, exact)
    assert (policy.request, policy.response_header) == (request_seconds, coarse)
    assert spec.has_phase_timeouts is (exact > 0)


@pytest.mark.parametrize(
    ("scaling", "requests"), [(Scaling(5.0), 5), (Scaling(None, 3.0), 3), (Scaling(), 100)]
)
def test_a_cold_burst_is_spread_by_the_target(scaling: Scaling, requests: int) -> None:
    assert target_spec(a_route(scaling=scaling), AddonSettings()).spread_target == requests


def test_each_route_has_a_backend_of_its_own_and_one_that_counts_nothing() -> None:
    static = StaticRoute((Rule(paths=("/healthz",)),), Response())
    route = a_route(ColdStart(SPARE), statics=(static,))
    uncounted = BackendRef("ns", "svc", 80, route="app", is_counted=False)
    assert target_ref(route) == BackendRef("ns", "svc", 80, route="app")
    assert a_policy(route).references() == {uncounted, BackendRef("ns", "spare", "web")}


def test_the_first_static_route_that_matches() -> None:
    statics = tuple(
        StaticRoute((Rule(paths=(path,)), Rule(hosts=("b.test",))), Response(status=status))
        for path, status in (("/one", 201), ("/", 202))
    )
    policy = a_policy(a_route(statics=statics[:1]))
    assert policy.static_of(RequestHead.of(b"GET", b"/two", b"a.test")) is None
    both = a_policy(a_route(statics=statics))
    for host, path, status in (
        (b"a.test", b"/one", 201),
        (b"b.test:80", b"/", 201),
        (b"a", b"/", 202),
    ):
        static = both.static_of(RequestHead.of(b"GET", path, host))
        assert static is not None and static.answer.status == status


def sent(
    answer: Answer, target: bytes = b"/", **data: str
) -> tuple[int, bytes, dict[bytes, bytes]]:
    values = {key.replace("__", "."): value for key, value in data.items()}
    head = answer.head(target, values or None)
    return head.status, head.body, {name.lower(): value for name, value in head.fields}


def test_a_response_in_place() -> None:
    answer = answer_of(Response(body="<h1>Loading", headers=(("X-A", "1"),)), 503)
    status, body, fields = sent(answer)
    assert (status, body) == (503, b"<h1>Loading")
    assert fields[b"x-a"] == b"1"
    assert fields[b"content-type"] == b"text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (Response(body="ok"), b"text/plain; charset=utf-8"),
        (Response(body="{}", headers=(("Content-Type", "application/json"),)), b"application/json"),
        (Response(), None),
    ],
)
def test_its_content_type(response: Response, kind: bytes | None) -> None:
    assert sent(answer_of(response, 200))[2].get(b"content-type") == kind


def test_a_status_without_a_body_has_none() -> None:
    assert answer_of(Response(status=204, body="no"), 200).head(b"/", None).body == b""


@pytest.mark.parametrize(
    ("key", "target", "outcome"),
    [
        ("index.html", b"/any", (200, b"<p>", b"text/html; charset=utf-8")),
        ("", b"/?x", (200, b"<p>", b"text/html; charset=utf-8")),
        ("", b"/a.json", (200, b"{}", b"application/json")),
        ("", b"/favicon.ico", (200, b"", None)),
        ("gone", b"/", (500, b"Internal Server Error\n", b"text/plain; charset=utf-8")),
    ],
)
def test_a_body_from_a_config_map(
    key: str, target: bytes, outcome: tuple[int, bytes, bytes | None]
) -> None:
    answer = answer_of(Response(config_map="pages", key=key), 200)
    status, body, fields = sent(answer, target, index__html="<p>", a__json="{}")
    assert (status, body, fields.get(b"content-type")) == outcome


def test_a_config_map_that_is_not_there_is_an_error() -> None:
    policy = a_policy(a_route(ColdStart(placeholder=Response(config_map="pages"))))
    assert policy.placeholder is not None
    head = policy.response(policy.placeholder, RequestHead.of(b"GET", b"/", b"a.test"))
    assert head.status == 500


@pytest.mark.parametrize("header", [("X A", "1"), ("X-A", "1\r\nX-B: 2"), ("", "1")])
def test_fields_that_cannot_be_sent_make_no_route(header: tuple[str, str]) -> None:
    with pytest.raises(InvalidRoute, match="cannot be sent"):
        answer_of(Response(headers=(header,)), 200)


def test_fields_about_the_connection_are_the_gateways() -> None:
    answer = answer_of(Response(headers=(("Content-Length", "7"), ("Upgrade", "x"))), 200)
    assert answer.fields == ()


def test_requests_are_counted_by_method_and_code() -> None:
    counts = RouteCounts()
    for method, status, seconds in (
        (b"GET", 200, 0.001),
        (b"GET", 200, 20.0),
        (b"BREW", 418, 0.03),
        (b"STEW", 418, 0.03),
    ):
        counts.add(method, status, seconds)
    get, other = counts.by_kind[b"GET", 200], counts.by_kind[b"_OTHER", 418]
    assert (get[0], get[14], get[-1]) == (1, 1, 20.001)
    assert (other[3], sum(other[:-1])) == (2, 2)
    assert set(counts.by_kind) == {(b"GET", 200), (b"_OTHER", 418)}
