"""The collector reads what changes while it is read: scrapes come from another thread."""

from __future__ import annotations

from activator.dataplane import DataPlane
from activator.http.events import Refusal
from activator.http.refusals import BAD_REQUEST
from activator.metrics import ActivatorCollector
from activator.pods import Pod
from activator.routes import BackendRef
from activator.targets import TargetSpec
from serving.api.config.gateway import BacklogLimits


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


def test_backlogs_and_retries_are_told_by_revision() -> None:
    plane = DataPlane(clock=lambda: 0.0)
    backend = plane.backends.resolve(BackendRef("ns", "a", 80, "a"))
    backend.configure(TargetSpec("ns", "a", service="s", configuration="c"))
    plane.backends.resolve(BackendRef("ns", "quiet", 80, "quiet"))
    plane.room.limits = BacklogLimits(requests=2, all_octets=10)
    for size in (4, 8, 1, 1):
        backend.throttler.enqueue(Nobody(), size, 0.0)
    while backend.may_retry(0.0):
        pass
    revision = {
        "kn_service_name": "s",
        "kn_configuration_name": "c",
        "kn_revision_name": "a",
        "k8s_namespace_name": "ns",
    }
    found = {
        (
            sample.name,
            *(value for name, value in sample.labels.items() if name not in revision),
        ): sample.value
        for metric in ActivatorCollector(plane).collect()
        for sample in metric.samples
        if sample.labels.items() >= revision.items()
    }
    assert found["hearth_activator_queue_bytes",] == 5
    assert found["hearth_activator_queue_refused_total", "activator"] == 1
    assert found["hearth_activator_queue_refused_total", "revision"] == 1
    assert found["hearth_activator_retries_total", "sent"] == 100
    assert found["hearth_activator_retries_total", "over-budget"] == 1


class Nobody:
    """Waits."""

    def run_on(self, pod: Pod, now: float) -> None:
        raise AssertionError("there is no pod")

    def fail(self, refusal: Refusal) -> None:
        raise AssertionError("nobody is sent home")


def test_what_hearth_itself_is_reached_by_is_no_service_of_a_users() -> None:
    plane = DataPlane(clock=lambda: 0.0)
    plane.backends.resolve(BackendRef("knative-serving", "hearth-page", 80))
    plane.backends.resolve(BackendRef("ns", "a", 80))
    namespaces = {
        sample.labels["k8s_namespace_name"]
        for metric in ActivatorCollector(plane).collect()
        for sample in metric.samples
        if "k8s_namespace_name" in sample.labels
    }
    assert namespaces == {"ns"}
