"""samples/eventing, applied at once: broker, CESQL, a sequence and two sources."""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.e2e.support import SAMPLES, Hearth, wait_until


def received(hearth: Hearth, name: str) -> list[dict[str, Any]]:
    entries = json.loads(hearth.request(name, "/received").body)
    return [entry["received"] for entry in entries]


def types(hearth: Hearth, name: str) -> list[str]:
    return [each["type"] for each in received(hearth, name)]


def adapters(hearth: Hearth) -> set[str]:
    pods = hearth.get_json("pods", "-A")["items"]
    names = {pod["metadata"]["name"] for pod in pods}
    return {name for name in names if name.startswith(("pingsource-", "apiserversource-"))}


def test_samples_work_with_one_apply(hearth: Hearth) -> None:
    assert adapters(hearth) == set(), "what nobody uses costs nothing"
    hearth.kubectl("apply", "-f", str(SAMPLES / "eventing"))
    for each in (
        *(f"trigger/{t}" for t in ("orders", "big-orders", "confirmed", "packed", "ticks")),
        "trigger/changes",
        "trigger/all-events",
        "integrationsink/all-events",
        "sequence/prepare",
        "pingsource/each-ten-seconds",
        "apiserversource/config-maps",
    ):
        hearth.kubectl("wait", "--for=condition=Ready", each, "--timeout=90s")
    for amount in ("50", "150"):
        event = ("--type", "order.created", "-e", f"amount={amount}", "--data", '{"id": 7}')
        assert "202" in hearth.run("event", "send", *event).stdout
    wait_until(lambda: types(hearth, "mailer") == ["order.packed"] * 2, what="orders at mailer")
    wait_until(
        lambda: [each["amount"] for each in received(hearth, "big-orders")] == ["150"],
        what="the big order",
    )
    tick = wait_until(lambda: received(hearth, "ticks"), what="a tick")[0]
    assert tick["type"] == "dev.knative.sources.ping"
    assert tick["time"].endswith("0Z")
    # The IntegrationSink's pod has all of them in its log.

    def lines() -> str:
        return hearth.kubectl("logs", "deployment/all-events-deployment").stdout

    wait_until(lambda: lines().count("type: order.created") == 2, what="both orders in the log")
    assert r"{\"id\": 7}" in lines()


def test_what_happens_in_the_cluster_is_told(hearth: Hearth) -> None:
    hearth.kubectl("create", "configmap", "settings", "--from-literal=a=b")
    hearth.kubectl("label", "configmap", "settings", "watch=yes")
    hearth.kubectl("delete", "configmap", "settings")
    told = [f"dev.knative.apiserver.resource.{each}" for each in ("add", "delete")]
    wait_until(lambda: types(hearth, "changes") == told, what="its life at `changes`")
    # One of the PingSource, three of the ApiServerSource.
    wait_until(lambda: len(hearth.get_json("eventtypes")["items"]) == 4, what="their EventTypes")


def test_adapters_go_with_the_last_source(hearth: Hearth) -> None:
    assert len(adapters(hearth)) == 2
    hearth.kubectl("delete", "-f", str(SAMPLES / "eventing" / "sources.yaml"))
    wait_until(lambda: not adapters(hearth), seconds=60, what="the end of both adapters")
    wait_until(lambda: not hearth.get_json("eventtypes")["items"], what="the end of EventTypes")


SENDER = """
import json, os, time, urllib.request
extensions = json.loads(os.environ["K_CE_OVERRIDES"])["extensions"]
headers = {f"ce-{name}": value for name, value in extensions.items()}
headers |= {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/sender", "ce-type": "sent"}
request = urllib.request.Request(os.environ["K_SINK"], b"{}", headers)
print(urllib.request.urlopen(request).status, flush=True)
time.sleep(3600)
"""


def test_a_container_of_ones_own_sends(hearth: Hearth) -> None:
    hearth.run("image", "add", "tests/sender", "--", sys.executable, "-c", SENDER)
    sink = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "changes"}
    hearth.apply(
        {
            "apiVersion": "sources.knative.dev/v1",
            "kind": "ContainerSource",
            "metadata": {"name": "sender", "namespace": "default"},
            "spec": {
                "sink": {"ref": sink},
                "ceOverrides": {"extensions": {"team": "one"}},
                "template": {"spec": {"containers": [{"image": "tests/sender"}]}},
            },
        }
    )
    hearth.kubectl("wait", "--for=condition=Ready", "containersource/sender", "--timeout=90s")
    sent = wait_until(
        lambda: [each for each in received(hearth, "changes") if each["type"] == "sent"],
        what="the event of the container",
    )
    assert [(each["source"], each["team"]) for each in sent] == [("/sender", "one")]
    hearth.kubectl("delete", "containersource", "sender")
    wait_until(
        lambda: not hearth.get_json("sinkbindings")["items"], what="the end of its SinkBinding"
    )
