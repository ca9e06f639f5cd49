"""Who gets in: tokens, browsers, service accounts; and what the files look like."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from hearth.cluster.apiserver.credentials import (
    component_kubeconfig,
    ensure_credentials,
    kubeconfig_of,
)
from hearth.cluster.apiserver.testing import RunningServer, running_apiserver
from hearth.kube.client import KubeClient
from hearth.kube.errors import Invalid
from hearth.kube.kubeconfig import access_of
from hearth.kube.resources import SERVICEACCOUNTS, Resource

Object = dict[str, Any]
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with running_apiserver(tmp_path) as running:
        yield running


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[aiohttp.ClientSession]:
    """A session without any token."""
    context = ssl.create_default_context(cafile=str(server.ca_cert))
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(server.url, connector=connector) as session:
        yield session


async def ask(
    http: aiohttp.ClientSession, method: str, path: str, token: str = "", **options: Any
) -> tuple[int, Any]:
    headers = options.pop("headers", {})
    if token:
        headers["Authorization"] = f"Bearer {token}"
    async with http.request(method, path, headers=headers, **options) as answer:
        body = await answer.read()
        return answer.status, orjson.loads(body) if "json" in answer.content_type else body.decode()


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/version"])
async def test_anybody_may_ask_for_health_and_version(
    http: aiohttp.ClientSession, path: str
) -> None:
    assert (await ask(http, "GET", path))[0] == 200


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "/api/v1/namespaces/default/pods/p/log",
            'pods "p" is forbidden: User "system:anonymous" cannot get resource "pods/log" in API '
            'group "" in the namespace "default"',
        ),
        (
            "/apis/apps/v1/deployments",
            'deployments.apps is forbidden: User "system:anonymous" cannot list resource '
            '"deployments" in API group "apps" at the cluster scope',
        ),
        ("/api", 'forbidden: User "system:anonymous" cannot get path "/api"'),
        ("/openapi/v2", 'forbidden: User "system:anonymous" cannot get path "/openapi/v2"'),
    ],
)
async def test_without_a_token_nothing_else_is_shown(
    http: aiohttp.ClientSession, path: str, message: str
) -> None:
    code, body = await ask(http, "GET", path)
    assert code == 403
    assert body["message"] == message


async def test_a_wrong_token_is_refused(http: aiohttp.ClientSession) -> None:
    assert (await ask(http, "GET", "/api", "wrong"))[0] == 401
    assert (await ask(http, "GET", "/healthz", "wrong"))[0] == 401


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example.com"}, {"Origin": "https://evil.example.com"}]
)
async def test_browsers_do_not_get_in_even_with_a_token(
    server: RunningServer, http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    code, body = await ask(http, "GET", "/api", server.token, headers=dict(headers))
    assert code == 403
    assert "evil.example.com" in body["message"]


async def test_old_tls_is_not_spoken(server: RunningServer) -> None:
    context = ssl.create_default_context(cafile=str(server.ca_cert))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.minimum_version = ssl.TLSVersion.TLSv1
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientError):
            await session.get(server.url + "/healthz")


async def test_each_component_is_somebody(
    server: RunningServer, http: aiohttp.ClientSession
) -> None:
    credentials = ensure_credentials(
        server.data_dir, "127.0.0.1", int(server.url.rsplit(":", 1)[1])
    )
    token = credentials.component_tokens["node"]
    _, body = await ask(http, "POST", WHO, token, json=REVIEW)
    assert body["status"]["userInfo"]["username"] == "system:hearth:node"


def test_credentials_are_made_once_and_private(tmp_path: Path) -> None:
    first = ensure_credentials(tmp_path, "127.0.0.1", 6443)
    again = ensure_credentials(tmp_path, "127.0.0.1", 6443)
    assert first == again
    assert first.ca_cert_path.read_bytes() == again.ca_cert_path.read_bytes()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    component = component_kubeconfig(first, "node", tmp_path / "node.kubeconfig")
    assert first.component_tokens["node"] in component.read_text()
    own = kubeconfig_of(tmp_path, "control")
    assert access_of(own).token == first.component_tokens["control"]
    assert access_of(own).server == access_of(first.kubeconfig_path).server


# Service accounts

TOKENS = "/api/v1/namespaces/default/serviceaccounts/default/token"


def a_token_request(**spec: Any) -> Object:
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}


async def test_a_service_account_gets_in_with_its_token(
    server: RunningServer, http: aiohttp.ClientSession
) -> None:
    _, body = await ask(http, "POST", TOKENS, server.token, json=a_token_request())
    code, who = await ask(http, "POST", WHO, body["status"]["token"], json=REVIEW)
    assert code == 201
    assert who["status"]["userInfo"]["username"] == "system:serviceaccount:default:default"


async def test_a_token_for_another_audience_does_not(
    server: RunningServer, http: aiohttp.ClientSession
) -> None:
    wanted = a_token_request(audiences=["elsewhere"])
    _, body = await ask(http, "POST", TOKENS, server.token, json=wanted)
    token = body["status"]["token"]
    assert (await ask(http, "POST", WHO, token, json=REVIEW))[0] == 401
    review = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": ["elsewhere"]},
    }
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    _, body = await ask(http, "POST", path, server.token, json=review)
    assert body["status"]["authenticated"] is True
    assert body["status"]["audiences"] == ["elsewhere"]


async def test_a_changed_token_does_not(server: RunningServer, http: aiohttp.ClientSession) -> None:
    _, body = await ask(http, "POST", TOKENS, server.token, json=a_token_request())
    head, claims, signature = body["status"]["token"].split(".")
    changed = f"{head}.{claims[:-4]}AAAA.{signature}"
    assert (await ask(http, "POST", WHO, changed, json=REVIEW))[0] == 401


async def test_a_token_dies_with_its_account(
    server: RunningServer, http: aiohttp.ClientSession
) -> None:
    async with KubeClient.from_kubeconfig(server.kubeconfig) as client:
        account = {"apiVersion": "v1", "kind": "ServiceAccount"}
        account["metadata"] = {"name": "sa", "namespace": "default"}  # type: ignore[assignment]
        await client.create(SERVICEACCOUNTS, account)
        path = TOKENS.replace("accounts/default", "accounts/sa")
        _, body = await ask(http, "POST", path, server.token, json=a_token_request())
        token = body["status"]["token"]
        assert (await ask(http, "POST", WHO, token, json=REVIEW))[0] == 201
        await client.delete(SERVICEACCOUNTS, "sa", "default")
    assert (await ask(http, "POST", WHO, token, json=REVIEW))[0] == 401


async def test_tokens_expire(tmp_path: Path) -> None:
    now = [1_800_000_000.0]
    async with running_apiserver(tmp_path, clock=lambda: now[0]) as server:
        context = ssl.create_default_context(cafile=str(server.ca_cert))
        connector = aiohttp.TCPConnector(ssl=context)
        async with aiohttp.ClientSession(server.url, connector=connector) as http:
            wanted = a_token_request(expirationSeconds=600)
            _, body = await ask(http, "POST", TOKENS, server.token, json=wanted)
            now[0] += 599
            assert (await ask(http, "POST", WHO, body["status"]["token"], json=REVIEW))[0] == 201
            now[0] += 2
            assert (await ask(http, "POST", WHO, body["status"]["token"], json=REVIEW))[0] == 401


async def test_a_token_lives_ten_minutes_at_least(server: RunningServer) -> None:
    tokens = Resource("", "v1", "serviceaccounts/default/token", "TokenRequest")
    request = a_token_request(expirationSeconds=5) | {"metadata": {"namespace": "default"}}
    async with KubeClient.from_kubeconfig(server.kubeconfig) as client:
        with pytest.raises(Invalid, match="may not specify a duration less than 10 minutes"):
            await client.create(tokens, request)
