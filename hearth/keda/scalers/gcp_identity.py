"""Tokens of Google Cloud by plain HTTP: of a service account's key, or of the machine's identity.

Sources: KEDA's ``gcp/gcp_common.go``; "Using OAuth 2.0 for Server to Server Applications" and
"About VM metadata" of Google's documentation.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt

from hearth.keda.scalers.http import answer, get_json
from hearth.keda.scalers.params import ENV, METADATA, param
from hearth.keda.scalers.seam import ConfigError, ScalerError, TriggerConfig
from hearth.kube.clock import Clock, wall_clock

_BOTH = (METADATA, ENV)
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TOKEN_URI = "https://oauth2.googleapis.com/token"
_FLAVOR = {"Metadata-Flavor": "Google"}
_SPARE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Common:
    """Parameters of every trigger of Google Cloud."""

    credentials: str = param("credentials", order=_BOTH, optional=True)
    credentials_file: str = param("credentialsFromEnvFile", order=_BOTH, optional=True)


class GoogleIdentity:
    """Gives tokens of one scope, and new ones shortly before they end."""

    def __init__(self, config: TriggerConfig, scope: str, clock: Clock = wall_clock) -> None:
        self._scope, self._clock = scope, clock
        self._account = None if config.pod_identity.provider == "gcp" else account_of(config)
        self._token, self._until = "", 0.0
        self.secrets = () if self._account is None else (str(self._account["private_key"]),)

    async def headers(self, http: httpx.AsyncClient) -> dict[str, str]:
        """Return what goes with a request; raises ScalerError where no token is given."""
        if self._clock() >= self._until:
            found = await self._fetch(http)
            self._token = str(found["access_token"])
            self._until = self._clock() + float(found.get("expires_in", 0)) - _SPARE_SECONDS
        return {"Authorization": f"Bearer {self._token}"}

    async def project(self, http: httpx.AsyncClient) -> str:
        """Return the project of the account or the machine."""
        if self._account is not None:
            return str(self._account.get("project_id", ""))
        named = os.environ.get("CLOUDSDK_CORE_PROJECT")  # noqa: TID251 - set by GKE's webhook
        if named:
            return named
        found = await answer(http, f"{_metadata()}/project/project-id", headers=_FLAVOR)
        return found.body.decode()

    async def _fetch(self, http: httpx.AsyncClient) -> Mapping[str, Any]:
        if self._account is None:
            url = f"{_metadata()}/instance/service-accounts/default/token"
            found = await get_json(http, f"{url}?scopes={self._scope}", headers=_FLAVOR)
        else:
            url = str(self._account.get("token_uri") or _TOKEN_URI)
            form = {"grant_type": _GRANT, "assertion": self._assertion(self._account, url)}
            body = httpx.QueryParams(form).__str__()
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            found = await get_json(http, url, method="POST", content=body, headers=kind)
        if not isinstance(found, dict) or "access_token" not in found:
            raise ScalerError("Google gave no token: the answer has none")
        return found

    def _assertion(self, account: Mapping[str, Any], audience: str) -> str:
        now = int(self._clock())
        claims = {
            "iss": account["client_email"],
            "scope": self._scope,
            "aud": audience,
            "iat": now,
            "exp": now + 3600,
        }
        kid = {"kid": str(account.get("private_key_id", ""))}
        try:
            return jwt.encode(claims, str(account["private_key"]), "RS256", headers=kid)
        except (ValueError, TypeError, jwt.PyJWTError):
            raise ScalerError("private_key of the service account is no key of RSA") from None


def _metadata() -> str:
    host = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")  # noqa: TID251
    return f"http://{host}/computeMetadata/v1"


def account_of(config: TriggerConfig) -> Mapping[str, Any]:
    """Return the key of a service account; raises ConfigError, which shows nothing of it."""
    said, env = config.metadata, config.env
    text = config.auth.get("GoogleApplicationCredentials") or env.get(
        said.get("credentialsFromEnv", ""), ""
    )
    file = env.get(said.get("credentialsFromEnvFile", ""), "")
    if not text and not file:
        raise ConfigError("google application credentials not found")
    try:
        found = json.loads(text or Path(file).read_text())
        if not {"client_email", "private_key"} <= set(found):
            raise ValueError
    except (OSError, ValueError, TypeError):
        raise ConfigError(
            "google application credentials are no key of a service account in JSON"
        ) from None
    return dict(found)
