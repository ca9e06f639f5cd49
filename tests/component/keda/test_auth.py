"""TriggerAuthentications resolved, on a real API server; Vault as its documentation answers."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.keda.api import keys
from hearth.keda.api.shapes import AuthenticationRef
from hearth.keda.auth.resolve import Resolved, container_env, resolve
from hearth.keda.auth.sources import Sources
from hearth.keda.install import install
from hearth.keda.scalers.seam import ConfigError, PodIdentity, ScalerError
from hearth.kube.client import KubeClient
from hearth.kube.resources import CONFIGMAPS, NAMESPACES, SECRETS, SERVICEACCOUNTS, Resource
from tests.component.keda.webserver import Asked, answering

_POD: dict[str, Any] = {
    "serviceAccountName": "worker",
    "containers": [
        {
            "name": "app",
            "env": [
                {
                    "name": "WORD",
                    "valueFrom": {"secretKeyRef": {"name": "words", "key": "password"}},
                },
                {"name": "PLAIN", "value": "said"},
            ],
        }
    ],
}


@pytest.fixture
async def sources(tmp_path) -> AsyncIterator[Sources]:
    """An API server with KEDA's kinds, a Secret, a ConfigMap and a ServiceAccount."""
    async with (
        running_apiserver(tmp_path / "api") as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        await install(client)
        await client.create(NAMESPACES, {"metadata": {"name": "team"}})
        word = {"password": base64.b64encode(b"open").decode()}
        for namespace in ("team", "keda"):
            await put(client, SECRETS, "words", namespace, data=word)
        await put(client, CONFIGMAPS, "settings", "team", data={"host": "here"})
        role = {"annotations": {"eks.amazonaws.com/role-arn": "arn:of-worker"}}
        await put(client, SERVICEACCOUNTS, "worker", "team", metadata=role)
        yield Sources(client, file_root=tmp_path)


async def put(
    client: KubeClient, resource: Resource, name: str, namespace: str | None, **more: Any
) -> None:
    metadata = {"name": name, "namespace": namespace, **more.pop("metadata", {})}
    made = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **more}
    await client.create(resource, made)


async def resolved(sources: Sources, pod: dict[str, Any] | None = None, **spec: Any) -> Resolved:
    """What a TriggerAuthentication with this spec says."""
    await put(sources.client, keys.TRIGGERAUTHENTICATIONS, "auth", "team", spec=spec)
    reference = AuthenticationRef(name="auth")
    return await resolve(reference, pod, namespace="team", sources=sources)


def member(parameter: str, name: str, key: str) -> dict[str, str]:
    return {"parameter": parameter, "name": name, "key": key}


async def test_members_of_secrets_and_config_maps_and_variables_of_the_target(sources):
    found = await resolved(
        sources,
        _POD,
        secretTargetRef=[member("password", "words", "password")],
        configMapTargetRef=[member("host", "settings", "host")],
        env=[{"parameter": "word", "name": "WORD"}, {"parameter": "none", "name": "NONE"}],
    )
    assert found.parameters == {"password": "open", "host": "here", "word": "open", "none": ""}
    assert (found.warnings, found.pod_identity) == ([], PodIdentity())


async def test_what_is_missing_is_empty_and_a_warning(sources):
    found = await resolved(
        sources,
        {**_POD, "containers": []},
        secretTargetRef=[member("a", "nothing", "x"), member("b", "words", "x")],
        configMapTargetRef=[member("c", "nothing", "x")],
        env=[{"parameter": "d", "name": "WORD"}],
        boundServiceAccountToken=[{"parameter": "e", "serviceAccountName": "nobody"}],
    )
    assert found.parameters == dict.fromkeys("abcde", "")
    assert [each.partition(":")[0] for each in found.warnings] == [
        "variable WORD is empty",
        "error trying to get ConfigMap team/nothing",
        "error trying to get Secret team/nothing",
        "error trying to get a token of service account nobody",
    ]


async def test_without_its_trigger_authentication_nothing_is_known(sources):
    reference = AuthenticationRef(name="nothing")
    found = await resolve(reference, None, namespace="team", sources=sources)
    assert found.parameters == {}
    assert "error getting triggerAuth nothing" in found.warnings[0]
    assert await resolve(None, None, namespace="team", sources=sources) == Resolved()


async def test_a_token_is_that_of_the_service_account(sources):
    found = await resolved(
        sources,
        boundServiceAccountToken=[{"parameter": "token", "serviceAccountName": "worker"}],
    )
    claims = jwt.decode(found.parameters["token"], options={"verify_signature": False})
    assert claims["sub"] == "system:serviceaccount:team:worker"


async def test_cluster_wide_ones_read_their_own_namespace_and_files(sources, tmp_path):
    (tmp_path / "auth.json").write_text(json.dumps({"user": "from file"}))
    reference = AuthenticationRef(name="auth", kind="ClusterTriggerAuthentication")
    resource = keys.CLUSTERTRIGGERAUTHENTICATIONS
    for spec, found in (
        ({"secretTargetRef": [member("password", "words", "password")]}, {"password": "open"}),
        ({"filePath": "auth.json"}, {"user": "from file"}),
    ):
        await put(sources.client, resource, "auth", None, spec=spec)
        said = await resolve(reference, None, namespace="other", sources=sources)
        assert said.parameters == found
        await sources.client.delete(resource, "auth")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/etc/passwd", "filePath must be relative"),
        ("../x", "filePath must be relative"),
        ("nothing.json", "failed to read auth file"),
        ("api", "failed to read auth file"),
        ("list.json", "failed to unmarshal auth params"),
    ],
)
async def test_files_that_are_refused(sources, tmp_path, path, words):
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(ConfigError, match=words):
        sources.file(path)
    with pytest.raises(ConfigError, match="filepath-auth-root-path not configured"):
        dataclasses.replace(sources, file_root=None).file(path)


async def test_files_and_stores_that_are_not_for_it_are_refused(sources):
    with pytest.raises(ConfigError, match="filePath is only supported for ClusterTriggerAuth"):
        await resolved(sources, filePath="auth.json")


async def test_oauth_becomes_parameters(sources):
    at = {"valueFrom": {"secretKeyRef": {"name": "words", "key": "password"}}}
    found = await resolved(
        sources,
        oauth2={
            "type": "clientCredentials",
            "clientId": "me",
            "clientSecret": at,
            "tokenUrl": "https://tokens",
            "scopes": ["a", "b"],
            "tokenUrlParams": {"audience": "x y"},
        },
    )
    assert found.parameters == {
        "oauthTokenURI": "https://tokens",
        "clientID": "me",
        "clientSecret": "open",
        "scopes": "a,b",
        "endpointParams": "audience=x+y",
    }


async def test_the_role_of_the_workload_is_that_of_its_service_account(sources):
    identity = {"provider": "aws", "identityOwner": "workload"}
    found = await resolved(sources, _POD, podIdentity=identity)
    assert found.parameters == {"awsRoleArn": "arn:of-worker"}
    assert found.pod_identity == PodIdentity("aws", "", "workload", "arn:of-worker")
    reference = AuthenticationRef(name="auth")
    nobody = {**_POD, "serviceAccountName": "nobody"}
    with pytest.raises(ConfigError, match="error getting service account: 'nobody'"):
        await resolve(reference, nobody, namespace="team", sources=sources)


async def test_restricted_secrets_are_those_of_the_clusters_namespace(sources):
    restricted = dataclasses.replace(sources, restrict_secrets=True)
    assert await container_env(_POD, "", "team", restricted) == {"PLAIN": "said"}
    assert (await container_env(_POD, "", "keda", restricted))["WORD"] == "open"
    reference = [member("password", "words", "password")]
    assert (await resolved(restricted, secretTargetRef=reference)).parameters == {
        "password": "open"
    }


class Vault:
    """Answers as Vault's API documentation says."""

    def __init__(self) -> None:
        self.logins: list[dict[str, str]] = []

    def __call__(self, asked: Asked) -> Any:
        if asked.path == "/v1/auth/k8s/login":
            self.logins.append(json.loads(asked.body))
            return {"auth": {"client_token": "given"}}
        if asked.headers.get("x-vault-token") not in ("given", "known"):
            return None
        return {
            "/v1/auth/token/lookup-self": {"data": {"renewable": False}},
            "/v1/secret/data/db": {"data": {"data": {"user": "me", "word": "deep"}}},
            "/v1/old/db": {"data": {"word": "flat"}},
            "/v1/pki/issue/web": {"data": {"certificate": asked.body.decode()}},
        }.get(asked.path)


def vault(address: str, **more: Any) -> dict[str, Any]:
    def secret(parameter: str, path: str, key: str, **kind: Any) -> dict[str, Any]:
        return {"parameter": parameter, "path": path, "key": key, **kind}

    pki = {"type": "pki", "pkiData": {"commonName": "a.b"}}
    return {
        "address": address,
        "secrets": [
            secret("user", "secret/data/db", "user"),
            secret("word", "secret/data/db", "word", type="secretV2"),
            secret("flat", "old/db", "word"),
            secret("cert", "pki/issue/web", "certificate", **pki),
            secret("none", "old/nothing", "word"),
        ],
        **more,
    }


async def test_vault_by_token(sources):
    async with answering(Vault()) as server:
        said = vault(server.url, authentication="token", credential={"token": "known"})
        found = await resolved(sources, hashiCorpVault={**said, "namespace": "admin"})
    assert found.parameters == {
        "user": "me",
        "word": "deep",
        "flat": "flat",
        "cert": '{"common_name":"a.b"}',
        "none": "",
    }
    assert {each.headers["x-vault-namespace"] for each in server.asked} == {"admin"}
    assert [each.partition(":")[0] for each in found.warnings] == ["none of Vault is empty"]


async def test_vault_as_a_service_account(sources):
    answers = Vault()
    credential = {"serviceAccountName": "worker"}
    async with answering(answers) as server:
        said = vault(server.url, authentication="kubernetes", credential=credential)
        found = await resolved(sources, hashiCorpVault={**said, "mount": "k8s", "role": "r"})
    assert found.parameters["word"] == "deep"
    [login] = answers.logins
    claims = jwt.decode(login["jwt"], options={"verify_signature": False})
    assert (login["role"], claims["sub"]) == ("r", "system:serviceaccount:team:worker")


async def test_vault_that_does_not_let_us_in_or_is_away_is_a_failure(sources):
    async with answering(Vault()) as server:
        said = vault(server.url, authentication="token", credential={"token": "wrong-word"})
        with pytest.raises(ScalerError, match="lookup-self answered with status 404") as refused:
            await resolved(sources, hashiCorpVault=said)
        assert "wrong-word" not in str(refused.value)
    with pytest.raises(ScalerError, match="lookup-self"):
        await resolve(AuthenticationRef(name="auth"), None, namespace="team", sources=sources)


async def test_only_tokens_of_service_accounts_are_read_from_files(sources, tmp_path):
    with pytest.raises(ConfigError, match="is not a regular file"):
        sources.projected_token(str(tmp_path))
    file = tmp_path / "token"
    file.write_text("root:x:0:0")
    with pytest.raises(ConfigError, match="the file has no token"):
        sources.projected_token(str(file))
    file.write_text(jwt.encode({"sub": "somebody"}, "k" * 32))
    with pytest.raises(ConfigError, match="subject isn't a service account"):
        sources.projected_token(str(file))
    text = jwt.encode({"sub": "system:serviceaccount:a:b"}, "k" * 32)
    file.write_text(f"{text}\n")
    assert sources.projected_token(str(file)) == text
