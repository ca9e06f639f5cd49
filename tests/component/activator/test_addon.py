"""KEDA's HTTP add-on by the gateway, against a real API server: upstream's e2e as scenarios.

Each scenario has the name of the add-on's own (``test/e2e``). Who scales is the test: it makes
pods. Scaling itself is in ``tests/component/keda``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client import generate_latest

from activator.main import ActivatorConfig
from activator.policies import USUAL, AddonSettings
from hearth.keda.api.keys import HTTPSCALEDOBJECTS, INTERCEPTORROUTES
from hearth.knative.resources import KINGRESSES, REVISIONS
from hearth.kube.client import KubeClient
from hearth.kube.errors import Forbidden, Invalid
from hearth.kube.resources import (
    CONFIGMAPS,
    CRDS,
    ENDPOINTSLICES,
    NAMESPACES,
    PODS,
    SECRETS,
    SERVICES,
    Resource,
)
from hearth.observability.metrics import REGISTRY
from tests.component.activator.conftest import App, Client, Lab, Response, get_request
from tests.component.activator.secured import pair_for
from tests.component.activator.test_encryption import a_secret, get, is_listened_on
from tests.component.activator.test_whole import (
    CRD_DIR,
    Whole,
    a_revision,
    a_service,
    a_slice,
    an_ingress,
    running_whole,
)
from tests.ports import free_port
from tests.waiting import until


def route(name: str, service: str, *rules: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": INTERCEPTORROUTES.api_version,
        "kind": INTERCEPTORROUTES.kind,
        "metadata": {"namespace": "default", "name": name},
        "spec": {
            "target": {"service": service, "port": 80},
            "rules": list(rules) or [{"hosts": [f"{name}.test"]}],
            "scalingMetric": {"concurrency": {"targetValue": 100}},
            **spec,
        },
    }


def rule(*hosts: str, paths: tuple[str, ...] = (), **headers: str | None) -> dict[str, Any]:
    """Headers by name, ``_`` for a dash; None: any value."""
    wanted = [
        {"name": name.replace("_", "-")} | ({} if value is None else {"value": value})
        for name, value in headers.items()
    ]
    made: dict[str, Any] = {"hosts": list(hosts), "paths": [{"value": path} for path in paths]}
    return made | ({"headers": wanted} if wanted else {})


def a_pod(service: str, port: int, **container: Any) -> dict[str, Any]:
    """A pod that a Service selects, whose container's port 8080 is this one."""
    container = {"name": "app", "image": "test", "ports": [{"containerPort": 8080}], **container}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": "default",
            "name": service,
            "labels": {"serving.knative.dev/revision": service},
            "annotations": {"hearth.dev/ports": json.dumps({"8080": port})},
        },
        "spec": {"containers": [container]},
    }


@dataclass
class World:
    """An activator, applications behind Services, and who says that they are ready."""

    whole: Whole
    lab: Lab
    apps: dict[str, App] = field(default_factory=dict)

    @property
    def client(self) -> KubeClient:
        return self.whole.client

    async def app(self, name: str, *, is_ready: bool = True, **service: Any) -> App:
        """An application that answers with its name and the path."""

        async def answer(request: Any) -> bytes:
            _, _, query = request.target.partition("?wait=")
            if query:
                await asyncio.sleep(float(query))
            return self.lab.text(f"{name} {request.target}")

        app = self.apps[name] = await self.lab.app(answer)
        made = a_service(name)
        made["spec"]["ports"][0] |= service
        await self.client.create(SERVICES, made)
        if is_ready:
            await self.ready(name)
        return app

    async def started(self, name: str, **container: Any) -> None:
        """A pod has an address; whether it is ready nobody has said."""
        await self.client.create(PODS, a_pod(name, self.apps[name].port, **container))
        await self.say_ready(name, "False")

    async def ready(self, name: str) -> None:
        """A pod has come up."""
        await self.started(name)
        await self.say_ready(name, "True")

    async def say_ready(self, name: str, status: str) -> None:
        pod = await self.client.get(PODS, name, "default")
        conditions = [{"type": "Ready", "status": status}]
        said = {"phase": "Running", "podIP": "127.0.0.1", "conditions": conditions}
        await self.client.update_status(PODS, pod | {"status": pod["status"] | said})

    async def gone(self, name: str) -> None:
        await self.client.delete(PODS, name, "default")

    async def routed(self, *routes: dict[str, Any]) -> None:
        """Make routes, and wait until each says that it is followed."""
        for each in routes:
            await self.client.create(INTERCEPTORROUTES, each)
        for each in routes:
            await self.condition(each["metadata"]["name"], "True")

    async def condition(self, name: str, status: str) -> dict[str, Any]:
        """The Ready condition, once it has this status for this generation."""
        async with asyncio.timeout(60):
            while True:
                found = await self.client.get(INTERCEPTORROUTES, name, "default")
                [ready] = (found.get("status") or {}).get("conditions") or [{}]
                is_new = ready.get("observedGeneration") == found["metadata"]["generation"]
                if is_new and ready["status"] == status:
                    return dict(ready)
                await asyncio.sleep(0.005)

    async def connect(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.whole.port))
        self.lab._stack.push_async_callback(client.close)
        return client

    async def ask(self, host: str, path: str = "/", *lines: str) -> Response:
        return await (await self.connect()).get(host, path, *lines)

    async def reached(self, host: str, path: str = "/", *lines: str) -> str:
        """Which application answers."""
        response = await self.ask(host, path, *lines)
        return response.body.decode().split(" ")[0] if response.status == 200 else ""

    async def until_reached(self, app: str, host: str, path: str = "/") -> None:
        async with asyncio.timeout(60):
            while await self.reached(host, path) != app:
                await asyncio.sleep(0.005)


async def install_kinds(client: KubeClient) -> None:
    for resource in (INTERCEPTORROUTES, HTTPSCALEDOBJECTS):
        file = CRD_DIR / "keda" / f"{resource.group}_{resource.plural}.yaml"
        await client.create(CRDS, yaml.safe_load(file.read_text()))


Worlds = Callable[..., contextlib.AbstractAsyncContextManager[World]]


@pytest.fixture
def world(tmp_path: Path, lab: Lab) -> Worlds:
    @contextlib.asynccontextmanager
    async def running(settings: AddonSettings = USUAL, **config: Any) -> AsyncIterator[World]:
        async with running_whole(tmp_path, install_kinds, addon=settings, **config) as whole:
            yield World(whole, lab)

    return running


ONE, TWO = "one", "two"
HOST = "app.test"
ROUTING: list[Any] = [
    pytest.param(
        [route("a", ONE, rule("a.test")), route("b", TWO, rule("b.test"))],
        [("a.test", "/", (), ONE), ("b.test", "/x", (), TWO), ("c.test", "/", (), "")],
        id="HostRouting",
    ),
    pytest.param(
        [route("a", ONE, rule("a.test", "b.test"))],
        [("a.test", "/", (), ONE), ("B.test:80", "/", (), ONE)],
        id="MultipleHostsRouting",
    ),
    pytest.param(
        [
            route("wide", ONE, rule("*.app.test")),
            route("near", TWO, rule("*.eu.app.test")),
            route("exact", ONE, rule("x.eu.app.test")),
        ],
        [
            ("a.app.test", "/", (), ONE),
            ("a.b.app.test", "/", (), ONE),
            ("a.eu.app.test", "/", (), TWO),
            ("x.eu.app.test", "/", (), ONE),
            (HOST, "/", (), ""),
        ],
        id="WildcardHostRouting",
    ),
    pytest.param(
        [
            route("api", ONE, rule(HOST, paths=("/api",))),
            route("v2", TWO, rule(HOST, paths=("/api/v2/",))),
        ],
        [
            (HOST, "/api", (), ONE),
            (HOST, "/api/v1", (), ONE),
            (HOST, "/api/v2", (), TWO),
            (HOST, "/api/v2/x?y=1", (), TWO),
            (HOST, "/apis", (), ""),
            (HOST, "/", (), ""),
        ],
        id="PathRouting",
    ),
    pytest.param(
        [route("foo", ONE, rule(x_route="foo")), route("bar", TWO, rule(x_route="bar"))],
        [
            (HOST, "/", ("X-Route: foo",), ONE),
            ("any.where", "/", ("X-Route: bar",), TWO),
            (HOST, "/", (), ""),
            (HOST, "/", ("X-Route: baz",), ""),
        ],
        id="HeaderRouting",
    ),
    pytest.param(
        [
            route("exact", ONE, rule(HOST, x_debug="verbose")),
            route("there", TWO, rule(HOST, x_debug=None)),
        ],
        [
            (HOST, "/", ("X-Debug: verbose",), ONE),
            (HOST, "/", ("X-Debug: minimal",), TWO),
            (HOST, "/", (), ""),
        ],
        id="HeaderPresenceRouting",
    ),
    pytest.param(
        [
            route("a", ONE, rule("a.test", paths=("/svc",))),
            route("b", TWO, rule("b.test", paths=("/svc",), x_key="1")),
            route("any", ONE, rule("*", paths=("/else",))),
        ],
        [
            ("a.test", "/svc", (), ONE),
            ("b.test", "/svc", ("X-Key: 1",), TWO),
            ("b.test", "/svc", (), ""),
            ("c.test", "/svc", (), ""),
            ("b.test", "/else", (), ONE),
        ],
        id="CombinedRouting",
    ),
    pytest.param(
        [route("a", ONE, rule("a.test"), rule("b.test", paths=("/b",)))],
        [("a.test", "/", (), ONE), ("b.test", "/b", (), ONE), ("b.test", "/", (), "")],
        id="MultipleRulesToSameBackend",
    ),
    pytest.param(
        [route("a", ONE, rule(HOST), target={"service": ONE, "portName": "http"})],
        [(HOST, "/", (), ONE)],
        id="PortNameRouting",
    ),
]


@pytest.mark.parametrize(("routes", "asked"), ROUTING)
async def test_routing(
    world: Worlds,
    routes: list[dict[str, Any]],
    asked: list[tuple[str, str, tuple[str, ...], str]],
) -> None:
    async with world() as running:
        for name in (ONE, TWO):
            await running.app(name)
        await running.routed(*routes)
        for host, path, lines, app in asked:
            assert await running.reached(host, path, *lines) == app, (host, path, lines)


async def test_cold_start(world: Worlds) -> None:
    async with world() as running:
        app = await running.app(ONE, is_ready=False)
        await running.routed(route("app", ONE))
        client = await running.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\n\r\nabc")
        await running.ready(ONE)
        response = await client.response()
        assert (response.status, response.body) == (200, b"one /")
        assert response.header("x-keda-http-cold-start") == "true"
        assert app.requests[0].body == b"abc"
        assert app.requests[0].header("host") == "app.test"
        warm = await running.ask("app.test")
        assert warm.header("x-keda-http-cold-start") == "false"
        await running.gone(ONE)


@pytest.mark.parametrize(
    "container",
    [
        pytest.param({}, id="no-probe"),
        pytest.param({"readinessProbe": {"httpGet": {"port": 8080}}}, id="http"),
    ],
)
async def test_a_pod_is_used_before_a_kubelet_says_that_it_is_ready(
    world: Worlds, container: dict[str, Any]
) -> None:
    async with world() as running:
        await running.app(ONE, is_ready=False)
        page = route("page", ONE, coldStart={"placeholder": {"response": PAGE}})
        await running.routed(route("app", ONE), page)
        client = await running.connect()
        await client.send(get_request("app.test"))
        await running.started(ONE, **container)
        assert (await client.response()).body == b"one /"
        await running.say_ready(ONE, "True")
        await running.until_reached(ONE, "page.test")
        # And no longer than it is there.
        await running.gone(ONE)
        async with asyncio.timeout(60):
            while (await running.ask("page.test")).status != 418:
                await asyncio.sleep(0.005)


async def test_a_probe_that_only_a_kubelet_can_run_is_waited_for(world: Worlds) -> None:
    async with world() as running:
        app = await running.app(ONE, is_ready=False)
        await running.app(TWO)
        late = route("late", ONE, coldStart=fallback(TWO), timeouts={"readiness": "300ms"})
        await running.routed(route("app", ONE), late)
        client = await running.connect()
        await client.send(get_request("app.test"))
        await running.started(ONE, readinessProbe={"exec": {"command": ["true"]}})
        assert await running.reached("late.test") == TWO
        assert not app.requests
        await running.say_ready(ONE, "True")
        assert (await client.response()).body == b"one /"


async def test_endpoints_that_are_no_pods_count_as_well(world: Worlds) -> None:
    async with world() as running:
        app = await running.app(ONE, is_ready=False)
        await running.routed(route("app", ONE))
        made = a_slice(ONE, {app.port: True})
        del made["endpoints"][0]["targetRef"]
        await running.client.create(ENDPOINTSLICES, made)
        await running.until_reached(ONE, "app.test")
        # Of pods that are gone slices may tell on.
        await running.app(TWO, is_ready=False)
        await running.routed(route("gone", TWO, coldStart={"placeholder": {"response": PAGE}}))
        gone = a_slice(TWO, {running.apps[TWO].port: True})
        await running.client.create(ENDPOINTSLICES, gone)
        assert (await running.ask("gone.test")).status == 418


async def test_the_cold_start_header_may_be_left_out(world: Worlds) -> None:
    async with world(AddonSettings(tells_cold_start=False)) as running:
        await running.app(ONE)
        await running.routed(route("app", ONE))
        assert (await running.ask("app.test")).header("x-keda-http-cold-start") is None


def fallback(service: str, **more: Any) -> dict[str, Any]:
    return {"fallback": {"service": {"name": service, "port": 80}}, **more}


async def test_cold_start_fallback(world: Worlds) -> None:
    async with world() as running:
        await running.app(ONE, is_ready=False)
        await running.app(TWO)
        await running.routed(
            route("app", ONE, coldStart=fallback(TWO), timeouts={"readiness": "300ms"}),
            route("none", ONE, coldStart=fallback("none"), timeouts={"readiness": "1ms"}),
        )
        response = await running.ask("app.test", "/x")
        assert (response.status, response.body) == (200, b"two /x")
        assert response.header("x-keda-http-cold-start") is None
        assert (await running.ask("none.test")).status == 502
        await running.ready(ONE)
        await running.until_reached(ONE, "app.test")


PAGE = {"statusCode": 418, "body": '{"status":"loading"}', "headers": {"X-A": "1"}}


async def test_cold_start_placeholder(world: Worlds) -> None:
    async with world() as running:
        await running.app(ONE, is_ready=False)
        await running.app(TWO)
        await running.routed(
            route("app", ONE, coldStart={"placeholder": {"response": PAGE}}),
            route("bare", ONE, coldStart={"placeholder": {"response": {}}}),
            route("both", ONE, coldStart=fallback(TWO, placeholder={"response": PAGE})),
        )
        response = await running.ask("app.test")
        assert (response.status, response.body) == (418, b'{"status":"loading"}')
        assert response.header("x-a") == "1"
        bare = await running.ask("bare.test")
        assert (bare.status, bare.body) == (503, b"")
        # ColdStartPlaceholderWithFallback: not the fallback.
        assert (await running.ask("both.test")).status == 418
        await running.ready(ONE)
        await running.until_reached(ONE, "app.test")


async def test_a_placeholder_from_a_config_map(world: Worlds) -> None:
    async with world() as running:
        await running.app(ONE, is_ready=False)
        body = {"bodyFromConfigMap": {"name": "pages"}}
        await running.routed(route("app", ONE, coldStart={"placeholder": {"response": body}}))
        assert (await running.ask("app.test")).status == 500
        await running.client.create(
            CONFIGMAPS,
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "namespace": "default",
                    "name": "pages",
                    "labels": {"http.keda.sh/response-body": "true"},
                },
                "data": {"index.html": "<h1>wait", "a.css": "body {}"},
            },
        )
        async with asyncio.timeout(60):
            while (await running.ask("app.test")).status != 503:
                await asyncio.sleep(0.005)
        page, style = await running.ask("app.test"), await running.ask("app.test", "/a.css")
        assert (page.body, page.header("content-type")) == (b"<h1>wait", "text/html; charset=utf-8")
        assert (style.body, style.header("content-type")) == (b"body {}", "text/css; charset=utf-8")


async def test_pending_requests_are_limited(world: Worlds) -> None:
    async with world(AddonSettings(max_pending=2)) as running:
        await running.app(ONE, is_ready=False)
        overflow = {
            "maxPendingRequests": 1,
            "overflow": "Placeholder",
            "placeholder": {"response": PAGE},
        }
        await running.routed(
            route("all", ONE),
            route("app", ONE, coldStart={"maxPendingRequests": 1}),
            route("page", ONE, coldStart=overflow),
        )
        waiting = []
        for host, count in (("all.test", 2), ("app.test", 1), ("page.test", 1)):
            for _ in range(count):
                waiting.append(await running.connect())
                await waiting[-1].send(get_request(host))
        async with asyncio.timeout(60):
            for host, status in (("all.test", 503), ("app.test", 503), ("page.test", 418)):
                assert (await running.ask(host)).status == status
        await running.ready(ONE)
        for client in waiting:
            assert (await client.response()).body == b"one /"


async def test_static_route(world: Worlds) -> None:
    health = {
        "rules": [{"paths": [{"value": "/healthz"}]}],
        "response": {"statusCode": 200, "body": "healthy", "headers": {"X-Static": "true"}},
    }
    moved = {
        "rules": [{"paths": [{"value": "/old"}]}],
        "responseMode": "Always",
        "response": {"statusCode": 307, "headers": {"Location": "/new"}},
    }
    async with world() as running:
        await running.app(ONE, is_ready=False)
        await running.routed(route("app", ONE, staticRoutes=[health, moved]))
        response = await running.ask("app.test", "/healthz")
        assert (response.status, response.body) == (200, b"healthy")
        assert response.header("x-static") == "true"
        await running.ready(ONE)
        await running.until_reached(ONE, "app.test", "/healthz")
        response = await running.ask("app.test", "/old/x")
        assert (response.status, response.header("location")) == (307, "/new")


TIMEOUTS: list[Any] = [
    pytest.param({}, USUAL, True, "?wait=0.1", 200, id="ResponseHeaderTimeout default"),
    pytest.param(
        {"responseHeader": "100ms"},
        AddonSettings(),
        True,
        "?wait=5",
        504,
        id="ResponseHeader short",
    ),
    pytest.param(
        {},
        AddonSettings(response_header_timeout=0.1),
        True,
        "?wait=5",
        504,
        id="ResponseHeader all",
    ),
    pytest.param(
        {"responseHeader": "10s"},
        AddonSettings(response_header_timeout=0.1),
        True,
        "?wait=0.3",
        200,
        id="ResponseHeader generous",
    ),
    pytest.param({"request": "10s"}, USUAL, True, "?wait=0.1", 200, id="RequestTimeout within"),
    pytest.param({"request": "200ms"}, USUAL, True, "?wait=5", 504, id="RequestTimeout exceeded"),
    pytest.param({"request": "100ms"}, USUAL, False, "", 504, id="RequestTimeout cold"),
    pytest.param({"readiness": "1ms"}, USUAL, False, "", 504, id="ReadinessTimeout"),
    pytest.param({}, AddonSettings(readiness_timeout=0.1), False, "", 504, id="Readiness all"),
]


@pytest.mark.parametrize(("timeouts", "settings", "is_ready", "query", "status"), TIMEOUTS)
async def test_timeouts(
    world: Worlds,
    timeouts: dict[str, str],
    settings: AddonSettings,
    is_ready: bool,
    query: str,
    status: int,
) -> None:
    async with world(settings) as running:
        await running.app(ONE, is_ready=is_ready)
        await running.routed(route("app", ONE, timeouts=timeouts))
        assert (await running.ask("app.test", f"/{query}")).status == status


async def test_what_breaks_is_a_502(world: Worlds) -> None:
    async with world() as running:
        await running.app(ONE)

        async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")

        running.apps["broken"] = await running.lab.raw_app(broken)
        await running.client.create(SERVICES, a_service("broken"))
        await running.ready("broken")
        await running.routed(route("app", "broken"))
        assert (await running.ask("app.test")).status == 502


async def test_routes_are_deleted_and_updated(world: Worlds) -> None:
    async with world() as running:
        await running.app(ONE)
        await running.app(TWO)
        await running.routed(route("app", ONE))
        assert await running.reached("app.test") == ONE
        changed = {"spec": {"target": {"service": TWO}}}
        await running.client.patch(INTERCEPTORROUTES, "app", "default", changed)
        await running.condition("app", "True")
        assert await running.reached("app.test") == TWO
        await running.client.delete(INTERCEPTORROUTES, "app", "default")
        await running.whole.until_status("app.test", 404)


async def test_who_waits_for_a_route_that_is_deleted_is_told_so(world: Worlds) -> None:
    async with world() as running:
        await running.app(ONE, is_ready=False)
        await running.routed(route("app", ONE, coldStart={"maxPendingRequests": 1}))
        client = await running.connect()
        await client.send(get_request("app.test"))
        async with asyncio.timeout(60):
            # The one who waits is there once another finds no room.
            while (await running.ask("app.test")).status != 503:
                await asyncio.sleep(0.005)
        await running.client.delete(INTERCEPTORROUTES, "app", "default")
        assert (await client.response()).error == "route-gone"


async def test_a_bad_route_hurts_itself_only_and_says_so(world: Worlds) -> None:
    async with world() as running:
        await running.app(ONE)
        await running.routed(route("app", ONE))
        bad = route("bad", ONE, rule("no host"))
        await running.client.create(INTERCEPTORROUTES, bad)
        ready = await running.condition("bad", "False")
        assert ready["reason"] == "InvalidRoute"
        assert "'no host' is no host name" in ready["message"]
        changed = {"spec": {"timeouts": {"request": "soon"}}}
        await running.client.patch(INTERCEPTORROUTES, "app", "default", changed)
        ready = await running.condition("app", "False")
        assert ready["message"] == 'request: time: invalid duration "soon"'
        # What was routed before stays.
        assert await running.reached("app.test") == ONE


async def test_a_host_that_a_kingress_has_stays_there(world: Worlds) -> None:
    async with world() as running:
        await running.app(ONE)
        await running.app(TWO)
        await running.routed(route("app", ONE, rule(HOST), rule("other.test")))
        client = running.client
        await client.create(REVISIONS, a_revision(TWO))
        await client.create(KINGRESSES, an_ingress("two", HOST, {TWO: 100}))
        ready = await running.condition("app", "False")
        assert ready["reason"] == "HostConflict"
        assert ready["message"] == "host 'app.test' is routed by default/two"
        assert await running.reached(HOST) == TWO
        assert await running.reached("other.test") == ONE
        await client.delete(KINGRESSES, "two", "default")
        await running.condition("app", "True")
        assert await running.reached(HOST) == ONE


async def test_invalid_interceptor_routes_are_rejected(world: Worlds) -> None:
    async with world() as running:
        for spec, text in (
            ({"target": {"service": ONE}}, "exactly one of 'port' or 'portName' must be set"),
            ({"scalingMetric": {}}, "at least one of 'concurrency' or 'requestRate' must be set"),
            ({"coldStart": {}}, "at least one of 'fallback', 'placeholder'"),
        ):
            with pytest.raises(Invalid, match=text):
                await running.client.create(INTERCEPTORROUTES, route("bad", ONE, **spec))


async def test_websocket(world: Worlds) -> None:
    async with world() as running:

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\n\r\n"
            )
            while data := await reader.read(100):
                writer.write(data)

        running.apps["ws"] = await running.lab.raw_app(echo)
        await running.client.create(SERVICES, a_service("ws"))
        await running.routed(route("app", "ws"))
        client = await running.connect()
        await client.send(get_request("app.test", "/", "Upgrade: websocket", "Connection: Upgrade"))
        await running.ready("ws")
        assert (await client.head()).status == 101
        await client.send(b"hello")
        assert await asyncio.wait_for(client.reader.readexactly(5), 60) == b"hello"


async def test_an_http_scaled_object_is_a_route(world: Worlds) -> None:
    async with world() as running:
        await running.app(ONE)
        await running.app(TWO)
        target = {"name": ONE, "service": ONE, "port": 80, "kind": "Deployment"}
        scaled = {
            "apiVersion": HTTPSCALEDOBJECTS.api_version,
            "kind": HTTPSCALEDOBJECTS.kind,
            "metadata": {"namespace": "default", "name": "app"},
            "spec": {"hosts": ["app.test"], "pathPrefixes": ["/x"], "scaleTargetRef": target},
        }
        await running.client.create(HTTPSCALEDOBJECTS, scaled)
        await running.until_reached(ONE, "app.test", "/x")
        assert await running.reached("app.test", "/") == ""
        # An InterceptorRoute of its name counts instead.
        await running.routed(route("app", TWO))
        assert await running.reached("app.test", "/x") == TWO
        await running.client.delete(INTERCEPTORROUTES, "app", "default")
        await running.until_reached(ONE, "app.test", "/x")


async def test_the_gateways_health_is_nobodys_catch_all(world: Worlds) -> None:
    async with world() as running:
        await running.app(ONE)
        await running.routed(route("any", ONE, rule("*")))
        assert await running.reached("whatever.test") == ONE
        assert (await running.ask("127.0.0.1", "/healthz")).body == b"ok"


async def test_only_one_namespace_counts_where_settings_say_so(world: Worlds) -> None:
    async with world(AddonSettings(namespace="elsewhere")) as running:
        await running.app(ONE)
        elsewhere = route("app", ONE)
        elsewhere["metadata"]["namespace"] = "elsewhere"
        await running.client.create(
            Resource("", "v1", "namespaces", "Namespace", namespaced=False),
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "elsewhere"}},
        )
        await running.client.create(INTERCEPTORROUTES, route("mine", ONE))
        await running.client.create(INTERCEPTORROUTES, elsewhere)
        async with asyncio.timeout(60):
            while True:
                found = await running.client.get(INTERCEPTORROUTES, "app", "elsewhere")
                if (found.get("status") or {}).get("conditions"):
                    break
                await asyncio.sleep(0.005)
        assert (await running.ask("mine.test")).status == 404


async def test_concurrent_routing(world: Worlds) -> None:
    """Requests by one route, many at a time, reach its target and count for nobody else."""
    port = free_port()
    async with world(addon_admin_port=port) as running:
        await running.app(ONE)
        await running.app(TWO)
        await running.routed(route("a", ONE), route("b", TWO))
        assert await running.reached("b.test") == TWO
        paths = [f"/{number}" for number in range(50)]
        answers = await asyncio.gather(*(running.ask("a.test", path) for path in paths))
        assert [each.body.decode() for each in answers] == [f"one {path}" for path in paths]
        async with httpx.AsyncClient(timeout=60) as asking:
            counts = (await asking.get(f"http://127.0.0.1:{port}/queue")).json()
        assert (counts["default/a"]["RequestCount"], counts["default/b"]["RequestCount"]) == (50, 1)


async def test_graceful_shutdown(world: Worlds) -> None:
    async with world() as running:
        app = await running.app(ONE)
        await running.routed(route("app", ONE))
        client = await running.connect()
        await client.send(get_request("app.test", "/?wait=0.2"))
        await until(lambda: app.requests)
    # The gateway has ended, and what was under way with it.
    response = await client.response()
    assert (response.status, response.body) == (200, b"one /?wait=0.2")
    assert response.header("connection") == "close"


async def show_certificate(running: World) -> tuple[bytes, set[str]]:
    """Have the gateway show a certificate for app.test to everybody; a first answer over TLS."""
    client = running.client
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "knative-serving"}}
    await client.create(NAMESPACES, space)
    await client.create(SECRETS, a_secret("all", pair_for("app.test")))
    await client.create(
        CONFIGMAPS,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"namespace": "knative-serving", "name": "config-network"},
            "data": {"default-certificate-secret": "default/all"},
        },
    )
    await until(lambda: is_listened_on(running.whole.tls_port))
    async with asyncio.timeout(60):
        while True:
            try:
                return await get(running.whole, "app.test")
            except OSError:  # the certificate is not shown yet
                await asyncio.sleep(0.01)


async def test_tls_termination(world: Worlds) -> None:
    async with world() as running:
        await running.app(ONE)
        await running.routed(route("app", ONE))
        assert await show_certificate(running) == (b"HTTP/1.1 200 OK", {"app.test"})


async def test_who_may_not_read_routes_serves_all_others(
    tmp_path: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = KubeClient.list

    async def refused(self: KubeClient, resource: Resource, *more: Any, **how: Any) -> Any:
        if resource in (INTERCEPTORROUTES, HTTPSCALEDOBJECTS):
            raise Forbidden({"message": "not you", "reason": "Forbidden", "code": 403})
        return await asked(self, resource, *more, **how)

    monkeypatch.setattr(KubeClient, "list", refused)
    async with running_whole(tmp_path, install_kinds) as whole:
        assert (await whole.get("app.test"))[0] == 404


async def test_metrics_and_the_queue(world: Worlds) -> None:
    port = free_port()
    async with world(addon_admin_port=port) as running:
        await running.app(ONE, is_ready=False)
        await running.routed(route("app", ONE, coldStart={"maxPendingRequests": 1}))
        client = await running.connect()
        await client.send(get_request("app.test"))
        async with asyncio.timeout(60):
            while (await running.ask("app.test")).status != 503:
                await asyncio.sleep(0.005)
        async with httpx.AsyncClient(timeout=60) as asking:
            response = await asking.get(f"http://127.0.0.1:{port}/queue")
        assert response.headers["content-type"] == "application/json"
        counts = response.json()["default/app"]
        assert counts["Concurrency"] == 1 and counts["RequestCount"] >= 2
        await running.ready(ONE)
        assert (await client.response()).status == 200
        metrics = generate_latest(REGISTRY).decode()
        labels = 'route_name="app",route_namespace="default"'
        of_get = f'code="200",method="GET",{labels}'
        assert f"interceptor_request_count_total{{{of_get}}} 1.0" in metrics
        in_time = f'code="200",le="10.0",method="GET",{labels}'
        assert f"interceptor_request_duration_seconds_bucket{{{in_time}}} 1.0" in metrics
        assert f"interceptor_request_concurrency{{{labels}}} 0.0" in metrics
        assert f"interceptor_cold_start_rejections_total{{{labels}}}" in metrics


def test_what_an_activator_is_told_by_default() -> None:
    assert ActivatorConfig(Path("kubeconfig")).addon == USUAL
