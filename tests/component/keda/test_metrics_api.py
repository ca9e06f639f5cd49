"""metrics-api, against web servers: formats, authentication, TLS, pods of a Service, faults."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import re

import pytest
from aiohttp import web

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.keda.scalers import http
from hearth.keda.scalers.seam import ConfigError, Reading, ScalerError, TriggerConfig
from hearth.kube.client import KubeClient
from hearth.kube.resources import ENDPOINTSLICES, NAMESPACES
from tests.component.keda.pki import Authority
from tests.component.keda.scaling import read, scaler, trigger
from tests.component.keda.webserver import Asked, Server, answering
from tests.ports import free_port
from tests.waiting import until


def stats(url: str, auth: dict[str, str] | None = None, **more: str) -> TriggerConfig:
    said = {"url": url, "valueLocation": "tasks", "targetValue": "5", **more}
    return dataclasses.replace(trigger("metrics-api", **said), auth=auth or {})


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("json", b'{"tasks": 7}'),
        ("yaml", b"tasks: 7"),
        ("xml", b"<tasks>7</tasks>"),
        ("prometheus", b'tasks{a="b"} 7'),
    ],
)
async def test_a_number_in_any_form(form, body):
    async with answering(lambda asked: body) as server:
        async with scaler(stats(f"{server.url}/stats?x=1", format=form)) as made:
            assert (made.spec.name, made.spec.target) == ("s0-metric-api-tasks", 5)
            assert await made.read() == Reading(7, True)
        activation = stats(server.url, format=form, activationTargetValue="7")
        assert await read(activation) == Reading(7, False)
    assert (server.asked[0].path, server.asked[0].query) == ("/stats", {"x": "1"})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"tasks": "many"}', "not parseable as a Quantity"),
        (b'{"tasks": -1}', "the value read is -1"),
        (b'{"tasks": 1e999}', "no JSON|the value read is inf"),
        (b'{"jobs": 1}', "must point to a numeric value .* got Null"),
        (b"<html>", "no JSON"),
        (b" " * (2**24 + 1), "more than 16777216 bytes"),
    ],
)
async def test_what_is_no_number_is_a_failure(body, words):
    tasks = len(asyncio.all_tasks())
    async with answering(lambda asked: body) as server:
        with pytest.raises(ScalerError, match=f"error requesting metrics endpoint: .*({words})"):
            await read(stats(server.url))
    await until(lambda: len(asyncio.all_tasks()) <= tasks)  # what reads bodies ends a turn later


async def test_nan_is_no_number():
    async with answering(lambda asked: b"tasks NaN") as server:
        with pytest.raises(ScalerError, match="the value read is nan"):
            await read(stats(server.url, format="prometheus"))


async def test_other_answers_slow_servers_and_none_are_failures_without_secrets():
    async with answering(lambda asked: web.Response(status=503, text="word")) as server:
        url = f"http://me:hidden-word@127.0.0.1:{server.port}/stats?token=hidden-word"
        with pytest.raises(ScalerError, match="/stats answered with status 503") as refused:
            await read(stats(url))
        assert "word" not in str(refused.value)
        server.answers = None
        with pytest.raises(ScalerError, match=r"did not answer in time|no answer within"):
            await read(stats(server.url, timeout="100"))
    for url in (f"http://127.0.0.1:{free_port()}/stats?token=hidden-word", "ftp://hidden-word@x/"):
        with pytest.raises(ScalerError, match="error requesting metrics endpoint") as refused:
            await read(stats(url))
        assert "hidden-word" not in str(refused.value)


@pytest.mark.parametrize(
    ("said", "auth", "header", "value"),
    [
        (
            {"authMode": "basic"},
            {"username": "me", "password": "word"},
            "authorization",
            f"Basic {base64.b64encode(b'me:word').decode()}",
        ),
        ({"authMode": "bearer"}, {"token": "word"}, "authorization", "Bearer word"),
        ({"authModes": "apiKey"}, {"apiKey": "word"}, "x-api-key", "word"),
        (
            {"authModes": "apiKey", "keyParamName": "x-mine"},
            {"apiKey": "word"},
            "x-mine",
            "word",
        ),
        (
            {"authModes": "custom"},
            {"customAuthHeader": "x-own", "customAuthValue": "word"},
            "x-own",
            "word",
        ),
    ],
)
async def test_ways_of_authentication_by_header(said, auth, header, value):
    async with answering(lambda asked: {"tasks": 1}) as server:
        await read(stats(server.url, auth, **said))
    assert server.asked[0].headers[header] == value


async def test_a_key_in_the_query_comes_beside_what_the_url_has():
    async with answering(lambda asked: {"tasks": 1}) as server:
        said = {"authModes": "apiKey", "method": "query"}
        await read(stats(f"{server.url}/?a=b", {"apiKey": "word"}, **said))
    assert server.asked[0].query == {"a": "b", "api_key": "word"}


async def test_a_token_of_an_authorization_server_is_kept_and_asked_for_anew_at_its_end():
    lifetime = 3600

    def answers(asked: Asked) -> object:
        if asked.path == "/token":
            return {"access_token": f"token-{len(server.asked)}", "expires_in": lifetime}
        return {"tasks": 1}

    async with answering(answers) as server:
        auth = {
            "oauthTokenURI": f"{server.url}/token",
            "clientID": "me",
            "clientSecret": "a word",
            "scopes": "read,write",
            "endpointParams": "audience=x",
        }
        async with scaler(stats(f"{server.url}/stats", auth, authModes="oauth")) as made:
            await made.read()
            await made.read()
            assert paths(server) == ["/token", "/stats", "/stats"]
        lifetime = 1
        async with scaler(stats(f"{server.url}/stats", auth, authModes="oauth")) as made:
            await made.read()
            await made.read()
    assert paths(server)[3:] == ["/token", "/stats"] * 2
    first, told, *_ = server.asked
    assert first.body == b"grant_type=client_credentials&audience=x&scope=read+write"
    assert first.headers["authorization"] == f"Basic {base64.b64encode(b'me:a+word').decode()}"
    assert told.headers["authorization"] == "Bearer token-1"


async def test_a_secret_is_shown_in_the_form_where_the_header_is_refused_and_never_told():
    def answers(asked: Asked) -> object:
        if asked.path == "/token":
            accepted = b"client_secret=hidden-word" in asked.body
            return {"access_token": "given"} if accepted and lets_in else None
        return {"tasks": 1}

    async with answering(answers) as server:
        auth = {
            "oauthTokenURI": f"{server.url}/token",
            "clientID": "me",
            "clientSecret": "hidden-word",
        }
        lets_in = True
        assert await read(stats(server.url, auth, authModes="oauth")) == Reading(1, True)
        lets_in = False
        with pytest.raises(ScalerError, match="/token gave no token: status 404") as refused:
            await read(stats(server.url, auth, authModes="oauth"))
        assert "hidden-word" not in str(refused.value)


def paths(server: Server) -> list[str]:
    return [each.path for each in server.asked]


async def test_by_tls_with_an_authority_and_a_certificate_of_the_client(tmp_path):
    authority = Authority()
    context = authority.server_context(tmp_path, "127.0.0.1", ask=True)
    locked = authority.issue("client", password="key-word")
    pair = authority.issue("client")
    async with answering(lambda asked: {"tasks": 1}, context=context) as server:
        auth = {"ca": authority.cert, "cert": pair.cert, "key": pair.key}
        assert await read(stats(server.url, auth, authModes="tls")) == Reading(1, True)
        with pytest.raises(ScalerError, match="certificate verify failed"):
            await read(stats(server.url, {**auth, "ca": ""}, authModes="tls"))
        unsafe = stats(server.url, {**auth, "ca": ""}, authModes="tls", unsafeSsl="true")
        assert await read(unsafe) == Reading(1, True)
        with pytest.raises(ConfigError, match="error parse X509KeyPair"):
            await read(stats(server.url, {**auth, "key": locked.key}, authModes="tls"))
        client = http.client(
            stats(server.url),
            ca=authority.cert,
            cert=locked.cert,
            key=locked.key,
            key_password="key-word",
        )
        assert await http.get_json(client, server.url) == {"tasks": 1}
        await client.aclose()
    with pytest.raises(ConfigError, match="error decrypt X509Key"):
        http.client(stats(""), cert=locked.cert, key=locked.key, key_password="wrong")


async def test_each_ready_pod_of_a_service_is_asked(tmp_path):
    async with (
        running_apiserver(tmp_path) as api,
        KubeClient.from_kubeconfig(api.kubeconfig) as client,
        answering(lambda asked: {"tasks": 7}) as server,
    ):
        await client.create(NAMESPACES, {"metadata": {"name": "team"}})
        config = stats(
            f"http://web.team.svc:{server.port}/stats", aggregateFromKubeServiceEndpoints="true"
        )
        with pytest.raises(ScalerError, match="no endpoints URLs were given"):
            await read(config, client=client)
        ready, gone, starting = ("127.0.0.1", True), ("127.0.0.2", True), ("127.0.0.3", False)
        await client.create(
            ENDPOINTSLICES,
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": "web-1",
                    "namespace": "team",
                    "labels": {"kubernetes.io/service-name": "web"},
                },
                "addressType": "IPv4",
                "ports": [{"port": server.port}],
                "endpoints": [
                    {"addresses": [address], "conditions": {"ready": state}}
                    for address, state in (ready, ready, gone, starting)
                ],
            },
        )
        for kind in ("average", "sum", "max", "min"):
            one = dataclasses.replace(config, metadata={**config.metadata, "aggregationType": kind})
            assert await read(one, client=client) == Reading(7, True)
        server.answers = lambda asked: web.Response(status=500)
        with pytest.raises(ScalerError, match="could not get any metric successfully from the 2"):
            await read(config, client=client)


async def test_a_read_that_is_cancelled_leaves_nothing_behind():
    async with answering(None) as server, scaler(stats(server.url)) as made:
        reading = asyncio.create_task(made.read())
        await until(lambda: server.asked)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        server.answers = lambda asked: {"tasks": 2}
        assert await made.read() == Reading(2, True)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"targetValue": ""}, "no targetValue given in metadata"),
        ({"format": "csv"}, 'parameter "format" value "csv" must be one of'),
        ({"authModes": "basic"}, "username=<empty> is required when basic auth is enabled"),
        ({"authModes": "bearer"}, "bearer token=<empty> is required when bearer auth is enabled"),
        ({"authModes": "apiKey"}, "apiKey is required when apiKey auth is enabled"),
        (
            {"authModes": "oauth"},
            "oauthTokenURI=<empty> and clientID=<empty> are required when oauth is enabled",
        ),
        ({"authModes": "magic"}, "must be one of [apiKey basic tls bearer custom oauth]"),
    ],
)
async def test_what_is_refused(said, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        await read(stats("http://here", **said))


async def test_services_are_reached_by_their_names_where_no_resolver_knows_them():
    """On one machine the gateway's internal listener is a proxy, for names of the cluster."""
    async with answering(lambda asked: {"tasks": 7}) as proxy:
        for host in ("board.team.svc.cluster.local", "board.team.svc:9090"):
            named = stats(f"http://{host}/stats")
            assert await read(dataclasses.replace(named, proxy=proxy.url)) == Reading(7, True)
        hosts = [asked.headers["host"] for asked in proxy.asked]
        assert hosts == ["board.team.svc.cluster.local", "board.team.svc:9090"]
        async with answering(lambda asked: {"tasks": 8}) as other:
            direct = dataclasses.replace(stats(other.url), proxy=proxy.url)
            assert await read(direct) == Reading(8, True)
        assert len(proxy.asked) == 2
