"""``selenium-grid``: its sessions, and nodes for what waits.

Source: KEDA's ``selenium_grid_scaler.go``.
"""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from hearth.keda.scalers.http import client, get_json
from hearth.keda.scalers.params import AUTH, ENV, METADATA, param, read_params
from hearth.keda.scalers.polled import parsing, polled
from hearth.keda.scalers.seam import Scaler, TriggerConfig
from hearth.keda.scalers.selenium_capabilities import (
    Wanted,
    capabilities_of,
    name_of,
    nodes_needed,
)

_SECRET = (AUTH, ENV)
_QUERY = (
    "{ grid { sessionCount, maxSession, totalSlots }, nodesInfo { nodes { id, status, "
    "sessionCount, maxSession, slotCount, stereotypes, sessions { id, capabilities, "
    "slot { id, stereotype } } } }, sessionsInfo { sessionQueueRequests } }"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    url: str = param("url", order=(AUTH, METADATA))
    auth_type: str = param("authType", order=_SECRET, optional=True)
    user: str = param("username", order=_SECRET, optional=True)
    password: str = param("password", order=_SECRET, optional=True)
    token: str = param("accessToken", order=_SECRET, optional=True)
    browser: str = param("browserName", optional=True)
    session_browser: str = param("sessionBrowserName", optional=True)
    version: str = param("browserVersion", optional=True)
    platform: str = param("platformName", optional=True)
    activation: int = param("activationThreshold", optional=True)
    unsafe_ssl: bool = param("unsafeSsl", default="false")
    node_sessions: int = param("nodeMaxSessions", default="1")
    downloads: bool = param("enableManagedDownloads", default="true")
    capabilities: str = param("capabilities", optional=True)

    def wanted(self) -> Wanted:
        """Return the browsers that it is about."""
        return Wanted(
            self.browser,
            self.version,
            self.platform,
            self.session_browser or self.browser,
            capabilities_of(self.capabilities, self.downloads),
        )

    def headers(self) -> dict[str, str]:
        """Return what shows a token, of a type that is not Basic."""
        if self.token and self.auth_type.lower() != "basic":
            return {"Authorization": f"{self.auth_type} {self.token}"}
        return {}


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("selenium grid", "prometheus"):  # as KEDA has it
        settings = read_params(Settings, config)
    http = client(config, unsafe_ssl=settings.unsafe_ssl)
    wanted, headers = settings.wanted(), settings.headers()
    if settings.auth_type.lower() in ("", "basic") and settings.user and settings.password:
        http.auth, headers = httpx.BasicAuth(settings.user, settings.password), {}

    async def fetch() -> float:
        asked = {"query": _QUERY}
        found = await get_json(http, settings.url, method="POST", json=asked, headers=headers)
        return nodes_needed(found["data"], wanted, settings.node_sessions)

    return polled(
        config,
        name_of((settings.browser, settings.version, settings.platform)),
        target=1,
        activation=settings.activation,
        fetch=fetch,
        closing=http.aclose,
        doing="error requesting selenium grid endpoint",
    )
