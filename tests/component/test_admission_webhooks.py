"""The admission chain against real webhooks: HTTPS on free ports, with a CA made for the test."""

import asyncio
import base64
import contextlib
import datetime
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hearth.cluster.admission import caller
from hearth.cluster.admission.attempt import Attempt
from hearth.cluster.admission.chain import AdmissionChain, Surroundings
from hearth.cluster.apiserver.testing import running_apiserver
from hearth.cluster.model.kind import Kind, Table
from hearth.cluster.model.status import ApiStatus
from hearth.cluster.model.user import User
from hearth.kube.client import KubeClient
from hearth.kube.errors import Forbidden, Unavailable
from hearth.kube.resources import (
    CONFIGMAPS,
    ENDPOINTSLICES,
    MUTATING_WEBHOOKS,
    SERVICES,
    VALIDATING_WEBHOOKS,
)
from hearth.kube.resources import NAMESPACES as NAMESPACES_RESOURCE
from tests.waiting import until

KIND = Kind("apps", "v1", "Thing", "things", "thing", True, {}, Table((), lambda o, n: ()))
NAMESPACES = {"ns": {"env": "test"}, "other": {}}

Review = dict[str, Any]
Answering = Callable[[Review], Any]


class Hooks:
    """A webhook server: what it was asked, and how it answers by path."""

    def __init__(self, ca: str) -> None:
        self.ca_bundle = base64.b64encode(ca.encode()).decode()
        self.answers: dict[str, Answering] = {}
        self.asked: list[tuple[str, Review]] = []
        self.peers: set[object] = set()
        self.drops_reused = False
        self.connections: Callable[[], list[Any]] = list
        self.port = 0

    def url(self, path: str) -> str:
        return f"https://localhost:{self.port}{path}"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        review = await request.json()
        assert request.transport is not None
        peer = request.transport.get_extra_info("peername")
        if self.drops_reused and peer in self.peers:
            request.transport.abort()
            return web.Response()
        self.peers.add(peer)
        self.asked.append((request.path, review["request"]))
        answer = self.answers[request.path](review["request"])
        if asyncio.iscoroutine(answer):
            answer = await answer
        if isinstance(answer, web.StreamResponse):
            return answer
        response = {"uid": review["request"]["uid"], "allowed": True, **answer}
        head = {"apiVersion": review["apiVersion"], "kind": review["kind"]}
        return web.json_response({**head, "response": response})


def patching(*operations: dict[str, Any]) -> Answering:
    patch = base64.b64encode(json.dumps(list(operations)).encode()).decode()
    return lambda request: {"patch": patch, "patchType": "JSONPatch"}


def a_certificate(folder: Path) -> tuple[Path, Path, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    start = datetime.datetime(2020, 1, 1)
    names = [
        x509.DNSName("localhost"),
        x509.DNSName("hook.ns.svc"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    cert_path, key_path = folder / "hook.crt", folder / "hook.key"
    cert_path.write_text(pem)
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_path, key_path, pem


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Hooks]:
    cert_path, key_path, pem = a_certificate(folder)
    hooks = Hooks(pem)
    app = web.Application()
    app.router.add_post("/{path:.*}", hooks.serve)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert_path, key_path)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    hooks.port = runner.addresses[0][1]
    assert runner.server is not None
    hooks.connections = partial(getattr, runner.server, "connections")
    try:
        yield hooks
    finally:
        await runner.cleanup()


@pytest.fixture
async def hooks(tmp_path: Path) -> AsyncIterator[Hooks]:
    async with running(tmp_path) as served:
        yield served


@pytest.fixture
async def chain(hooks: Hooks) -> AsyncIterator[AdmissionChain]:
    made = AdmissionChain(
        Surroundings(
            namespace_labels=NAMESPACES.get,
            services=lambda namespace, name, port: ("127.0.0.1", hooks.port),
        )
    )
    yield made
    await made.close()


def a_configuration(hooks: Hooks, *paths: str, **changes: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "c"},
        "webhooks": [
            {
                "name": f"{path.strip('/')}.example.com",
                "clientConfig": {"url": hooks.url(path), "caBundle": hooks.ca_bundle},
                "rules": [
                    {
                        "operations": ["*"],
                        "apiGroups": ["apps"],
                        "apiVersions": ["*"],
                        "resources": ["things"],
                    }
                ],
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 5,
                **changes,
            }
            for path in paths
        ],
    }


NOT_OF_SOMEONE = {"name": "u", "expression": "request.userInfo.username != 'someone'"}


def an_attempt(**changes: Any) -> Attempt:
    given: dict[str, Any] = {
        "operation": "CREATE",
        "kind": KIND,
        "namespace": "ns",
        "name": "x",
        "subresource": "",
        "obj": {"apiVersion": "apps/v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": {}},
        "old": None,
        "user": User("someone"),
        "dry_run": False,
        "options": {},
        **changes,
    }
    return Attempt(**given)


async def test_a_mutating_webhook_changes_the_object(hooks: Hooks, chain: AdmissionChain) -> None:
    hooks.answers["/m"] = patching({"op": "add", "path": "/spec/size", "value": 1})
    chain.register([a_configuration(hooks, "/m")], [])
    attempt = an_attempt()
    changed = await chain.mutate(attempt)
    assert changed is not None
    assert changed["spec"] == {"size": 1}
    assert attempt.obj is not None
    assert attempt.obj["spec"] == {}, "the object of the request is left alone"


async def test_a_long_patch_arrives_whole(hooks: Hooks, chain: AdmissionChain) -> None:
    text = "x" * 300_000
    hooks.answers["/m"] = patching({"op": "add", "path": "/spec/text", "value": text})
    chain.register([a_configuration(hooks, "/m")], [])
    changed = await chain.mutate(an_attempt())
    assert changed is not None
    assert changed["spec"]["text"] == text


async def test_each_webhook_sees_what_the_one_before_made(
    hooks: Hooks, chain: AdmissionChain
) -> None:
    hooks.answers["/a"] = patching({"op": "add", "path": "/spec/a", "value": 1})
    hooks.answers["/b"] = patching({"op": "add", "path": "/spec/b", "value": 2})
    chain.register([a_configuration(hooks, "/a", "/b")], [])
    changed = await chain.mutate(an_attempt())
    assert changed is not None
    assert changed["spec"] == {"a": 1, "b": 2}
    assert [request["object"]["spec"] for _, request in hooks.asked] == [{}, {"a": 1}]


async def test_a_webhook_is_asked_again_when_a_later_one_changed_something(
    hooks: Hooks, chain: AdmissionChain
) -> None:
    hooks.answers["/a"] = lambda request: {}
    hooks.answers["/b"] = patching({"op": "add", "path": "/spec/b", "value": 2})
    chain.register([a_configuration(hooks, "/a", "/b", reinvocationPolicy="IfNeeded")], [])
    await chain.mutate(an_attempt())
    assert [path for path, _ in hooks.asked] == ["/a", "/b", "/a"]


async def test_a_webhook_that_never_is_not_asked_again(hooks: Hooks, chain: AdmissionChain) -> None:
    hooks.answers["/a"] = lambda request: {}
    hooks.answers["/b"] = patching({"op": "add", "path": "/spec/b", "value": 2})
    chain.register([a_configuration(hooks, "/a", "/b", reinvocationPolicy="Never")], [])
    await chain.mutate(an_attempt())
    assert [path for path, _ in hooks.asked] == ["/a", "/b"]


async def test_a_refusal_is_passed_on(hooks: Hooks, chain: AdmissionChain) -> None:
    status = {"message": "not here", "code": 403, "reason": "Forbidden"}
    hooks.answers["/v"] = lambda request: {
        "allowed": False, "status": status, "warnings": ["think again"],
    }  # fmt: skip
    chain.register([], [a_configuration(hooks, "/v")])
    attempt = an_attempt()
    with pytest.raises(ApiStatus) as caught:
        await chain.validate(attempt)
    assert caught.value.code == 403
    assert caught.value.message == (
        'admission webhook "v.example.com" denied the request: not here'
    )
    assert attempt.warnings == ["think again"]


async def test_the_first_of_several_refusals_wins(hooks: Hooks, chain: AdmissionChain) -> None:
    async def slowly(request: Review) -> Any:
        await seen.wait()
        return {"allowed": False, "status": {"message": "first"}}

    def at_once(request: Review) -> Any:
        seen.set()
        return {"allowed": False, "status": {"message": "second"}}

    seen = asyncio.Event()
    hooks.answers |= {"/a": slowly, "/b": at_once}
    chain.register([], [a_configuration(hooks, "/a", "/b")])
    with pytest.raises(ApiStatus, match="first"):
        await chain.validate(an_attempt())


async def test_a_service_is_reached_under_its_name(hooks: Hooks, chain: AdmissionChain) -> None:
    hooks.answers["/v"] = lambda request: {}
    service = {"namespace": "ns", "name": "hook", "path": "/v"}
    config = {"service": service, "caBundle": hooks.ca_bundle}
    chain.register([], [a_configuration(hooks, "/v", clientConfig=config)])
    await chain.validate(an_attempt())
    assert len(hooks.asked) == 1


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        pytest.param(
            lambda request: web.Response(status=404),
            "failed to call webhook: the server could not find the requested resource",
            id="404",
        ),
        pytest.param(
            lambda request: web.Response(status=500, text="boom"),
            'failed to call webhook: an error on the server ("boom") has prevented the request',
            id="500",
        ),
        pytest.param(
            lambda request: web.Response(text="<html>"),
            "received invalid webhook response: invalid character '<'",
            id="no JSON",
        ),
        pytest.param(
            lambda request: {"uid": "other"},
            "received invalid webhook response: expected response.uid=",
            id="other uid",
        ),
    ],
)
async def test_a_failed_call_fails_the_request(
    hooks: Hooks, chain: AdmissionChain, answer: Answering, complaint: str
) -> None:
    hooks.answers["/v"] = answer
    chain.register([], [a_configuration(hooks, "/v")])
    with pytest.raises(ApiStatus) as caught:
        await chain.validate(an_attempt())
    assert caught.value.code == 500
    prefix = 'Internal error occurred: failed calling webhook "v.example.com": '
    assert caught.value.message.startswith(prefix + complaint)


async def test_a_failed_call_may_be_ignored(hooks: Hooks, chain: AdmissionChain) -> None:
    hooks.answers["/m"] = lambda request: web.Response(status=500)
    chain.register([a_configuration(hooks, "/m", failurePolicy="Ignore")], [])
    attempt = an_attempt()
    assert await chain.mutate(attempt) == attempt.obj


async def test_a_slow_webhook_times_out(hooks: Hooks, chain: AdmissionChain) -> None:
    async def late(request: Review) -> Any:
        await over.wait()
        return {}

    over = asyncio.Event()
    hooks.answers["/v"] = late
    chain.register([], [a_configuration(hooks, "/v", timeoutSeconds=1)])
    with pytest.raises(ApiStatus) as caught:
        await chain.validate(an_attempt())
    over.set()
    url = hooks.url("/v")
    assert caught.value.message.endswith(
        f'failed to call webhook: Post "{url}?timeout=1s": context deadline exceeded'
    )


async def test_nobody_listens(hooks: Hooks, chain: AdmissionChain) -> None:
    config = {"url": "https://127.0.0.1:1/v", "caBundle": hooks.ca_bundle}
    chain.register([], [a_configuration(hooks, "/v", clientConfig=config)])
    with pytest.raises(ApiStatus, match="connect: connection refused"):
        await chain.validate(an_attempt())


async def test_a_certificate_of_another_authority_is_not_trusted(
    hooks: Hooks, chain: AdmissionChain, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    _, _, other = a_certificate(tmp_path / "other")
    bundle = base64.b64encode(other.encode()).decode()
    config = {"url": hooks.url("/v"), "caBundle": bundle}
    chain.register([], [a_configuration(hooks, "/v", clientConfig=config)])
    with pytest.raises(ApiStatus, match="tls: failed to verify certificate"):
        await chain.validate(an_attempt())


async def test_dry_run_needs_a_webhook_without_side_effects(
    hooks: Hooks, chain: AdmissionChain
) -> None:
    hooks.answers["/v"] = lambda request: {}
    chain.register([], [a_configuration(hooks, "/v", sideEffects="Some")])
    with pytest.raises(ApiStatus, match="does not support dry run") as caught:
        await chain.validate(an_attempt(dry_run=True))
    assert caught.value.code == 400
    chain.register([], [a_configuration(hooks, "/v")])
    await chain.validate(an_attempt(dry_run=True))
    assert hooks.asked[0][1]["dryRun"] is True


@pytest.mark.parametrize(
    ("changes", "attempt", "is_asked"),
    [
        pytest.param({}, {"operation": "UPDATE"}, True, id="no selectors"),
        pytest.param(
            {"namespaceSelector": {"matchLabels": {"env": "test"}}}, {}, True, id="namespace"
        ),
        pytest.param(
            {"namespaceSelector": {"matchLabels": {"env": "test"}}},
            {"namespace": "other"},
            False,
            id="other namespace",
        ),
        pytest.param({"objectSelector": {"matchLabels": {"a": "b"}}}, {}, False, id="object"),
        pytest.param(
            {"matchConditions": [{"name": "c", "expression": "object.metadata.name == 'x'"}]},
            {},
            True,
            id="condition",
        ),
        pytest.param(
            {"matchConditions": [{"name": "c", "expression": "request.operation == 'DELETE'"}]},
            {},
            False,
            id="condition not met",
        ),
        pytest.param({"matchConditions": [NOT_OF_SOMEONE]}, {}, False, id="user left out"),
        pytest.param(
            {"matchConditions": [NOT_OF_SOMEONE]},
            {"user": User("system:nobody")},
            True,
            id="user not left out",
        ),
        pytest.param(
            {"matchConditions": [NOT_OF_SOMEONE, {"name": "c", "expression": "false"}]},
            {"user": User("system:nobody")},
            False,
            id="user not left out and condition not met",
        ),
    ],
)
async def test_who_is_asked(
    hooks: Hooks,
    chain: AdmissionChain,
    changes: dict[str, Any],
    attempt: dict[str, Any],
    is_asked: bool,
) -> None:
    hooks.answers["/v"] = lambda request: {}
    chain.register([], [a_configuration(hooks, "/v", **changes)])
    await chain.validate(an_attempt(**attempt))
    assert bool(hooks.asked) is is_asked


async def test_a_namespace_that_does_not_exist_is_told(hooks: Hooks, chain: AdmissionChain) -> None:
    selector = {"matchLabels": {"env": "test"}}
    chain.register([], [a_configuration(hooks, "/v", namespaceSelector=selector)])
    with pytest.raises(ApiStatus, match='namespaces "none" not found'):
        await chain.validate(an_attempt(namespace="none"))


async def test_a_deletion_shows_the_old_object(hooks: Hooks, chain: AdmissionChain) -> None:
    hooks.answers["/v"] = lambda request: {}
    chain.register([], [a_configuration(hooks, "/v")])
    old = {"apiVersion": "apps/v1", "kind": "Thing", "metadata": {"name": "x"}}
    await chain.validate(an_attempt(operation="DELETE", obj=None, old=old))
    assert hooks.asked[0][1]["object"] is None
    assert hooks.asked[0][1]["oldObject"] == old


async def test_a_patch_of_a_deletion_is_refused(hooks: Hooks, chain: AdmissionChain) -> None:
    hooks.answers["/m"] = patching({"op": "add", "path": "/x", "value": 1})
    chain.register([a_configuration(hooks, "/m")], [])
    with pytest.raises(ApiStatus, match="attempted to modify the object"):
        await chain.mutate(an_attempt(operation="DELETE", obj=None, old={"metadata": {}}))


async def test_connections_are_kept(hooks: Hooks, chain: AdmissionChain) -> None:
    hooks.answers["/v"] = lambda request: {}
    chain.register([], [a_configuration(hooks, "/v")])
    for _ in range(5):
        await chain.validate(an_attempt())
    assert len(hooks.asked) == 5
    assert len(hooks.peers) == 1


async def test_connections_of_a_burst_are_not_kept(
    hooks: Hooks, chain: AdmissionChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "_BURST_SECONDS", 0.01)
    hooks.answers["/v"] = lambda request: {}
    chain.register([], [a_configuration(hooks, "/v")])
    await asyncio.gather(*(chain.validate(an_attempt()) for _ in range(50)))
    assert len(hooks.peers) > caller._FEW
    await until(lambda: len(hooks.connections()) <= caller._FEW)


async def test_a_kept_connection_may_be_gone(hooks: Hooks, chain: AdmissionChain) -> None:
    hooks.answers["/v"] = lambda request: {}
    hooks.drops_reused = True
    chain.register([], [a_configuration(hooks, "/v")])
    for _ in range(3):
        await chain.validate(an_attempt())
    assert len(hooks.peers) == 3


# --- inside a running server ---------------------------------------------------------------------


@contextlib.asynccontextmanager
async def a_client(folder: Path) -> AsyncIterator[KubeClient]:
    async with (
        running_apiserver(folder) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        yield client


def a_webhook_object(kind: str, hooks: Hooks, path: str, **changes: Any) -> dict[str, Any]:
    configuration = a_configuration(hooks, path, **changes)
    rule = {
        "operations": ["CREATE", "UPDATE", "DELETE"],
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["configmaps"],
    }
    configuration["webhooks"][0]["rules"] = [rule]
    return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, **configuration}


def a_config_map(**data: str) -> dict[str, Any]:
    metadata = {"name": "x", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


async def test_a_registered_webhook_changes_what_is_created(hooks: Hooks, tmp_path: Path) -> None:
    hooks.answers["/m"] = patching({"op": "add", "path": "/data/added", "value": "1"})
    async with a_client(tmp_path / "data") as client:
        configuration = a_webhook_object("MutatingWebhookConfiguration", hooks, "/m")
        await client.create(MUTATING_WEBHOOKS, configuration)
        created = await client.create(CONFIGMAPS, a_config_map(a="b"))
    assert created["data"] == {"a": "b", "added": "1"}
    owned = created["metadata"]["managedFields"][0]["fieldsV1"]
    assert owned == {"f:data": {".": {}, "f:a": {}}}, "nobody owns what a webhook added"


async def test_a_registered_webhook_refuses_and_is_gone_when_deleted(
    hooks: Hooks, tmp_path: Path
) -> None:
    status = {"message": "not today", "code": 403, "reason": "Forbidden"}
    hooks.answers["/v"] = lambda request: {"allowed": False, "status": status}
    async with a_client(tmp_path / "data") as client:
        configuration = a_webhook_object("ValidatingWebhookConfiguration", hooks, "/v")
        await client.create(VALIDATING_WEBHOOKS, configuration)
        with pytest.raises(Forbidden, match="denied the request: not today"):
            await client.create(CONFIGMAPS, a_config_map())
        await client.delete(VALIDATING_WEBHOOKS, "c")
        await client.create(CONFIGMAPS, a_config_map())


async def test_a_webhook_behind_a_service(hooks: Hooks, tmp_path: Path) -> None:
    hooks.answers["/v"] = lambda request: {"warnings": ["seen"]}
    metadata = {"name": "hook", "namespace": "ns"}
    labels = {"kubernetes.io/service-name": "hook"}
    async with a_client(tmp_path / "data") as client:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}}
        await client.create(NAMESPACES_RESOURCE, namespace)
        spec = {"ports": [{"name": "https", "port": 443}]}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
        await client.create(SERVICES, service)
        config = {
            "service": {"namespace": "ns", "name": "hook", "path": "/v"},
            "caBundle": hooks.ca_bundle,
        }
        kind = "ValidatingWebhookConfiguration"
        configuration = a_webhook_object(kind, hooks, "/v", clientConfig=config)
        await client.create(VALIDATING_WEBHOOKS, configuration)
        with pytest.raises(Unavailable, match='no endpoints available for service "hook"'):
            await client.create(CONFIGMAPS, a_config_map())
        endpoints = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**metadata, "labels": labels},
            "addressType": "IPv4",
            "ports": [{"name": "https", "port": hooks.port}],
            "endpoints": [{"addresses": ["127.0.0.1"]}],
        }
        await client.create(ENDPOINTSLICES, endpoints)
        await client.create(CONFIGMAPS, a_config_map())
    assert [request["operation"] for _, request in hooks.asked] == ["CREATE"]
