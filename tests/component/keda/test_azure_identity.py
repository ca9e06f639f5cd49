"""Workload identities of Azure, against the answers that Microsoft Entra documents."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from hearth.keda.scalers.azure_identity import AzureIdentity
from hearth.keda.scalers.azure_storage import Account, Storage
from hearth.keda.scalers.seam import PodIdentity, ScalerError
from tests.component.keda.scaling import trigger
from tests.component.keda.webserver import Asked, answering

SCOPE = "https://storage.azure.com/.default"


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Callable[[str], None]:
    """What the webhook of azure-workload-identity gives a pod."""
    token = tmp_path / "token"
    token.write_text("projected\n")

    def given(url: str) -> None:
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", f"{url}/")
        monkeypatch.setenv("AZURE_TENANT_ID", "tenant")
        monkeypatch.setenv("AZURE_CLIENT_ID", "client")
        monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(token))

    return given


def answers(asked: Asked) -> Any:
    if asked.path.endswith("/oauth2/v2.0/token"):
        return {"token_type": "Bearer", "expires_in": 3600, "access_token": "given"}
    return web.Response(headers={"x-ms-approximate-messages-count": "4"})


async def test_the_pods_token_is_traded_for_one_that_is_kept_while_it_is_valid(identity):
    now = 1000.0
    async with answering(answers) as server:
        identity(server.url)
        tokens = AzureIdentity(PodIdentity(identity_id="other"), SCOPE, 3.0, lambda: now)
        assert [await tokens.token(), await tokens.token()] == ["given", "given"]
        assert len(server.asked) == 1
        now += 3590
        await tokens.token()
        assert len(server.asked) == 2
    assert server.asked[0].path == "/tenant/oauth2/v2.0/token"
    assert {key: value[0] for key, value in parse_qs(server.asked[0].body.decode()).items()} == {
        "client_id": "other",
        "client_assertion": "projected",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "grant_type": "client_credentials",
        "scope": SCOPE,
    }


async def test_a_queue_is_asked_with_the_token(identity):
    config = trigger("azure-queue", queueName="q", accountName="me")
    config = dataclasses.replace(config, pod_identity=PodIdentity("azure-workload"))
    async with answering(answers) as server:
        identity(server.url)
        account = Account(server.url, identity=AzureIdentity(config.pod_identity, SCOPE, 3.0))
        storage = Storage(config, account)
        answer = await storage.get("q", {"comp": "metadata"})
        await storage.close()
    assert answer.headers["x-ms-approximate-messages-count"] == "4"
    assert server.asked[-1].headers["authorization"] == "Bearer given"


async def test_without_an_identity(monkeypatch):
    monkeypatch.delenv("AZURE_TENANT_ID", raising=False)
    with pytest.raises(ScalerError, match="no workload identity of Azure here: 'AZURE_TENANT_ID'"):
        await AzureIdentity(PodIdentity(), SCOPE, 3.0).token()


@pytest.mark.parametrize("answer", ["refused", {"error": "x"}, []], ids=str)
async def test_a_refusal(identity, answer):
    def refusing(asked: Asked) -> Any:
        refused = web.Response(status=400, text="projected")
        return refused if answer == "refused" else answer

    async with answering(refusing) as server:
        identity(server.url)
        with pytest.raises(ScalerError, match="Azure gave no token") as failure:
            await AzureIdentity(PodIdentity(), SCOPE, 3.0).token()
    assert "projected" not in str(failure.value)
