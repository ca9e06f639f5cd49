"""What the add-on's external scaler asks an interceptor, and a kubelet does."""

from __future__ import annotations

import orjson

from activator.addonadmin import AddonAdmin
from activator.backends import Backend, BackendContext
from activator.routes import BackendRef


def a_target(name: str, requests: int, over: int) -> Backend:
    context = BackendContext(lambda: 1.0, lambda: 0.0)
    backend = Backend(BackendRef("ns", "svc", 80, route=name), context)
    for _ in range(requests):
        backend.stats.enter(1.0)
    for _ in range(over):
        backend.stats.leave(1.0, 200, 0.1)
    return backend


def test_the_queue_is_requests_in_flight_and_all_that_came_by_route() -> None:
    admin = AddonAdmin(lambda: [a_target("a", 3, 1), a_target("b", 0, 0)], lambda: True)
    status, body = admin.answer("/queue")
    assert status == 200
    assert orjson.loads(body) == {
        "ns/a": {"Concurrency": 2, "RequestCount": 3},
        "ns/b": {"Concurrency": 0, "RequestCount": 0},
    }


def test_health() -> None:
    ready, draining = (AddonAdmin(list, is_ready) for is_ready in (lambda: True, lambda: False))
    assert [ready.answer(path)[0] for path in ("/livez", "/readyz", "/other")] == [200, 200, 404]
    assert [draining.answer(path)[0] for path in ("/livez", "/readyz")] == [200, 503]
