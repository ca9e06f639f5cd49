"""Tokens of Microsoft Entra for a pod with a workload identity, by plain HTTP.

The webhook of azure-workload-identity gives a pod a projected token and the variables ``AZURE_*``;
the token is traded for one of the wanted scope (OAuth 2.0 client credentials, RFC 7523).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from hearth.keda.scalers.seam import ConfigError, PodIdentity, ScalerError, TriggerConfig
from hearth.kube.clock import Clock, wall_clock

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SPARE_SECONDS = 120.0


class AzureIdentity:
    """Gives the token of one scope, and a new one shortly before the old one ends."""

    def __init__(
        self, identity: PodIdentity, scope: str, timeout: float, clock: Clock = wall_clock
    ) -> None:
        self._identity, self._scope, self._timeout, self._clock = identity, scope, timeout, clock
        self._token, self._until = "", 0.0

    async def token(self) -> str:
        """Return a token; raises ScalerError where the machine has no identity or it is refused."""
        if self._clock() >= self._until:
            answer = await self._trade(*await self._own())
            self._token = str(answer["access_token"])
            self._until = self._clock() + float(answer.get("expires_in", 0)) - _SPARE_SECONDS
        return self._token

    async def _own(self) -> tuple[str, dict[str, str]]:
        """Where tokens are traded, and what for."""
        environment = os.environ  # noqa: TID251 - what the webhook of the identity sets
        try:
            tenant = environment["AZURE_TENANT_ID"]
            client = self._identity.identity_id or environment["AZURE_CLIENT_ID"]
            file = Path(environment["AZURE_FEDERATED_TOKEN_FILE"])
            assertion = await asyncio.to_thread(file.read_text)
        except (KeyError, OSError) as error:
            raise ScalerError(f"no workload identity of Azure here: {error}") from None
        return f"{self._host()}/{tenant}/oauth2/v2.0/token", {
            "client_id": client,
            "client_assertion": assertion.strip(),
            "client_assertion_type": _ASSERTION,
            "grant_type": "client_credentials",
            "scope": self._scope,
        }

    def _host(self, otherwise: str = "https://login.microsoftonline.com") -> str:
        host = os.environ.get("AZURE_AUTHORITY_HOST")  # noqa: TID251 - as all clients of Azure
        return (host or otherwise).rstrip("/")

    async def _trade(self, url: str, form: dict[str, str]) -> dict[str, Any]:
        async with httpx.AsyncClient(timeout=self._timeout) as client:
            answer = await client.post(url, data=form)
        if answer.status_code != 200:
            raise ScalerError(f"Azure gave no token: status {answer.status_code}")
        found = answer.json()
        if not isinstance(found, dict) or "access_token" not in found:
            raise ScalerError("Azure gave no token: the answer has none")
        return found


class AzureApplication(AzureIdentity):
    """The same for an application with a secret (client credentials)."""

    def __init__(
        self, tenant: str, client: str, secret: str, scope: str, timeout: float, host: str = ""
    ) -> None:
        super().__init__(PodIdentity(), scope, timeout)
        self._tenant, self._client, self._secret, self._at = tenant, client, secret, host

    async def _own(self) -> tuple[str, dict[str, str]]:
        host = self._host(self._at) if self._at else self._host()
        return f"{host}/{self._tenant}/oauth2/v2.0/token", {
            "client_id": self._client,
            "client_secret": self._secret,
            "grant_type": "client_credentials",
            "scope": self._scope,
        }


def identity_of(
    config: TriggerConfig, scope: str, application: Callable[[], AzureIdentity], refused: str
) -> AzureIdentity:
    """Return the pod's identity where the trigger has it, else the application's.

    Raises ConfigError, in the words ``refused``, for an identity of another cloud.
    """
    provider = config.pod_identity.provider
    if provider == "azure-workload":
        return AzureIdentity(config.pod_identity, scope, config.timeout)
    if provider != "none":
        raise ConfigError(f"{refused} {provider}")
    return application()
