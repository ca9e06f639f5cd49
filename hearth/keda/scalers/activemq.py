"""``activemq``: the length of a queue of ActiveMQ. Source: KEDA's ``activemq_scaler.go``."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from hearth.keda.scalers.http import client
from hearth.keda.scalers.jolokia import address_of, parts_of, queue_scaler
from hearth.keda.scalers.params import AUTH, ENV, METADATA, param, read_params
from hearth.keda.scalers.polled import need, parsing
from hearth.keda.scalers.seam import ConfigError, Scaler, TriggerConfig

_TEMPLATE = (
    "http://{{.ManagementEndpoint}}/api/jolokia/read/org.apache.activemq:type=Broker,"
    "brokerName={{.BrokerName}},destinationType=Queue,destinationName={{.DestinationName}}/QueueSize"
)
_WHO = (AUTH, ENV, METADATA)


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    endpoint: str = param("managementEndpoint", optional=True)
    queue: str = param("destinationName", optional=True)
    broker: str = param("brokerName", optional=True)
    user: str = param("username", order=_WHO)
    password: str = param("password", order=_WHO)
    origin: str = param("corsHeader", optional=True)
    template: str = param("restAPITemplate", optional=True)
    target: int = param("targetQueueSize", default="10")
    activation: int = param("activationTargetQueueSize", default="0")

    def names(self) -> dict[str, str]:
        """Return what the address is made of; raises ConfigError for what is missing."""
        if self.template:
            host, said = parts_of(self.template, "unable to parse ActiveMQ restAPITemplate")
            if not said.get("destinationName"):
                raise ConfigError("no destinationName is given")
            if not said.get("brokerName"):
                raise ConfigError(f"no brokerName given: {self.template}")
            broker, queue = said["brokerName"], said["destinationName"]
            return {"ManagementEndpoint": host, "BrokerName": broker, "DestinationName": queue}
        names = ("management endpoint", "destination name", "broker name")
        values = (self.endpoint, self.queue, self.broker)
        need(dict(zip(names, values, strict=True)))
        keys = ("ManagementEndpoint", "DestinationName", "BrokerName")
        return dict(zip(keys, values, strict=True))

    def check(self) -> None:
        """Refuse a queue that is not named in full."""
        self.names()


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("ActiveMQ", "ActiveMQ"):
        settings = read_params(Settings, config)
    names, http = settings.names(), client(config)
    http.auth = httpx.BasicAuth(settings.user, settings.password)
    return queue_scaler(
        config,
        http,
        address_of(settings.template or _TEMPLATE, names),
        what=f"activemq-{names['DestinationName']}",
        broker="ActiveMQ",
        doing="error inspecting ActiveMQ queue size",
        origin=settings.origin,
        target=settings.target,
        activation=settings.activation,
    )
