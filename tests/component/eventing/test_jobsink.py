"""JobSink: events become Jobs; how they are is told, and those that fail leave their event."""

import asyncio
import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest

from eventing.codec import Event
from eventing.runtime import jobsink
from eventing.runtime import main as broker
from eventing.runtime.places import JOB_SINK, Place
from hearth.knative.resources import JOBSINKS
from hearth.kube.errors import ApiError, error_for
from hearth.kube.resources import JOBS, SECRETS
from tests.component.eventing.cluster import HEADERS, cluster, condition, next_of, running, sink

POD = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "it"}]}
JOB = {"spec": {"template": {"spec": POD}}}
LETTERS = "eventing.hearth.dev/dead-letter-sink"


async def ready(found, title="js", **annotations):
    obj = {
        "apiVersion": JOBSINKS.api_version,
        "kind": "JobSink",
        "metadata": {"name": title, "namespace": "default", "annotations": annotations},
        "spec": {"job": JOB},
    }
    await found.client.create(JOBSINKS, obj)
    return await found.until_ready(JOBSINKS, title)


async def post(found, url, **more):
    headers = HEADERS | more
    async with found.session.post(url, data=b'{"a":1}', headers=headers) as answer:
        return answer.status, answer.headers, await answer.text()


async def ask(found, location):
    url = f"http://127.0.0.1:{found.port}{location}"
    async with found.session.get(url) as answer:
        return answer.status, answer.headers.get("reason")


async def finish(found, job, kind, message=""):
    """What the Job controller would write."""
    obj = await found.client.get(JOBS, job, "default")
    now = "2026-01-01T00:00:00Z"
    done = {"status": "True", "reason": "Because", "message": message}
    done |= {"lastProbeTime": now, "lastTransitionTime": now}
    before = {"Failed": "FailureTarget", "Complete": "SuccessCriteriaMet"}[kind]
    conditions = [{"type": each, **done} for each in (before, kind)]
    times = {"startTime": now} | ({"completionTime": now} if kind == "Complete" else {})
    status = {"conditions": conditions, **times}
    await found.client.update_status(JOBS, {**obj, "status": status})


async def jobs(found):
    return (await found.client.list(JOBS, "default"))[0]


async def test_an_event_becomes_one_job(tmp_path):
    async with cluster(tmp_path) as found:
        made = await ready(found)
        assert made["status"]["job"] == {"selector": "sinks.knative.dev/job-sink-name=js"}
        url = made["status"]["address"]["url"]
        event = {"ce-id": "a b", "ce-source": "/x/y"}
        for _ in range(2):
            status, headers, _ = await post(found, url, **event)
            assert status == 202
            location = headers["location"]
        assert location == "/namespaces/default/name/js/sources/%2Fx%2Fy/ids/a%20b"
        [job] = await jobs(found)
        labels = job["metadata"]["labels"]
        title = labels["sinks.knative.dev/job-sink-id"]
        assert (title, labels["sinks.knative.dev/job-sink-name"]) == (job["metadata"]["name"], "js")
        [owner] = job["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("JobSink", made["metadata"]["uid"])
        [container] = job["spec"]["template"]["spec"]["containers"]
        assert container["env"] == [
            {"name": "K_EXECUTION_MODE", "value": "batch"},
            {"name": "K_EVENT_PATH", "value": "/etc/jobsink-event"},
        ]
        secret = await found.client.get(SECRETS, title, "default")
        assert secret["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
        given = json.loads(base64.b64decode(secret["data"]["event"]))
        assert (given["id"], given["source"], given["data"]) == ("a b", "/x/y", {"a": 1})

        assert await ask(found, location) == (202, None)
        await finish(found, title, "Complete")
        assert await ask(found, location) == (200, "Complete")
        _, headers, _ = await post(found, url)
        other = headers["location"]
        [job] = [each for each in await jobs(found) if each["metadata"]["name"] != title]
        await finish(found, job["metadata"]["name"], "Failed")
        assert await ask(found, other) == (400, "Failed")
        assert (await ask(found, other + "x"))[0] == 404
        assert (await ask(found, location.replace("js", "none")))[0] == 404
        assert (await ask(found, "/namespaces/default/name/js"))[0] == 405
        assert (await post(found, url + "x"))[0] == 404
        batch = {"content-type": "application/cloudevents-batch+json"}
        async with found.session.post(url, data=b"[]", headers=batch) as answer:
            assert answer.status == 400
        assert not (tmp_path / "broker" / "jobsinks").exists(), "without a sink nothing is kept"


class Server:
    """Answers each creation of a Job with the next of what it is given."""

    def __init__(self, *answers):
        self.answers = list(answers)

    async def create(self, resource, obj):
        if resource == SECRETS:
            return obj
        answer = self.answers.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return obj


def refusal(code, message):
    return error_for({"code": code, "message": message, "reason": ""})


@pytest.mark.parametrize(
    ("answers", "status", "text"),
    [
        ([None], 202, ""),
        ([refusal(503, "down")] * 2 + [None], 202, ""),
        ([refusal(503, "down")] * 4, 503, "the Job cannot be made now: down"),
        ([refusal(422, "no such Job")], 500, "no such Job"),
        ([refusal(403, "may not")], 500, "may not"),
    ],
)
async def test_what_the_api_server_says_is_told(monkeypatch, answers, status, text):
    monkeypatch.setattr(jobsink, "_PAUSES", (0.0, 0.0, 0.0))
    made = {"metadata": {"name": "js", "namespace": "ns", "uid": "u"}, "spec": {"job": JOB}}
    server: Any = Server(*answers)
    released: list[object] = []
    dead: Any = SimpleNamespace(release=released.append)
    sinks = jobsink.JobSinks(server, lambda _: made, dead, full=lambda _: "")
    answered = asyncio.get_running_loop().create_future()
    event = Event({"id": "1", "source": "/s", "type": "t", "specversion": "1.0"})
    sinks.receive(Place(JOB_SINK, "ns", "js"), (), [event], answered.set_result)
    head = await asyncio.wait_for(answered, 60)
    assert (head.status, head.body.decode().strip()) == (status, text)
    assert not server.answers
    assert bool(released) is (status == 500)
    assert (b"reason" in dict(head.fields)) is (status == 500)
    await sinks.close()


@pytest.mark.parametrize("restarts", [False, True])
async def test_the_event_of_a_job_that_failed_is_a_dead_letter(tmp_path, restarts):
    async with cluster(tmp_path, with_broker=False) as found, sink() as (letters, died):
        async with running(lambda ready: broker.run(found.broker_config(), ready)):
            made = await ready(found, **{LETTERS: json.dumps(letters)})
            assert condition(made, "DeadLetterSinkResolved")[0] == "True"
            url = made["status"]["address"]["url"]
            assert (await post(found, url, **{"ce-id": "good"}))[0] == 202
            [job] = await jobs(found)
            await finish(found, job["metadata"]["name"], "Complete")
            assert (await post(found, url, **{"ce-id": "bad"}))[0] == 202
            [bad] = [each for each in await jobs(found) if each["metadata"]["uid"] != uid(job)]
            if not restarts:
                await finish(found, bad["metadata"]["name"], "Failed", "no luck")
                await check(found, tmp_path, died, url)
                # It comes again: its Job is there and over, so nothing is kept for it.
                assert (await post(found, url, **{"ce-id": "bad"}))[0] == 202
                assert not list((tmp_path / "broker" / "jobsinks").iterdir())
                return
        await finish(found, bad["metadata"]["name"], "Failed", "no luck")
        async with running(lambda ready: broker.run(found.broker_config(), ready)):
            await check(found, tmp_path, died, url)


def uid(obj):
    return obj["metadata"]["uid"]


async def check(found, folder, died, url):
    letter = await next_of(died)
    assert letter["ce-id"] == "bad"
    assert letter["ce-knativeerrordest"] == url
    why = base64.b64decode(letter["ce-knativeerrordata"]).decode()
    assert "has failed: Because no luck" in why
    async with asyncio.timeout(60):
        while list((folder / "broker" / "jobsinks").iterdir()):
            await asyncio.sleep(0.01)
    assert died.empty()


@pytest.mark.parametrize("bad", ["x", "[]", '{"uri": 1}', "{}"])
async def test_a_dead_letter_sink_that_is_none_is_refused(tmp_path, bad):
    async with cluster(tmp_path, with_broker=False) as found:
        with pytest.raises(ApiError, match="dead-letter-sink"):
            await ready(found, **{LETTERS: bad})
