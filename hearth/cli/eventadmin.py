"""How commands reach the broker process to ask it about events.

On one machine at its own port, with the token that ``hearth up`` has noted; in a cluster through
the API server, which hands requests on to the pod, with the token that a Secret holds, or our own.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from hearth.cli.access import access
from hearth.cli.asking import TOKEN_FIELD, Json, ask_here, secret_token
from hearth.cli.components import ADMIN_SECRET, EVENTING
from hearth.cli.errors import UserError
from hearth.cli.state import running_state
from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, Forbidden

READER_ROLE = "hearth-event-reader"
THERE = f"/api/v1/namespaces/{EVENTING}/pods/hearth-broker-0:9092/proxy"
"""Where the API server of a cluster passes questions on."""


def place_of(broker: str, channel: str | None, namespace: str) -> dict[str, str]:
    """Return the query that names a broker or a channel."""
    kind, name = ("broker", broker) if channel is None else ("channel", channel)
    return {kind: name if "/" in name else f"{namespace}/{name}"}


class BrokerProcess(ABC):
    """The broker process of one machine or of a cluster."""

    @staticmethod
    def of(kubeconfig: Path | None, data_dir: Path) -> BrokerProcess:
        """Return that of the cluster that a kubeconfig names; without one, the one here."""
        return _Here(running_state(data_dir)) if kubeconfig is None else _There(access(kubeconfig))

    def get(self, path: str, query: Mapping[str, str]) -> Json:
        """Ask; raise UserError, which says what to do about it."""
        return self.ask("GET", f"{path}?{urlencode(query)}", None)

    def post(self, path: str, body: Json) -> Json:
        """Have something done; raise UserError."""
        return self.ask("POST", path, body)

    @abstractmethod
    def ask(self, method: str, target: str, body: Json | None) -> Json:
        """Send a request of any kind; raise UserError."""
        ...


class _Here(BrokerProcess):
    def __init__(self, state: Mapping[str, Any]) -> None:
        port, token = state["ports"].get("broker-admin"), state.get("brokerAdminToken")
        if not port or not token:
            raise UserError(
                "this Hearth was started by an older version: `hearth down`, then `hearth up`"
            )
        if not state.get("health", {}).get("broker", {}).get("is_wanted", True):
            raise UserError(
                "no events here yet: their process starts with the first Broker or channel"
            )
        self._port, self._token = int(port), str(token)

    def ask(self, method: str, target: str, body: Json | None) -> Json:
        return ask_here("broker", self._port, self._token, method, target, body)


class _There(BrokerProcess):
    def __init__(self, api: Access) -> None:
        self._api = api

    def ask(self, method: str, target: str, body: Json | None) -> Json:
        return asyncio.run(self._asked_there(method, target, body))

    async def _asked_there(self, method: str, target: str, body: Json | None) -> Json:
        path = f"{THERE}{target}"
        async with KubeClient(self._api, user_agent="hearth-event") as client:
            fields = {TOKEN_FIELD: await admin_token(client, self._api)}
            try:
                return await client.request(method, path, body=body, fields=fields)
            except Forbidden as error:
                raise _not_allowed(error) from error
            except ApiError as error:
                raise UserError(error.message) from error


async def admin_token(client: KubeClient, api: Access) -> str:
    """Return the admin's token where it may be read; else our own, which says who asks."""
    try:
        return await secret_token(client, (EVENTING, ADMIN_SECRET), "the broker")
    except Forbidden as error:
        own = await _own_token(api)
        if own is None:
            raise _not_allowed(error) from error
        return own


async def _own_token(api: Access) -> str | None:
    header = f"Bearer {api.token}" if api.token else None
    if header is None and api.authorization is not None:
        header = await api.authorization.header()
    scheme, _, token = (header or "").partition(" ")
    return token if scheme == "Bearer" and token else None


def _not_allowed(error: Forbidden) -> UserError:
    return UserError(
        f"{error.message}. Questions about events of all namespaces take the Role {ADMIN_SECRET} "
        f"of the namespace {EVENTING}; those about namespaces that you may see take the Role "
        f"{READER_ROLE} there and a kubeconfig with a token: "
        f"kubectl create rolebinding --namespace {EVENTING} --role {ADMIN_SECRET} ..."
    )
