"""``azure-log-analytics``: the one number of a query's one row.

Sources: KEDA's ``azure_log_analytics_scaler.go``; "Query - Execute" of Azure's REST reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hearth.keda.scalers.azure_identity import AzureApplication, AzureIdentity, identity_of
from hearth.keda.scalers.azure_storage import cloud_suffix
from hearth.keda.scalers.http import client, get_json
from hearth.keda.scalers.params import AUTH, ENV, METADATA, Seconds, param, read_params
from hearth.keda.scalers.polled import need, number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, ScalerError, TriggerConfig

_ANYWHERE = (AUTH, METADATA, ENV)
_DETAILS = "error parsing metadata. Details:"
_WRONG = "error validating Log Analytics request. Details:"
_ENDPOINTS = {
    "AZUREPUBLICCLOUD": "https://api.loganalytics.io",
    "AZUREUSGOVERNMENTCLOUD": "https://api.loganalytics.us",
    "AZURECHINACLOUD": "https://api.loganalytics.azure.cn",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    tenant: str = param("tenantId", order=_ANYWHERE, optional=True)
    client: str = param("clientId", order=_ANYWHERE, optional=True)
    secret: str = param("clientSecret", order=_ANYWHERE, optional=True)
    workspace: str = param("workspaceId", order=_ANYWHERE)
    query: str = param("query")
    target: float = param("threshold")
    activation: float = param("activationThreshold", default="0")
    endpoint: str = param("logAnalyticsResourceURL", optional=True)
    cloud: str = param("cloud", default="azurePublicCloud")
    unsafe_ssl: bool = param("unsafeSsl", default="false")
    timeout: Seconds = param("timeout", optional=True)


def value_of(found: Any) -> float:
    """Return the first column of the only row; raises ScalerError for any other form."""
    tables = found["tables"]
    if not tables or not tables[0]["columns"] or not tables[0]["rows"]:
        raise ScalerError(f"{_WRONG} there is no results after running your query")
    for what, many in (("tables", tables), ("rows", tables[0]["rows"])):
        if len(many) > 1:
            raise ScalerError(f"{_WRONG} too many {what} in query result: {len(many)}, expected: 1")
    kind, value = tables[0]["columns"][0]["type"], tables[0]["rows"][0][0]
    if kind not in ("real", "int", "long"):
        raise ScalerError(
            f"{_WRONG} value data type should be real, int or long, but received {kind}"
        )
    return number(value)


def _application(config: TriggerConfig, settings: Settings, scope: str) -> AzureIdentity:
    names = ("clientSecret", "clientId", "tenantId")
    who = (settings.tenant, settings.client, settings.secret)
    words = "{} was not found in metadata. Check your ScaledObject configuration"
    need(dict(zip(names, reversed(who), strict=True)), f"{_DETAILS} {words}")
    return AzureApplication(*who, scope, config.timeout)


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    where = f"Scaled object: {config.object_name}. Namespace: {config.namespace}. Inner Error:"
    try:
        with parsing("azure loganalytics"):
            settings = read_params(Settings, config)
            endpoint = cloud_suffix(config.metadata, _ENDPOINTS, "logAnalyticsResourceURL")
            scope = f"{endpoint}/.default"
            identity = identity_of(
                config,
                scope,
                lambda: _application(config, settings, scope),
                f"{_DETAILS} Log Analytics Scaler doesn't support pod identity",
            )
    except ConfigError as error:
        raise ConfigError(f"failed to initialize Log Analytics scaler. {where} {error}") from error
    http = client(config, unsafe_ssl=settings.unsafe_ssl, timeout=settings.timeout or None)
    url = f"{endpoint}/v1/workspaces/{quote(settings.workspace, safe='')}/query"

    async def fetch() -> float:
        headers = {"Authorization": f"Bearer {await identity.token()}"}
        asked = {"query": settings.query}
        return value_of(await get_json(http, url, method="POST", json=asked, headers=headers))

    return polled(
        config,
        f"azure-log-analytics-{settings.workspace}",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=http.aclose,
        doing=f"failed to get metrics. {where[:-1]}",
        timeout=settings.timeout or None,
    )
