"""Commands that ask the Kubernetes API of a Hearth: what they find, and what they say if not."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from eventing import install as eventing
from hearth.cli import main
from hearth.cli.errors import UserError
from hearth.cli.state import process_start, read_state, write_state
from hearth.cluster.apiserver.testing import running_apiserver
from hearth.knative.resources import BROKERS, KSERVICES, REVISIONS
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.errors import Conflict
from hearth.kube.resources import PODS
from serving import install as serving
from serving.api import keys
from tests.ports import free_port


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[KubeClient]:
    """A client of an API server whose state folder says that a Hearth runs: this process."""
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        await serving.install(client)
        await eventing.install(client)
        state: dict[str, Any] = {
            "name": "default",
            "pid": os.getpid(),
            "started": process_start(os.getpid()),
            "kubeconfig": str(server.kubeconfig),
            "gateway": "http://localhost:1",
            "host": "127.0.0.1",
            "api": server.url,
            "ports": {},
            "components": {},
        }
        write_state(tmp_path, state)
        yield client


async def hearth(folder: Path, *arguments: str) -> Result:
    """Runs a command in a thread, because it has an event loop of its own."""
    command = [*arguments, "--data-dir", str(folder)]
    return await asyncio.to_thread(CliRunner().invoke, main.app, command)


def complaint(result: Result) -> str:
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


def a_service(name: str) -> dict[str, Any]:
    template = {"spec": {"containers": [{"image": "app"}]}}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": template},
    }


def a_broker(**status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Broker",
        "metadata": {"name": "default", "namespace": "default"},
        "spec": {},
        "status": status,
    }


async def test_logs_of_a_service_that_is_not_there(client: KubeClient, tmp_path: Path) -> None:
    said = complaint(await hearth(tmp_path, "logs", "nobody", "-n", "elsewhere"))
    assert "no service 'nobody' in namespace 'elsewhere'" in said


async def test_logs_of_a_service_at_zero(client: KubeClient, tmp_path: Path) -> None:
    await client.create(KSERVICES, a_service("hello"))
    result = await hearth(tmp_path, "logs", "hello")
    assert result.exit_code == 0
    assert "No pod of hello runs (it may sleep at zero)" in result.stderr


async def test_an_event_for_a_broker_that_is_not_there(client: KubeClient, tmp_path: Path) -> None:
    said = complaint(await hearth(tmp_path, "event", "send", "--to", "shop/orders"))
    assert "no broker 'orders' in namespace 'shop'" in said


async def test_an_event_for_a_broker_that_is_not_ready(client: KubeClient, tmp_path: Path) -> None:
    await client.create(BROKERS, a_broker())
    said = complaint(await hearth(tmp_path, "event", "send"))
    assert "broker 'default' is not ready yet" in said


@pytest.mark.parametrize("audience", [None, "eventing.knative.dev/broker/default/default"])
async def test_an_event_goes_to_the_address_of_the_broker(
    client: KubeClient, tmp_path: Path, audience: str | None
) -> None:
    taken: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        made = await client.create(BROKERS, a_broker())
        address = {"url": f"http://127.0.0.1:{port}/default/default"}
        address |= {} if audience is None else {"audience": audience}
        await client.update_status(BROKERS, {**made, "status": {"address": address}})
        result = await hearth(tmp_path, "event", "send", "--type", "order.created")
    assert result.exit_code == 0, result.output
    assert [head.splitlines()[0] for head in taken] == [b"POST /default/default HTTP/1.1"]
    shown = [line for line in taken[0].split(b"\r\n") if line.lower().startswith(b"authorization:")]
    assert len(shown) == (audience is not None)
    for line in shown:
        spec = {"token": line.split(b" ")[2].decode(), "audiences": [audience]}
        path = "/apis/authentication.k8s.io/v1/tokenreviews"
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
        answer = await client.request("POST", path, body=review)
        assert answer["status"]["user"]["username"] == "system:serviceaccount:default:default"


async def test_status_lists_services(client: KubeClient, tmp_path: Path) -> None:
    await client.create(KSERVICES, a_service("hello"))
    result = await hearth(tmp_path, "status")
    assert result.exit_code == 0, result.output
    assert "hello" in result.output
    assert "supervisor" in result.output


# -- status -------------------------------------------------------------------------------------


def a_crashing_pod() -> dict[str, Any]:
    container = {"name": "main", "image": "app"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "crash", "namespace": "default"},
        "spec": {"containers": [container], "nodeName": "here"},
    }


def crashed(message: str) -> dict[str, Any]:
    end = {"exitCode": 3, "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:00Z",
           "message": message, "reason": "Error"}  # fmt: skip
    status = {
        "name": "main",
        "image": "app",
        "imageID": "",
        "ready": False,
        "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
        "lastState": {"terminated": end},
    }
    return {"phase": "Running", "containerStatuses": [status]}


async def test_status_of_a_hearth_that_is_well(client: KubeClient, tmp_path: Path) -> None:
    result = await hearth(tmp_path, "status")
    assert result.exit_code == 0, result.output
    assert "No services yet" in result.output


async def test_status_shows_what_keeps_crashing(client: KubeClient, tmp_path: Path) -> None:
    await client.create(PODS, a_crashing_pod())
    body = {"status": crashed("no [config]")}
    await client.patch(PODS, "crash", "default", body, subresource="status")
    result = await hearth(tmp_path, "status", "-o", "json")
    assert result.exit_code == 1
    (found,) = json.loads(result.output)["containers"]
    assert found == {
        "namespace": "default",
        "pod": "crash",
        "container": "main",
        "state": "CrashLoopBackOff",
        "restarts": 4,
        "lastWords": "no [config]",
    }
    assert "no [config]" in (await hearth(tmp_path, "status")).output


async def test_last_words_are_looked_up_in_the_log(client: KubeClient, tmp_path: Path) -> None:
    pod = await client.create(PODS, a_crashing_pod())
    await client.patch(PODS, "crash", "default", {"status": crashed("")}, subresource="status")
    folder = tmp_path / "pods" / f"default_crash_{pod['metadata']['uid']}" / "main"
    folder.mkdir(parents=True)
    line = "2026-01-01T00:00:00.000000000Z stderr F "
    (folder / "4.log").write_text(f"{line}first\n{line}cannot open the database\n")
    result = await hearth(tmp_path, "status", "-o", "json")
    (found,) = json.loads(result.output)["containers"]
    assert found["lastWords"] == "cannot open the database"


async def test_status_shows_a_component_that_is_down(client: KubeClient, tmp_path: Path) -> None:
    state = read_state(tmp_path)
    entry = {"pid": 0, "is_ready": False, "restarts": 6, "exit_code": 1, "ended_at": 0.0,
             "last_words": "ValueError: broken"}  # fmt: skip
    write_state(tmp_path, state | {"health": {"control": entry}})
    result = await hearth(tmp_path, "status", "-o", "json")
    assert result.exit_code == 1
    (control,) = [p for p in json.loads(result.output)["processes"] if p["name"] == "control"]
    assert (control["restarts"], control["lastWords"]) == (6, "ValueError: broken")
    assert control["state"] == "down"
    assert "ValueError: broken" in (await hearth(tmp_path, "status")).output


# -- top, completion -------------------------------------------------------------------------------


async def test_top_says_what_it_does_not_know(client: KubeClient, tmp_path: Path) -> None:
    """No activator runs here, and no node: services and pods are shown as the API has them."""
    await client.create(KSERVICES, a_service("hello"))
    state = read_state(tmp_path)
    write_state(tmp_path, state | {"ports": {"metrics-activator": free_port()}})
    shown = await hearth(tmp_path, "top", "--once", "--interval", "0.1")
    assert shown.exit_code == 0, shown.output
    assert "hello" in shown.output
    assert "requests are not known" in shown.output
    told = await hearth(tmp_path, "top", "--interval", "0.1", "-o", "json", "-n", "elsewhere")
    assert json.loads(told.output)["services"] == []
    assert "No pods." in (await hearth(tmp_path, "top", "--pods", "--interval", "0.1")).output
    assert "at least 0.1" in complaint(await hearth(tmp_path, "top", "--interval", "0"))


async def test_names_are_completed_from_the_api(client: KubeClient, tmp_path: Path) -> None:
    await client.create(KSERVICES, a_service("hello"))
    await client.create(KSERVICES, a_service("other"))

    async def completed(words: str, count: int, folder: Path = tmp_path) -> list[str]:
        asked = {"_HEARTH_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(count)}
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("hearth"),
            env={**os.environ, **asked, "HEARTH_DATA_DIR": str(folder)},
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await process.communicate()
        return told.decode().split()

    assert await completed("hearth describe h", 2) == ["hello"]
    assert await completed("hearth logs x -n def", 4) == ["default"]
    assert await completed("hearth des", 1) == ["describe"]
    assert await completed("hearth describe h", 2, tmp_path / "nothing") == []


# -- brokers ---------------------------------------------------------------------------------------


async def test_a_broker_that_nobody_makes_ready_says_so(client: KubeClient, tmp_path: Path) -> None:
    for _ in range(2):  # the second finds the first one's
        made = await hearth(tmp_path, "event", "create-broker", "orders", "--timeout", "0.2")
        assert complaint(made) == (
            "broker orders is not ready after 0.2 s: no controller has looked at it"
        )
    broker = await client.get(BROKERS, "orders", "default")
    status = {
        "conditions": [{"type": "Ready", "status": "False", "reason": "R", "message": "no disk"}]
    }
    await client.update_status(BROKERS, {**broker, "status": status})
    made = await hearth(tmp_path, "event", "create-broker", "orders", "--timeout", "0.2")
    assert complaint(made) == "broker orders is not ready after 0.2 s: no disk"


async def test_a_broker_of_a_class_that_is_ready_prints_its_address(
    client: KubeClient, tmp_path: Path
) -> None:
    async def controller() -> None:
        async for event in client.watch(BROKERS, "default", resource_version="0"):
            status = {
                "conditions": [{"type": "Ready", "status": "True"}],
                "address": {"url": "http://orders.here"},
            }
            await client.update_status(BROKERS, {**event.object, "status": status})
            return

    acting = asyncio.create_task(controller())
    made = await hearth(tmp_path, "event", "create-broker", "orders", "--class", "Kafka")
    await acting
    assert made.output == "http://orders.here\n"
    broker = await client.get(BROKERS, "orders", "default")
    assert broker["metadata"]["annotations"]["eventing.knative.dev/broker.class"] == "Kafka"


async def test_a_broker_that_cannot_be_says_why(client: KubeClient, tmp_path: Path) -> None:
    made = await hearth(tmp_path, "event", "create-broker", "Orders!")
    assert "Orders!" in complaint(made)


async def test_scale_is_set_at_the_service_and_taken_back(
    tmp_path: Path, client: KubeClient
) -> None:
    await client.create(KSERVICES, a_service("hello"))
    said = await hearth(tmp_path, "scale", "set", "hello", "--min", "2", "--max", "9")
    assert said.output == "hello: min-scale 2, max-scale 9; no new revision was made\n"
    service = await client.get(KSERVICES, "hello", "default")
    assert service["metadata"]["annotations"]["autoscaling.hearth.dev/min-scale"] == "2"
    assert service["metadata"]["generation"] == 1
    said = await hearth(tmp_path, "scale", "set", "hello", "--reset", "--target", "12.5")
    assert said.output == "hello: target 12.5; no new revision was made\n"
    said = await hearth(tmp_path, "scale", "set", "hello", "--reset")
    assert said.output == "hello: what its template says; no new revision was made\n"
    assert complaint(await hearth(tmp_path, "scale", "set", "hello")).startswith("say what: --min")
    assert "no service 'x'" in complaint(await hearth(tmp_path, "scale", "set", "x", "--min", "1"))


async def test_promote_takes_a_verdict_away_and_says_who_gets_requests(
    tmp_path: Path, client: KubeClient
) -> None:
    service = await client.create(KSERVICES, a_service("hello"))
    verdict = {keys.ROLLED_BACK: "why", keys.ROLLED_BACK_TO: "hello-00001"}
    revision = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {"name": "hello-00002", "namespace": "default", "annotations": verdict},
        "spec": {"containers": [{"image": "app"}]},
    }
    await client.create(REVISIONS, revision)

    def status(ready: str, reason: str, to: str) -> dict[str, Any]:
        condition = {"type": "Ready", "status": ready, "reason": reason}
        return {
            "conditions": [condition],
            "latestReadyRevisionName": "hello-00002",
            "traffic": [{"revisionName": to, "percent": 100}],
        }

    rolled_back = status("False", "RolledBack", "hello-00001")
    await client.update_status(KSERVICES, {**service, "status": rolled_back})
    asked = asyncio.create_task(hearth(tmp_path, "rollout", "hello", "promote", "--wait", "20"))
    while keys.ROLLED_BACK in meta.annotations(
        await client.get(REVISIONS, "hello-00002", "default")
    ):
        await asyncio.sleep(0.02)  # what the control plane would see
    while True:  # it writes meanwhile, too
        service = await client.get(KSERVICES, "hello", "default")
        now = {**status("True", "", "hello-00002"), "observedGeneration": 2}
        with suppress(Conflict):
            await client.update_status(KSERVICES, {**service, "status": now})
            if asked.done() or service["metadata"]["generation"] > 1:
                break
        await asyncio.sleep(0.02)
    assert (await asked).output.endswith("100%  hello-00002\n")
