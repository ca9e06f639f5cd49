"""``pulsar``: the backlog of a subscription. Source: KEDA's ``pulsar_scaler.go``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from hearth.keda.scalers.authentication import Authentication
from hearth.keda.scalers.http import client, get_json
from hearth.keda.scalers.params import ENV, METADATA, param, read_params
from hearth.keda.scalers.polled import number, parsing, polled
from hearth.keda.scalers.seam import MetricType, Scaler, ScalerError, TriggerConfig

_BOTH = (METADATA, ENV)
_OLD_PLACES = {
    "oauthTokenURI": "oauthTokenURI",
    "scope": "scope",
    "clientID": "clientID",
    "EndpointParams": "endpointParams",
}


@dataclass(frozen=True)
class Settings(Authentication):
    """Parameters of the trigger."""

    url: str = param("adminURL", order=_BOTH)
    topic: str = param("topic", order=_BOTH)
    subscription: str = param("subscription", order=_BOTH)
    target: int = param("msgBacklogThreshold", default="10")
    activation: int = param("activationMsgBacklogThreshold", default="0")
    partitioned: bool = param("isPartitionedTopic", default="false")
    tls: str = param("tls", optional=True)

    def stats_url(self) -> str:
        """Return where the topic's statistics are."""
        topic = self.topic.replace("persistent://", "")
        kind = "partitioned-stats" if self.partitioned else "stats"
        return f"{self.url}/admin/v2/persistent/{topic}/{kind}"

    def method(self) -> str:
        """Return the name that Pulsar has for the way of authentication."""
        names = {"bearer": "token", "basic": "basic", "tls": "tls"}
        return next((names[mode] for mode in names if mode in self.modes), "")


def as_now(config: TriggerConfig) -> TriggerConfig:
    """Return the trigger with old ways of saying things said in today's."""
    said, auth = dict(config.metadata), dict(config.auth)
    if said.get("tls") == "enable" and (auth.get("cert") or auth.get("key")):
        said["authModes"] = ",".join(filter(None, (said.get("authModes"), "tls")))
    for old, new in _OLD_PLACES.items():
        if said.get(old) and not auth.get(new):
            auth[new] = said[old]
    return dataclasses.replace(config, metadata=said, auth=auth, metric_type=None)


def backlog_of(stats: Any, subscription: str) -> float:
    """Return the backlog of a subscription; raises ScalerError where it is not there."""
    found = stats.get("subscriptions", {}).get(subscription)
    if found is None:
        raise ScalerError(f"have not subscription found! {subscription}")
    return number(found.get("msgBacklog", 0))


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError. It compares by AverageValue, always."""
    with parsing("pulsar", "pulsar"):
        settings = read_params(Settings, as_now(config))
    http = client(config, auth=settings, ca=settings.ca)
    method = settings.method()
    headers = {"X-Pulsar-Auth-Method-Name": method} if method else {}

    async def fetch() -> float:
        stats = await get_json(http, settings.stats_url(), headers=headers)
        return backlog_of(stats, settings.subscription)

    return polled(
        dataclasses.replace(config, metric_type=MetricType.AVERAGE_VALUE),
        f"pulsar-{settings.topic}-{settings.subscription}",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=http.aclose,
        doing="error requesting stats from url",
    )
