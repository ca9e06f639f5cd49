"""What Services ask of the gateway by annotations: answers later, and a page while they wake."""

from __future__ import annotations

import json
from typing import Any

from activator.backends import Backend
from activator.routes import BackendRef
from activator.targets import TargetSpec, port_target
from serving.api import keys
from serving.api.extraports import ExtraPort

BROWSER = "Accept: text/html,*/*;q=0.8"
LATER = {"serving.hearth.dev/async": "{pending: 7, retention: 1m}"}
PAGE = {"serving.hearth.dev/waiting-page": "true"}


class WithBroker:
    def has_service(self, namespace: str, name: str) -> bool:
        return (namespace, name) == ("knative-eventing", "broker-ingress")

    def fill(self, backend: Backend) -> None:
        pass


def asks_for(lab: Any, annotations: dict[str, str], name: str = "hello") -> None:
    rule = lab.rule(f"{name}.test", {name: 100})
    lab.ingress(name, rule, annotations=annotations, labels={keys.SERVICE: name})


async def test_who_prefers_it_is_answered_later_by_the_broker(running_lab: Any) -> None:
    async with running_lab(cluster=WithBroker()) as lab:
        app, broker = await lab.app(), await lab.app(lambda r: lab.text("kept"))
        lab.revision("hello", app)
        asks_for(lab, LATER)
        ref = BackendRef("knative-eventing", "broker-ingress", 80)
        lab.endpoints(lab.plane.backends.resolve(ref), {broker.port: lab.State.READY})
        prefer = "Prefer: respond-async"
        assert (await lab.get("hello.test", "/a?b", prefer)).body == b"kept"
        [asked] = broker.requests
        assert asked.target == "/async/default/hello/accept/a?b"
        assert asked.header("x-hearth-async-host") == "hello.test"
        assert asked.header("x-hearth-async-options") == "retention=60, pending=7"
        assert (await lab.get("hello.test", "/a")).body == b"hello"
        assert app.requests[0].target == "/a"
        path = "/.well-known/hearth/async/default/hello/t"
        assert (await lab.get("hello.test", path)).body == b"kept"
        assert broker.requests[1].target == "/async/default/hello/results/t"


async def test_without_a_broker_and_without_the_annotation_it_is_answered_at_once(
    running_lab: Any,
) -> None:
    async with running_lab(cluster=WithBroker()) as lab:
        app = await lab.app()
        lab.revision("hello", app)
        prefer = "Prefer: respond-async"
        assert (await lab.get("hello.test", "/", prefer)).body == b"hello"
    async with running_lab() as lab:
        lab.revision("hello", await lab.app())
        asks_for(lab, LATER)
        assert (await lab.get("hello.test", "/", prefer)).body == b"hello"


async def test_a_browser_gets_a_page_that_asks_until_something_is_ready(lab: Any) -> None:
    backend = lab.revision("hello")
    asks_for(lab, PAGE)
    page = await lab.get("hello.test", "/", BROWSER)
    assert (page.status, page.error) == (503, "waking-up")
    assert b"x-hearth-waiting" in page.body
    assert (backend.stats.entered, backend.stats.active) == (1, 0)

    async def phase() -> str:
        answer = await lab.get("hello.test", "/", "X-Hearth-Waiting: 1")
        assert answer.status == 200
        return str(json.loads(answer.body)["phase"])

    assert await phase() == "waking"
    app = await lab.app()
    lab.endpoints(backend, {app.port: lab.State.NOT_READY})
    assert await phase() == "starting"
    lab.endpoints(backend, {app.port: lab.State.READY})
    assert await phase() == "ready"
    assert not app.requests
    assert (await lab.get("hello.test", "/", BROWSER)).body == b"hello"


async def test_who_is_no_browser_waits_as_ever(lab: Any) -> None:
    backend = lab.revision("hello")
    asks_for(lab, PAGE)
    client = await lab.connect()
    await client.send(lab.get_bytes("hello.test"))
    await lab.until(lambda: backend.throttler.waiting == 1)
    lab.endpoints(backend, {(await lab.app()).port: lab.State.READY})
    assert (await client.response()).body == b"hello"


async def test_another_port_of_a_revision_is_reached_by_a_host_of_its_own(lab: Any) -> None:
    usual, other = await lab.app(), await lab.app(lambda r: lab.text("other"))
    lab.revision("hello", usual)
    split = {
        "serviceNamespace": "default",
        "serviceName": "hello",
        "servicePort": 50051,
        "percent": 100,
        "appendHeaders": {keys.HEADER_REVISION: "hello"},
    }
    lab.ingress("ports", {"hosts": ["grpc-hello.test"], "http": {"paths": [{"splits": [split]}]}})
    backend = lab.plane.backends.resolve(BackendRef("default", "hello", 50051, "hello"))
    backend.configure(port_target(TargetSpec("default", "hello"), ExtraPort("grpc", 50051)))
    client = await lab.connect()
    await client.send(lab.get_bytes("grpc-hello.test"))
    await lab.until(lambda: backend.throttler.waiting == 1)
    lab.endpoints(backend, {other.port: lab.State.READY})
    assert (await client.response()).body == b"other"
    assert (await lab.get("hello.test")).body == b"hello"
    assert backend.spec.scaled_name == "hello"
