"""What the README's first screen says, done as it says it."""

from __future__ import annotations

import json

import pytest

from tests.e2e.support import SAMPLES, Hearth, wait_until

pytestmark = pytest.mark.kubectl


def test_apply_get_and_call(hearth: Hearth) -> None:
    assert "created" in hearth.kubectl("apply", "-f", str(SAMPLES / "hello.yaml")).stdout
    hearth.kubectl("wait", "--for=condition=Ready", "ksvc/hello", "--timeout=90s")
    table = hearth.kubectl("get", "ksvc").stdout.splitlines()
    assert table[0].split() == ["NAME", "URL", "LATESTCREATED", "LATESTREADY", "READY", "REASON"]
    assert table[1].split()[:5] == [
        "hello",
        f"http://hello.default.localhost:{hearth.port}",
        "hello-00001",
        "hello-00001",
        "True",
    ]
    answer = hearth.request("hello")
    assert (answer.status, answer.body) == (200, "Hello World!\n")


def test_status_shows_addresses_processes_and_services(hearth: Hearth) -> None:
    status = hearth.status()
    assert status["kubeconfig"] == hearth.kubeconfig
    assert status["gateway"].endswith(f":{hearth.port}")
    names = {process["name"] for process in status["processes"]}
    on_demand = {"broker", "keda", "ui", "pipelines", "webhooks"}
    assert names == {"supervisor", "api", "cluster", "control", "activator"} | on_demand
    running = [process for process in status["processes"] if process["state"] == "running"]
    assert names - {each["name"] for each in running} == on_demand, "nothing needs them"
    assert all(process["memoryMiB"] > 0 for process in running)
    assert "hello" in {service["name"] for service in status["services"]}
    assert "hello" in hearth.run("status").stdout


def test_logs_name_the_request(hearth: Hearth) -> None:
    hearth.request("hello")
    assert wait_until(lambda: hearth.run("logs", "hello").stdout, what="a log line")


def test_sleeps_and_wakes(hearth: Hearth) -> None:
    def pods() -> list[object]:
        pods = hearth.get_json("pods", "-l", "serving.knative.dev/service=hello")
        return list(pods["items"])

    wait_until(lambda: not pods(), seconds=40, what="scale to zero")
    answer = hearth.request("hello")
    assert answer.status == 200
    assert "server-timing" in answer.headers


def test_split_by_percent_and_tag(hearth: Hearth) -> None:
    hearth.kubectl("apply", "-f", str(SAMPLES / "hello-v2.yaml"))
    hearth.kubectl("wait", "--for=condition=Ready", "ksvc/hello", "--timeout=90s")
    wait_until(
        lambda: hearth.request("candidate-hello").body == "Hello Version Two!\n",
        what="the tag's own URL",
    )
    bodies = [hearth.request("hello").body for _ in range(300)]
    assert set(bodies) == {"Hello World!\n", "Hello Version Two!\n"}
    assert 0.03 < bodies.count("Hello Version Two!\n") / len(bodies) < 0.2


def test_delete_leaves_nothing(hearth: Hearth) -> None:
    hearth.kubectl("delete", "ksvc", "hello")

    def left() -> str:
        kinds = "configurations,revisions,routes,deployments,pods,services.serving.knative.dev"
        return hearth.kubectl("get", kinds, "-o", "name").stdout

    wait_until(lambda: not left(), seconds=40, what="everything of the service gone")
    assert hearth.request("hello").status == 404


def test_an_event_wakes_a_service(hearth: Hearth) -> None:
    hearth.kubectl("apply", "-f", str(SAMPLES / "events.yaml"))
    for name in ("orders", "mailer", "refuser"):
        hearth.kubectl("wait", "--for=condition=Ready", f"trigger/{name}", "--timeout=90s")
    sent = hearth.run("event", "send", "--type", "order.created", "--data", '{"order": 42}')
    assert "202" in sent.stdout

    def received() -> list[str]:
        entries = json.loads(hearth.request("mailer", "/received").body)
        return [entry["received"]["type"] for entry in entries]

    wait_until(lambda: "order.confirmed" in received(), what="the reply at mailer")


def test_an_event_goes_through_a_sequence(hearth: Hearth) -> None:
    hearth.kubectl("apply", "-f", str(SAMPLES / "flows.yaml"))
    hearth.kubectl("wait", "--for=condition=Ready", "sequence/two-steps", "--timeout=90s")
    for name in ("done-to-archive", "done-to-mailer"):
        hearth.kubectl("wait", "--for=condition=Ready", f"subscription/{name}", "--timeout=90s")
    at = ("get", "sequence", "two-steps", "-o", "jsonpath={.status.address.url}")
    url = hearth.kubectl(*at).stdout
    sent = hearth.run("event", "send", "--to", url, "--type", "start", "--data", '{"a": 1}')
    assert "202" in sent.stdout

    def received(name: str) -> list[str]:
        entries = json.loads(hearth.request(name, "/received").body)
        return [entry["received"]["type"] for entry in entries]

    # All of them, always: who is not asked for six seconds sleeps, and forgets.
    wanted = {
        "first": ["start"],
        "second": ["after.first"],
        "archive": ["after.second"],
        "mail": ["after.second"],
    }
    wait_until(lambda: {name: received(name) for name in wanted} == wanted, what="the event's way")
