"""The made: one backend per Service port, kept as long as it is of use."""

from __future__ import annotations

from collections.abc import Callable

from activator.backends import Backend, BackendContext, Backends
from activator.pods import Pod
from activator.probing import TCP_PROBE, WAIT_FOR_READY
from activator.routes import BackendRef
from activator.targets import TargetSpec


def backends(
    fill: Callable[[Backend], None] = lambda backend: None,
    dropped: Callable[[Pod], None] = lambda pod: None,
) -> Backends:
    return Backends(BackendContext(lambda: 0.0, lambda: 0.0, dropped=dropped), fill)


def test_one_backend_per_service_port() -> None:
    made = backends()
    first = made.resolve(BackendRef("ns", "a", 80, "a"))
    assert made.resolve(BackendRef("ns", "a", 80, "a")) is first
    assert made.resolve(BackendRef("ns", "a", 8080)) is not first
    assert made.resolve(BackendRef("other", "a", 80)) is not first
    assert len(made.of_service("ns", "a")) == 2


def test_a_new_backend_is_filled_with_what_is_known() -> None:
    seen: list[Backend] = []
    made = backends(fill=seen.append)
    backend = made.resolve(BackendRef("ns", "a", 80))
    made.resolve(BackendRef("ns", "a", 80))
    assert seen == [backend]


def test_a_service_that_a_route_names_as_a_revisions_becomes_one() -> None:
    made = backends()
    backend = made.resolve(BackendRef("ns", "a", 80))
    before = backend.can_wake
    made.resolve(BackendRef("ns", "a", 80, "a"))
    assert (before, backend.can_wake) == (False, True)
    # Until its Revision is known, how to probe it is not.
    pod = Pod(("10.0.0.1", 80))
    unknown = backend.probe_of(pod)
    backend.configure(TargetSpec("ns", "a", container_concurrency=3))
    assert (unknown, backend.probe_of(pod)) == (None, TCP_PROBE)
    # A pod that says so itself has the word.
    assert backend.probe_of(Pod(("10.0.0.1", 80), probe=WAIT_FOR_READY)) is None
    assert backend.throttler.container_concurrency == 3


def test_what_no_route_leads_to_goes_when_its_last_request_is_counted() -> None:
    made = backends()
    kept, _, busy = (made.resolve(BackendRef("ns", name, 80)) for name in "abc")
    busy.stats.enter(0.0)
    referenced = frozenset([BackendRef("ns", "a", 80, "a")])
    made.sweep(referenced)
    assert made.all() == [kept, busy]
    busy.stats.leave(1.0, 200, 1.0)
    busy.stats.take(1.0, 0)
    made.sweep(referenced)
    assert made.all() == [kept]
    assert made.of_service("ns", "c") == []
