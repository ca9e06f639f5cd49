"""Knative's HPA class on one machine: pods by the CPU they use."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.support import Hearth, a_service, wait_until

pytestmark = pytest.mark.kubectl


@contextlib.contextmanager
def load(hearth: Hearth, service: str) -> Iterator[None]:
    """Requests one after the other, as fast as they are answered."""
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            hearth.request(service)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        over.set()
        asking.join()


def status(hearth: Hearth) -> dict[str, Any]:
    found: dict[str, Any] = hearth.get_json("hpa", "busy-00001").get("status") or {}
    return found


def test_a_service_of_the_hpa_class_follows_its_cpu(hearth: Hearth) -> None:
    annotations = {
        "autoscaling.knative.dev/class": "hpa.autoscaling.knative.dev",
        "autoscaling.knative.dev/metric": "cpu",
        "autoscaling.knative.dev/target": "50",
        "autoscaling.knative.dev/min-scale": "1",
        "autoscaling.knative.dev/max-scale": "3",
    }
    container = {"resources": {"requests": {"cpu": "20m"}}}
    hearth.apply(a_service("busy", container=container, annotations=annotations))
    hearth.kubectl("wait", "--for=condition=Ready", "ksvc/busy", "--timeout=90s")
    with load(hearth, "busy"):
        wait_until(lambda: status(hearth).get("desiredReplicas") == 3, what="three pods")
        wait_until(
            lambda: (
                hearth.get_json("deployment", "busy-00001-deployment")["status"].get(
                    "readyReplicas"
                )
                == 3
            ),
            what="three ready pods",
        )
    why = "cpu resource utilization (percentage of request) above target"

    def are_told() -> bool:  # Events are written after the fact
        told = hearth.kubectl("describe", "hpa", "busy-00001").stdout
        return "SuccessfulRescale" in told and why in told

    wait_until(are_told, what="the Event of it")
    wait_until(lambda: status(hearth)["desiredReplicas"] == 1, seconds=60, what="one pod")
    assert hearth.request("busy").status == 200
