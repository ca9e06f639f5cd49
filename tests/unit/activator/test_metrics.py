"""The collector reads what changes while it is read: scrapes come from another thread."""

from __future__ import annotations

from activator.dataplane import DataPlane
from activator.http.refusals import BAD_REQUEST
from activator.metrics import ActivatorCollector
from activator.routes import BackendRef
from activator.targets import TargetSpec


def test_counters_may_appear_while_they_are_read() -> None:
    plane = DataPlane(clock=lambda: 0.0)
    backend = plane.backends.resolve(BackendRef("ns", "a", 80, "a"))
    backend.configure(TargetSpec("ns", "a"))
    backend.count_cold_start([0.1] * 5)
    plane.gateway.refuse(BAD_REQUEST)
    names = []
    for metric in ActivatorCollector(plane).collect():
        names.append(metric.name)
        plane.gateway.refusals[f"reason-{len(names)}"] = 1
        plane.backends.resolve(BackendRef("ns", f"b{len(names)}", 80))
    assert "hearth_activator_errors" in names
    assert "hearth_activator_cold_start_phase_seconds" in names
