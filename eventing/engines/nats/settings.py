"""Where NATS is, by upstream's ConfigMaps: ``config-nats-broker``, else ``config-nats``."""

from __future__ import annotations

import base64
import binascii
import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from eventing.api import keys
from eventing.engines.nats.config import RECONNECT_SECONDS, NatsServer
from eventing.engines.seam import Unavailable
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.meta import Object, uid
from hearth.kube.resources import CONFIGMAPS, SECRETS

log = logging.getLogger(__name__)

_CONFIG_MAPS = ("config-nats-broker", "config-nats")
_KEY = "eventing-nats"
_CREDENTIALS = "nats.creds"


async def of_cluster(kubeconfig: Path) -> NatsServer:
    """Read where NATS is, and the Secrets that are named; raise Unavailable where that fails."""
    async with KubeClient.from_kubeconfig(kubeconfig, user_agent="hearth-nats") as client:
        try:
            return await _Reader(client).server()
        except ApiError as error:
            raise Unavailable(f"where NATS is cannot be read: {error}") from error


class _Reader:
    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def server(self) -> NatsServer:
        config_map, config = await self._config()
        auth, tls = _part(config, "auth"), _part(config, "tls")
        ca = _bundle(str(tls.get("caBundle") or "")) or await self._secret(tls, "ca.crt")
        client_tls, file = _part(auth, "tls"), _part(auth, "credentialFile")
        key = str(_part(file, "secret").get("key") or _CREDENTIALS)
        urls = str(config.get("url") or "").split(",")
        if not urls[0]:
            raise Unavailable(f"{_KEY} of {_CONFIG_MAPS[0]} has no url")
        return NatsServer(
            urls=tuple(url.strip() for url in urls),
            credentials=await self._secret(file, key),
            ca=ca,
            certificate=await self._secret(client_tls, "tls.crt"),
            key=await self._secret(client_tls, "tls.key"),
            owner=uid(config_map),
            reconnect_seconds=_reconnect_seconds(_part(config, "connOpts")),
        )

    async def _config(self) -> tuple[Object, Mapping[str, Any]]:
        for name in _CONFIG_MAPS:
            found = await self._config_map(name)
            text = (found.get("data") or {}).get(_KEY)
            if not text:
                continue
            try:
                config = yaml.safe_load(text)
            except yaml.YAMLError as error:
                raise Unavailable(f"{_KEY} of {name} cannot be read: {error}") from error
            if isinstance(config, Mapping):
                return found, config
            raise Unavailable(f"{_KEY} of {name} is no object")
        raise Unavailable(
            f"nobody says where NATS is: make a ConfigMap {_CONFIG_MAPS[0]} with {_KEY} in "
            f"namespace {keys.SYSTEM_NAMESPACE}; on one machine `hearth up --events nats` runs one"
        )

    async def _config_map(self, name: str) -> Object:
        """Return a ConfigMap, or nothing: the broker may list them, and no more."""
        selector = f"metadata.name={name}"
        namespace = keys.SYSTEM_NAMESPACE
        found, _ = await self._client.list(CONFIGMAPS, namespace, field_selector=selector)
        return found[0] if found else {}

    async def _secret(self, config: Mapping[str, Any], key: str) -> str:
        """Return one entry of the Secret that is named, or nothing where none is."""
        name = _part(config, "secret").get("name")
        if not name:
            return ""
        found: Object = {}
        with contextlib.suppress(NotFound):
            found = await self._client.get(SECRETS, str(name), keys.SYSTEM_NAMESPACE)
        text = (found.get("data") or {}).get(key)
        if text is None:
            raise Unavailable(f"there is no {key} in Secret {keys.SYSTEM_NAMESPACE}/{name}")
        return base64.b64decode(text).decode()


_WAIT = "reconnectWaitMilliseconds"


def _reconnect_seconds(options: Mapping[str, Any]) -> float:
    """How long it is waited between attempts, of which there is no end; the rest is named."""
    if others := sorted(set(options) - {_WAIT, "retryOnFailedConnect"}):
        facts = {"settings": ", ".join(f"connOpts.{each}" for each in others)}
        log.warning("settings of NATS without effect: it is tried again without end", extra=facts)
    wait = options.get(_WAIT) or 0
    if not isinstance(wait, int) or wait < 0:
        raise Unavailable(f"connOpts.{_WAIT} of {_KEY}: {wait!r} is no number of milliseconds")
    return wait / 1000 or RECONNECT_SECONDS


def _part(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name) or {}
    return found if isinstance(found, Mapping) else {}


def _bundle(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Unavailable(f"tls.caBundle of {_KEY} is no base64: {error}") from error
