"""Queues and blobs of Azure Storage by plain HTTP: addresses, signatures, clouds.

Sources: "Authorize with Shared Key" and "Configure connection strings" of Azure Storage's
documentation; KEDA's ``azure/azure_storage.go`` and ``azure_cloud_environment.go``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import parse_qsl, urlencode, urlsplit

from hearth.keda.scalers.azure_identity import AzureIdentity
from hearth.keda.scalers.http import Answer, answer, client
from hearth.keda.scalers.seam import ConfigError, TriggerConfig
from hearth.kube.clock import wall_clock

_VERSION = "2021-12-02"
_SCOPE = "https://storage.azure.com/.default"
_SUFFIXES = {
    "AZUREPUBLICCLOUD": "core.windows.net",
    "AZUREUSGOVERNMENTCLOUD": "core.usgovcloudapi.net",
    "AZURECHINACLOUD": "core.chinacloudapi.cn",
    "AZUREGERMANCLOUD": "core.cloudapi.de",
}
_DEVELOPMENT = {
    "DefaultEndpointsProtocol": "http",
    "AccountName": "devstoreaccount1",
    # The key of Azure's emulators, the same for everybody.
    "AccountKey": (
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    ),
    "BlobEndpoint": "http://127.0.0.1:10000/devstoreaccount1",
    "QueueEndpoint": "http://127.0.0.1:10001/devstoreaccount1",
}


def cloud_suffix(
    metadata: Mapping[str, str], suffixes: Mapping[str, str], own: str = "endpointSuffix"
) -> str:
    """Return what belongs to the trigger's cloud, for a private one the parameter ``own``.

    Raises ConfigError for a cloud that is not known.
    """
    cloud = metadata.get("cloud", "").strip()
    if cloud.upper() == "PRIVATE":
        if suffix := metadata.get(own, "").strip():
            return suffix
        raise ConfigError(f"{own} must be provided for Private cloud type")
    if cloud and cloud.upper() not in suffixes:
        raise ConfigError(f"invalid cloud environment {cloud}")
    return suffixes[cloud.upper() or "AZUREPUBLICCLOUD"]


def endpoint_suffix(metadata: Mapping[str, str], service: str) -> str:
    """Return what follows an account's name; raises ConfigError for a cloud that is not known."""
    return cloud_suffix(metadata, {c: f"{service}.{suffix}" for c, suffix in _SUFFIXES.items()})


@dataclass(frozen=True, slots=True)
class Account:
    """Where a service of an account is, and how its requests are allowed."""

    url: str
    name: str = ""
    key: bytes = field(default=b"", repr=False)
    signature: str = field(default="", repr=False)
    """Of shared access, a query string."""
    identity: AzureIdentity | None = None

    async def headers(self, url: str, now: float) -> dict[str, str]:
        """Return what goes with a GET of ``url``, query included."""
        headers = {"x-ms-date": formatdate(now, usegmt=True), "x-ms-version": _VERSION}
        if self.identity is not None:
            headers["Authorization"] = f"Bearer {await self.identity.token()}"
        elif self.key:
            headers["Authorization"] = f"SharedKey {self.name}:{self.signed(url, headers)}"
        return headers

    def signed(self, url: str, headers: Mapping[str, str]) -> str:
        """Return the signature of a GET that has no body."""
        parts = urlsplit(url)
        own = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        query = sorted(parse_qsl(parts.query, keep_blank_values=True))
        resource = f"/{self.name}{parts.path}" + "".join(f"\n{k.lower()}:{v}" for k, v in query)
        text = "GET" + "\n" * 12 + own + resource
        return base64.b64encode(hmac.new(self.key, text.encode(), hashlib.sha256).digest()).decode()


def account_of(config: TriggerConfig, connection: str, name: str, service: str) -> Account:
    """Return the account that a trigger names; raises ConfigError, which shows no secret."""
    if config.pod_identity.provider == "azure-workload":
        suffix = endpoint_suffix(config.metadata, service)
        identity = AzureIdentity(config.pod_identity, _SCOPE, config.timeout)
        return Account(f"https://{name}.{suffix}", name, identity=identity)
    return account_in(connection, service)


def account_in(connection: str, service: str) -> Account:
    """Return the account in a connection string."""
    pairs = {key: value for key, _, value in (p.partition("=") for p in connection.split(";"))}
    if pairs.get("UseDevelopmentStorage") == "true":
        pairs = _DEVELOPMENT
    name, signature = pairs.get("AccountName", ""), pairs.get("SharedAccessSignature", "")
    url = pairs.get(f"{service.title()}Endpoint", "")
    if not url and name:
        protocol = pairs.get("DefaultEndpointsProtocol", "https")
        suffix = pairs.get("EndpointSuffix", "core.windows.net")
        url = f"{protocol}://{name}.{service}.{suffix}"
    try:
        key = base64.b64decode(pairs.get("AccountKey", ""), validate=True)
    except ValueError:
        raise _unreadable() from None
    if not url or not (signature or (key and name)):
        raise _unreadable()
    return Account(url.rstrip("/"), name, key, signature.lstrip("?"))


def _unreadable() -> ConfigError:
    return ConfigError(
        "failed to create hub client: can't parse storage connection string. Missing key or name"
    )


class Storage:
    """Asks one service of an account."""

    def __init__(self, config: TriggerConfig, account: Account) -> None:
        self._account, self._http = account, client(config)
        self.close = self._http.aclose
        self.secrets = (account.signature, base64.b64encode(account.key).decode())

    async def get(self, path: str, query: Mapping[str, str]) -> Answer:
        """Return the answer; raises ScalerError for any but 200."""
        url = f"{self._account.url}/{path}?{urlencode(query)}"
        headers = await self._account.headers(url, wall_clock())
        signature = self._account.signature
        url = f"{url}&{signature}" if signature else url
        return await answer(self._http, url, headers=headers, ok=(200,))
