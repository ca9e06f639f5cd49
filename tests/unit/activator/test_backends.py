"""The registry: one backend per Service port, kept as long as it is of use."""

from __future__ import annotations

from activator.backends import Registry
from activator.revisions import RevisionSpec
from activator.routes import BackendRef


def a_registry() -> Registry:
    return Registry(clock=lambda: 0.0, random=lambda: 0.0)


def test_one_backend_per_service_port() -> None:
    registry = a_registry()
    first = registry.resolve(BackendRef("ns", "a", 80, "a"))
    assert registry.resolve(BackendRef("ns", "a", 80, "a")) is first
    assert registry.resolve(BackendRef("ns", "a", 8080)) is not first
    assert registry.resolve(BackendRef("other", "a", 80)) is not first
    assert len(registry.of_service("ns", "a")) == 2


def test_a_new_backend_is_filled_with_what_is_known() -> None:
    registry, seen = a_registry(), []
    registry.on_new = seen.append
    backend = registry.resolve(BackendRef("ns", "a", 80))
    registry.resolve(BackendRef("ns", "a", 80))
    assert seen == [backend]


def test_a_service_that_a_route_names_as_a_revisions_becomes_one() -> None:
    registry = a_registry()
    backend = registry.resolve(BackendRef("ns", "a", 80))
    assert not backend.is_revision
    registry.resolve(BackendRef("ns", "a", 80, "a"))
    assert backend.is_revision
    # Until its Revision is known, how to probe it is not.
    assert not backend.can_probe
    backend.configure(RevisionSpec("ns", "a", container_concurrency=3))
    assert backend.can_probe
    assert backend.throttler.container_concurrency == 3


def test_what_no_route_leads_to_goes_when_its_last_request_is_counted() -> None:
    registry = a_registry()
    kept, gone, busy = (registry.resolve(BackendRef("ns", name, 80)) for name in "abc")
    busy.stats.enter(0.0)
    referenced = frozenset([BackendRef("ns", "a", 80, "a")])
    assert registry.sweep(referenced) == [gone]
    assert registry.all() == [kept, busy]
    busy.stats.leave(1.0, 200, 1.0)
    busy.stats.take(1.0, 0)
    assert registry.sweep(referenced) == [busy]
    assert registry.of_service("ns", "c") == []
