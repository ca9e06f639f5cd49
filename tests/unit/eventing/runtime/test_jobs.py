"""The Job that an event starts."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.runtime.jobs import Started, failure, make_job, make_secret, outcome

STARTED = Started("ns", "js", "/s", "1")
MOUNT = {"name": "jobsink-event", "mountPath": "/here"}


def a_sink(**pod: Any) -> Any:
    template = {"spec": {"containers": [{"name": "c"}], **pod}}
    job = {"metadata": {"labels": {"a": "b"}}, "spec": {"backoffLimit": 1, "template": template}}
    return {"metadata": {"name": "js", "namespace": "ns", "uid": "u"}, "spec": {"job": job}}


@given(*([st.text(min_size=1)] * 4))
def test_a_location_is_read_as_it_was_written(where: str, sink: str, source: str, id: str) -> None:
    started = Started(where, sink, source, id)
    assert Started.at(started.location.encode("ascii")) == started


@pytest.mark.parametrize(
    "target", [b"/", b"/ns/b", b"/namespaces/a/name/b", b"/namespaces/a/x/b/sources/c/ids/d"]
)
def test_other_paths_are_no_location(target: bytes) -> None:
    assert Started.at(target) is None


def test_one_event_has_one_job_whatever_else_it_is() -> None:
    assert STARTED.job == "js-b8a765b7041c79e3f785739f20361857"
    assert STARTED.job != STARTED._replace(id="2").job
    assert len(STARTED._replace(sink="x" * 60).job) <= 63


def test_a_job_knows_its_event_and_its_sink() -> None:
    sink = a_sink()
    before = copy.deepcopy(sink)
    job = make_job(sink, STARTED)
    assert sink == before
    assert job["metadata"]["labels"] == {
        "a": "b",
        "sinks.knative.dev/job-sink-id": STARTED.job,
        "sinks.knative.dev/job-sink-name": "js",
    }
    assert job["spec"]["backoffLimit"] == 1
    pod = job["spec"]["template"]["spec"]
    assert pod["volumes"] == [{"name": "jobsink-event", "secret": {"secretName": STARTED.job}}]
    [container] = pod["containers"]
    assert container["volumeMounts"][0]["mountPath"] == "/etc/jobsink-event"
    assert container["env"] == [{"name": "K_EVENT_PATH", "value": "/etc/jobsink-event"}]
    secret = make_secret({"metadata": {"name": STARTED.job, "uid": "j"}}, STARTED, b"{}")
    assert secret["data"] == {"event": "e30="}
    assert secret["metadata"]["ownerReferences"][0]["kind"] == "Job"


def test_what_a_template_says_of_the_event_stays() -> None:
    volume = {"name": "jobsink-event", "emptyDir": {}}
    containers = [{"name": "c", "volumeMounts": [MOUNT], "env": [{"name": "A", "value": "b"}]}]
    pod = make_job(a_sink(volumes=[volume], containers=containers), STARTED)["spec"]["template"]
    assert pod["spec"]["volumes"] == [volume]
    [container] = pod["spec"]["containers"]
    assert container["volumeMounts"] == [MOUNT]
    assert container["env"][1:] == [{"name": "K_EVENT_PATH", "value": "/here"}]


@pytest.mark.parametrize(
    ("conditions", "ended"),
    [
        ([], ""),
        ([("Suspended", "True")], ""),
        ([("Failed", "True")], "Failed"),
        ([("Complete", "True")], "Complete"),
        ([("Failed", "False")], ""),
    ],
)
def test_how_a_job_ended(conditions: list[tuple[str, str]], ended: str) -> None:
    shown = [{"type": kind, "status": status, "message": "m"} for kind, status in conditions]
    job = {"metadata": {"name": "j", "namespace": "ns"}, "status": {"conditions": shown}}
    assert outcome(job) == ended
    if ended == "Failed":
        assert failure(job) == "Job ns/j has failed:  m"
