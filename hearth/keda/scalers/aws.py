"""Who a trigger is to AWS, and clients of its services (``aiobotocore``).

Source: KEDA's ``aws/aws_common.go`` and ``aws_config_cache.go``. Triggers with the same identity
share a client, and with it connections and credentials.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioDeferredRefreshableCredentials
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError

from hearth.keda.scalers.params import AUTH, METADATA, param
from hearth.keda.scalers.seam import ConfigError, TriggerConfig

_SESSION = "KEDA"
_CONNECT_SECONDS = 3.0
_READ_SECONDS = 10.0
_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class Common:
    """Parameters of every trigger of AWS."""

    region: str = param("awsRegion", order=(METADATA, AUTH))
    endpoint: str = param("awsEndpoint", optional=True)
    identity_owner: str = param("identityOwner", optional=True)


@dataclass(frozen=True, slots=True)
class Identity:
    """Static keys, or a role, or what the process has of itself."""

    region: str
    key_id: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    role: str = ""
    is_pods: bool = False
    """Whether the role is taken by the process' own identity (pod identity ``aws``)."""


def identity_of(config: TriggerConfig, region: str) -> Identity:
    """Return who a trigger is; raises ConfigError for keys that are not there."""
    auth, said = config.auth, config.metadata
    if config.pod_identity.provider == "aws":
        role = config.pod_identity.role_arn or auth.get("awsRoleArn", "")
        return Identity(region, role=role, is_pods=True)
    if said.get("identityOwner", "") not in ("", "pod"):
        return Identity(region)
    if auth.get("awsRoleArn"):
        return Identity(region, role=auth["awsRoleArn"])
    if key_id := auth.get("awsAccessKeyID") or auth.get("awsAccessKeyId"):
        return _with_key(
            Identity(
                region, key_id, auth.get("awsSecretAccessKey", ""), auth.get("awsSessionToken", "")
            )
        )
    named = config.env.get(said.get("awsAccessKeyIDFromEnv", ""), "")
    key_id = said.get("awsAccessKeyID") or named
    if not key_id:
        raise ConfigError("awsAccessKeyID not found")
    key = config.env.get(said.get("awsSecretAccessKeyFromEnv", ""), "")
    return _with_key(Identity(region, key_id, key))


def _with_key(identity: Identity) -> Identity:
    if not identity.key:
        raise ConfigError("awsSecretAccessKey not found")
    return identity


@functools.cache
def _machine() -> AioSession:
    """The session whose identity is the process' own; all others read services' models with it."""
    return AioSession()


def _session(identity: Identity) -> AioSession:
    if not identity.role:
        return _machine()
    session = AioSession()
    session.register_component("data_loader", _machine().get_component("data_loader"))
    assumed = functools.partial(_assume, identity)
    session._credentials = AioDeferredRefreshableCredentials(assumed, "sts-assume-role")
    return session


async def _assume(identity: Identity) -> dict[str, str]:
    """Take the role: by the pod's token where it has one and may, else by the process' identity."""
    role = {"RoleArn": identity.role, "RoleSessionName": _SESSION}
    file = os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")  # noqa: TID251 - what EKS sets in a pod
    async with _machine().create_client("sts", region_name=identity.region) as sts:
        answer = None
        if identity.is_pods and file:
            with contextlib.suppress(ClientError):
                token = await asyncio.to_thread(Path(file).read_text)
                answer = await sts.assume_role_with_web_identity(**role, WebIdentityToken=token)
        found = (answer or await sts.assume_role(**role))["Credentials"]
    return {
        "access_key": found["AccessKeyId"],
        "secret_key": found["SecretAccessKey"],
        "token": found["SessionToken"],
        "expiry_time": found["Expiration"].isoformat(),
    }


class _Shared:
    """A client, and how many triggers use it."""

    def __init__(self, service: str, endpoint: str, identity: Identity) -> None:
        self.users, self._lock, self._stack = 0, asyncio.Lock(), contextlib.AsyncExitStack()
        self._client: Any = None
        self._made = functools.partial(self._make, service, endpoint, identity)

    def _make(self, service: str, endpoint: str, identity: Identity) -> Any:
        return _session(identity).create_client(
            service,
            region_name=identity.region,
            endpoint_url=endpoint or None,
            aws_access_key_id=identity.key_id or None,
            aws_secret_access_key=identity.key or None,
            aws_session_token=identity.token or None,
            config=AioConfig(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                user_agent_extra="hearth",
            ),
        )

    async def client(self) -> Any:
        """Return the client, made by the first who asks."""
        async with self._lock:
            if self._client is None:
                self._client = await self._stack.enter_async_context(self._made())
        return self._client

    async def close(self) -> None:
        """Close its connections."""
        await self._stack.aclose()


_open: dict[tuple[str, str, Identity], _Shared] = {}


class Client:
    """One trigger's use of a service."""

    def __init__(self, service: str, config: TriggerConfig, common: Common) -> None:
        identity = identity_of(config, common.region)
        self._key = (service, common.endpoint, identity)
        self._shared: _Shared | None = None
        self.secrets = (identity.key, identity.token)

    async def ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer of an operation; raises what botocore has for a failure."""
        if self._shared is None:
            self._shared = _open.setdefault(self._key, _Shared(*self._key))
            self._shared.users += 1
        client = await self._shared.client()
        answer: dict[str, Any] = await getattr(client, operation)(**arguments)
        return answer

    async def close(self) -> None:
        """Use it no longer; the last user closes it."""
        if self._shared is None:
            return
        self._shared.users -= 1
        if not self._shared.users:
            _open.pop(self._key, None)
            await self._shared.close()
