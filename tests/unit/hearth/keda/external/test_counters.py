"""What several activators say, put together; and what silence and loss mean."""

from __future__ import annotations

from hearth.keda.api.httproutes import HttpRoute, Scaling, ServiceRef
from hearth.keda.external.counters import LOST_SECONDS, SILENCE_SECONDS, RouteCounters
from hearth.keda.external.metrics import HTTPSCALEDOBJECT, INTERCEPTORROUTE, metrics_of
from serving.api.stats import Frame, Stat

ROUTE = ("ns", "app")
USUAL = Scaling(1.0)


def told(concurrency: float = 0.0, requests: float = 0.0, queued: int = 0) -> Frame:
    return Frame(0.0, (Stat(*ROUTE, concurrency, requests, queued),))


def counters(*activators: str, scaling: Scaling = USUAL) -> RouteCounters:
    made = RouteCounters()
    made.follow(ROUTE, scaling)
    for activator in activators:
        made.joined(activator)
    return made


def test_activators_add_up() -> None:
    made = counters("a", "b")
    assert made.receive("a", told(3.0, 10.0), 1.0) == [ROUTE]
    made.receive("b", told(1.5, 20.0), 1.0)
    assert made.concurrency(ROUTE, 1.0) == 4.5
    assert made.rate(ROUTE, 1.0) == 30.0


def test_who_waits_counts_at_once_whatever_the_average() -> None:
    made = counters("a")
    made.receive("a", told(0.2, 0.0, queued=7), 1.0)
    assert made.concurrency(ROUTE, 1.0) == 7.0


def test_the_last_word_counts() -> None:
    made = counters("a")
    for concurrency in (5.0, 2.0):
        made.receive("a", told(concurrency), 1.0)
    assert made.concurrency(ROUTE, 1.0) == 2.0


def test_silence_of_a_connected_activator_means_none() -> None:
    made = counters("a")
    made.receive("a", told(5.0), 1.0)
    assert made.concurrency(ROUTE, 1.0 + SILENCE_SECONDS) == 5.0
    assert made.concurrency(ROUTE, 1.1 + SILENCE_SECONDS) == 0.0


def test_of_a_lost_one_the_last_word_counts_for_a_while() -> None:
    made = counters("a")
    made.receive("a", told(5.0), 1.0)
    made.lost("a", 2.0)
    assert made.concurrency(ROUTE, 2.0 + LOST_SECONDS) == 5.0
    assert made.is_known(2.0 + LOST_SECONDS)
    assert made.concurrency(ROUTE, 2.1 + LOST_SECONDS) == 0.0
    assert not made.is_known(2.1 + LOST_SECONDS)


def test_one_that_comes_back_goes_on() -> None:
    made = counters("a")
    made.receive("a", told(5.0), 1.0)
    made.lost("a", 2.0)
    made.joined("a")
    assert made.concurrency(ROUTE, 3.0) == 5.0
    assert made.concurrency(ROUTE, 4.0) == 0.0
    assert made.is_known(100.0)


def test_before_anybody_reports_nothing_is_known() -> None:
    made = counters()
    assert not made.is_known(1.0)
    made.lost("never seen", 1.0)
    assert not made.is_known(1.0)


def test_of_routes_that_nobody_follows_nothing_is_kept() -> None:
    made = RouteCounters()
    assert made.receive("a", told(5.0, 5.0), 1.0) == []
    made.follow(ROUTE, Scaling())
    assert (made.concurrency(ROUTE, 1.0), made.rate(ROUTE, 1.0)) == (0.0, 0.0)
    made.receive("a", told(5.0, 5.0), 1.0)
    made.forget(ROUTE)
    assert made.rate(ROUTE, 1.0) == 0.0


def test_a_window_begins_anew_where_the_route_asks_for_another() -> None:
    made = counters("a", scaling=Scaling(None, 1.0, 10.0, 1.0))
    made.receive("a", told(0.0, 5.0), 1.0)
    made.follow(ROUTE, Scaling(None, 2.0, 10.0, 1.0))
    assert made.rate(ROUTE, 1.0) == 5.0
    made.follow(ROUTE, Scaling(None, 2.0, 20.0, 1.0))
    assert made.rate(ROUTE, 1.0) == 0.0


def test_metrics_have_the_add_ons_names() -> None:
    made = counters("a", scaling=Scaling(2.0, 5.0))
    made.receive("a", told(3.0, 10.0), 1.0)
    route = HttpRoute("ns", "app", "1", ServiceRef("svc", 80), scaling=Scaling(2.0, 5.0))
    of_route = metrics_of(route, INTERCEPTORROUTE, made, 1.0)
    assert [(m.name, m.target, m.value) for m in of_route] == [
        ("http_app_concurrency", 2.0, 3.0),
        ("http_app_rate", 5.0, 10.0),
    ]
    names = [metric.name for metric in metrics_of(route, HTTPSCALEDOBJECT, made, 1.0)]
    assert names[0] == "http-ns_002Fapp"
