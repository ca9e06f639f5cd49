"""Tokens of Microsoft Entra for a pod with a workload identity, by plain HTTP.

The webhook of azure-workload-identity gives a pod a projected token and the variables ``AZURE_*``;
the token is traded for one of the wanted scope (OAuth 2.0 client credentials, RFC 7523).
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx

from hearth.keda.scalers.seam import PodIdentity, ScalerError
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
        host = environment.get("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/")
        return f"{host.rstrip('/')}/{tenant}/oauth2/v2.0/token", {
            "client_id": client,
            "client_assertion": assertion.strip(),
            "client_assertion_type": _ASSERTION,
            "grant_type": "client_credentials",
            "scope": self._scope,
        }

    async def _trade(self, url: str, form: dict[str, str]) -> dict[str, Any]:
        async with httpx.AsyncClient(timeout=self._timeout) as client:
            answer = await client.post(url, data=form)
        if answer.status_code != 200:
            raise ScalerError(f"Azure gave no token: status {answer.status_code}")
        found = answer.json()
        if not isinstance(found, dict) or "access_token" not in found:
            raise ScalerError("Azure gave no token: the answer has none")
        return found
