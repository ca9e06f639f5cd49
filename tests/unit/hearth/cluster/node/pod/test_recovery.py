from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.node.pod.lifecycle import Failure
from hearth.cluster.node.pod.recovery import failure_of, records_of
from hearth.kube.clock import rfc3339

NOW = 1_800_000_000.0


def a_pod(**state: Any) -> dict[str, Any]:
    entry = {"name": "main", "restartCount": 2, "imageID": "app@sha256:1", "state": state}
    return {"metadata": {}, "spec": {}, "status": {"containerStatuses": [entry]}}


def test_what_ran_is_counted_as_ended_unseen() -> None:
    record = records_of(a_pod(running={"startedAt": rfc3339(NOW - 5)}), NOW)["main"]
    assert record.running is None and record.ended is not None
    assert (record.ended.exit_code, record.ended.reason) == (137, "ContainerStatusUnknown")
    assert (record.ended.started_at, record.ended.finished_at) == (NOW - 5, NOW)
    assert (record.restarts, record.image_id) == (2, "app@sha256:1")


def test_an_end_is_read_back() -> None:
    end = {"exitCode": 3, "reason": "Error", "finishedAt": rfc3339(NOW), "message": "no",
           "startedAt": rfc3339(NOW - 1)}  # fmt: skip
    record = records_of(a_pod(terminated=end), NOW)["main"]
    assert record.ended is not None
    assert (record.ended.exit_code, record.ended.message) == (3, "no")
    assert record.ended.finished_at == NOW


def test_one_that_waits_begins_anew() -> None:
    record = records_of(a_pod(waiting={"reason": "ErrImagePull"}), NOW)["main"]
    assert record.running is None and record.ended is None


@pytest.mark.parametrize(
    "state", [{"terminated": {"exitCode": 1}}, {"running": {"startedAt": None}}, {}]
)
def test_what_a_status_does_not_say(state: dict[str, Any]) -> None:
    assert records_of(a_pod(**state), NOW)["main"].restarts == 2


def test_a_pod_without_a_status() -> None:
    assert records_of({"metadata": {}, "spec": {}}, NOW) == {}


def test_what_was_ended_does_not_run_again() -> None:
    status = {"phase": "Failed", "reason": "Evicted", "message": "too large"}
    assert failure_of({"status": status}) == Failure("Evicted", "too large")
    assert failure_of({"status": {"phase": "Failed"}}) is None
    assert failure_of({"status": {**status, "phase": "Running"}}) is failure_of({}) is None
