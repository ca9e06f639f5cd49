"""Which application gets a request: splits, paths, headers, visibility, plain Services, proxy."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter
from typing import Any

import pytest

from activator.backends import Backend
from activator.routes import BackendRef


async def test_a_split_follows_its_weights(lab: Any) -> None:
    old, new = await lab.app(lambda r: lab.text("old")), await lab.app(lambda r: lab.text("new"))
    lab.revision("old", old)
    lab.revision("new", new)
    lab.ingress("split", lab.rule("split.test", {"old": 90, "new": 10}))
    client = await lab.connect()
    seen = Counter([(await client.get("split.test")).body for _ in range(1000)])
    assert 50 < seen[b"new"] < 160
    assert seen.total() == 1000


async def test_a_changed_split_takes_effect_with_the_next_request(lab: Any) -> None:
    old, new = await lab.app(lambda r: lab.text("old")), await lab.app(lambda r: lab.text("new"))
    lab.revision("old", old)
    lab.revision("new", new)
    client = await lab.connect()
    for weights, body in (({"old": 100}, b"old"), ({"new": 100}, b"new")):
        lab.ingress("split", lab.rule("split.test", weights))
        assert (await client.get("split.test")).body == body


async def test_cluster_local_hosts_are_hidden_from_outside(lab: Any) -> None:
    app = await lab.app()
    lab.revision("hello", app)
    rule = lab.rule("hello.default.svc.cluster.local", {"hello": 100})
    lab.ingress("local", {**rule, "visibility": "ClusterLocal"})
    host = "hello.default.svc.cluster.local"
    assert (await lab.get(host)).status == 404
    assert (await lab.get(host, internal=True)).status == 200
    assert (await lab.get("hello.test", internal=True)).status == 200


async def test_redirects_keep_the_method(lab: Any) -> None:
    lab.revision("hello", await lab.app())
    lab.ingress("redirected", lab.rule("secure.test", {"hello": 100}), httpOption="Redirected")
    response = await lab.get("secure.test:8080", "/a?b=1")
    assert (response.status, response.header("location")) == (301, "https://secure.test/a?b=1")
    client = await lab.connect()
    await client.send(b"POST /a HTTP/1.1\r\nHost: secure.test\r\nContent-Length: 0\r\n\r\n")
    assert (await client.response()).status == 308
    assert (await lab.get("secure.test", internal=True)).status == 200


async def test_a_domain_mapping_shows_the_application_its_own_host(lab: Any) -> None:
    app = await lab.app()
    lab.revision("mapped-00001", app, host="mapped.default.svc.cluster.local")
    mapped = {
        "hosts": ["app.example.org"],
        "http": {
            "paths": [
                {
                    "rewriteHost": "mapped.default.svc.cluster.local",
                    "splits": [
                        {
                            "serviceNamespace": "default",
                            "serviceName": "mapped",
                            "servicePort": 80,
                            "percent": 100,
                            "appendHeaders": {"K-Original-Host": "app.example.org"},
                        }
                    ],
                }
            ]
        },
    }
    lab.ingress("app.example.org", mapped)
    assert (await lab.get("app.example.org")).status == 200
    assert app.requests[0].header("host") == "app.example.org"


def mapped_to(service: str, path: str, host: str) -> dict[str, Any]:
    split = {
        "serviceNamespace": "default",
        "serviceName": service,
        "servicePort": 80,
        "percent": 100,
        "appendHeaders": {"K-Original-Host": host},
    }
    inner = f"{service}.default.svc.cluster.local"
    return {"path": path, "rewriteHost": inner, "splits": [split]}


async def test_paths_of_a_domain_mapping_are_rewritten_under_a_wildcard_too(lab: Any) -> None:
    front, api = await lab.app(), await lab.app()
    lab.revision("front-00001", front, host="front.default.svc.cluster.local")
    lab.revision("api-00001", api, host="api.default.svc.cluster.local")
    hosts = ("app.example.org", "*.app.example.org")
    rules = [
        {
            "hosts": [host],
            "http": {"paths": [mapped_to("api", "/api", host), mapped_to("front", "", host)]},
        }
        for host in hosts
    ]
    lab.ingress(
        "app.example.org",
        *rules,
        annotations={"serving.hearth.dev/paths": "[{path: /api, service: api, rewrite: /v1}]"},
    )
    assert (await lab.get("app.example.org", "/api/users?q=1")).status == 200
    assert (await lab.get("x.app.example.org:8080", "/apiary")).status == 200
    assert api.requests[0].target == "/v1/users?q=1"
    assert api.requests[0].header("host") == "app.example.org"
    assert front.requests[0].target == "/apiary"
    assert front.requests[0].header("host") == "x.app.example.org"


async def test_appended_headers_replace_the_clients(lab: Any) -> None:
    app = await lab.app()
    lab.revision("hello", app)
    lab.ingress("tagged", lab.rule("tag.test", {"hello": 100}, appendHeaders={"X-Tag": "blue"}))
    await lab.get("tag.test", "/", "X-Tag: forged")
    assert app.requests[0].header("x-tag") == "blue"


class SomeServices:
    """A cluster with the Service ``default/plain`` and those of the gateway itself."""

    services = (
        ("default", "plain"),
        ("knative-serving", "hearth-gateway"),
        ("knative-serving", "hearth-internal-gateway"),
    )

    def has_service(self, namespace: str, name: str) -> bool:
        return (namespace, name) in self.services

    def fill(self, backend: Backend) -> None:
        pass


async def test_plain_services_are_reached_on_the_internal_listener_only(running_lab: Any) -> None:
    async with running_lab(cluster=SomeServices()) as lab:
        app = await lab.app()
        backend = lab.plane.backends.resolve(BackendRef("default", "plain", 8080))
        lab.endpoints(backend, {app.port: lab.State.READY})
        host = "plain.default.svc.cluster.local:8080"
        assert (await lab.get(host, internal=True)).status == 200
        assert (await lab.get(host)).status == 404
        # Port 80 has no endpoints, and nobody makes any: no waiting.
        response = await lab.get("plain.default", internal=True)
        assert (response.status, response.error) == (503, "no-endpoints")
        assert (await lab.get("other.default.svc", internal=True)).error == "unknown-host"


@pytest.mark.parametrize("name", ["hearth-gateway", "hearth-internal-gateway"])
async def test_a_request_for_the_gateway_itself_does_not_go_round(
    running_lab: Any, name: str
) -> None:
    async with running_lab(cluster=SomeServices()) as lab:
        host = f"{name}.knative-serving.svc.cluster.local"
        assert (await lab.get(host, internal=True)).error == "unknown-host"
        assert lab.plane.backends.of_service("knative-serving", name) == []


async def test_the_internal_listener_is_a_proxy_for_plain_http(lab: Any) -> None:
    outside = await lab.app(lambda request: lab.text(request.target))
    inside = await lab.app()
    lab.revision("hello", inside, host="hello.default.svc.cluster.local")
    client = await lab.connect(internal=True)
    await client.send(
        b"GET http://127.0.0.1:%d/x?y=1 HTTP/1.1\r\nHost: ignored\r\nProxy-Connection: keep-alive"
        b"\r\n\r\n" % outside.port
    )
    assert (await client.response()).body == b"/x?y=1"
    request = outside.requests[0]
    assert request.header("host") == f"127.0.0.1:{outside.port}"
    assert request.header("x-forwarded-for") is None
    assert request.header("proxy-connection") is None
    await client.send(b"GET http://hello.default.svc.cluster.local/in HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await client.response()).status == 200
    assert inside.requests[0].target == "/in"


def asks(namespace: str) -> bytes:
    """As a client does whose ``http_proxy`` has a user."""
    return b"Proxy-Authorization: Basic " + b64encode(f"{namespace}:pod".encode())


async def test_a_name_alone_is_a_service_of_the_namespace_that_asks(running_lab: Any) -> None:
    async with running_lab(cluster=SomeServices()) as lab:
        app = await lab.app()
        backend = lab.plane.backends.resolve(BackendRef("default", "plain", 8080))
        lab.endpoints(backend, {app.port: lab.State.READY})
        client = await lab.connect(internal=True)
        line = b"GET http://plain:8080/x HTTP/1.1\r\nHost: plain:8080\r\n"
        await client.send(line + asks("default") + b"\r\n\r\n")
        assert (await client.response()).status == 200
        request = app.requests[0]
        assert request.header("host") == "plain:8080"
        assert request.header("proxy-authorization") is None
        for told in (asks("other"), b"Proxy-Authorization: Bearer x", b"X-Nothing: here"):
            await client.send(line + told + b"\r\n\r\n")
            assert (await client.response()).status == 502, told
        # The gateway looks at nothing of the kind.
        outer = await lab.connect()
        await outer.send(b"GET / HTTP/1.1\r\nHost: plain:8080\r\n" + asks("default") + b"\r\n\r\n")
        assert (await outer.response()).error == "unknown-host"


async def test_the_proxy_answers_for_hosts_it_cannot_reach(lab: Any) -> None:
    dead = await lab.app()
    await dead.stop()
    client = await lab.connect(internal=True)
    await client.send(b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nHost: x\r\n\r\n" % dead.port)
    assert (await client.response()).error == "connect-failed"
    await client.send(b"GET http://nobody.default.svc/ HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await client.response()).error == "unknown-host"


async def test_the_gateway_is_no_proxy(lab: Any) -> None:
    outside = await lab.app()
    client = await lab.connect()
    await client.send(b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nHost: x\r\n\r\n" % outside.port)
    assert (await client.response()).status == 404
    assert outside.requests == []


async def test_pods_share_the_load(lab: Any) -> None:
    apps = [await lab.app() for _ in range(4)]
    lab.revision("many", *apps, container_concurrency=10)
    clients = [await lab.connect() for _ in range(8)]
    for _ in range(10):
        await asyncio.gather(*(client.get("many.test") for client in clients))
    assert [len(app.requests) for app in apps] == [20, 20, 20, 20]
