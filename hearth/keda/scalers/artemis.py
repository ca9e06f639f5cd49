"""``artemis-queue``: the length of a queue of ActiveMQ Artemis.

Source: KEDA's ``artemis_scaler.go``.
"""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from hearth.keda.scalers.http import client
from hearth.keda.scalers.jolokia import address_of, parts_of, queue_scaler
from hearth.keda.scalers.params import AUTH, ENV, METADATA, param, read_params
from hearth.keda.scalers.polled import need, parsing
from hearth.keda.scalers.seam import ConfigError, Scaler, TriggerConfig

_TEMPLATE = (
    "http://<<managementEndpoint>>/console/jolokia/read/org.apache.activemq.artemis:"
    'broker="<<brokerName>>",component=addresses,address="<<brokerAddress>>",subcomponent=queues,'
    'routing-type="anycast",queue="<<queueName>>"/MessageCount'
)
_WHO = (AUTH, METADATA, ENV)
_MISSING = {
    "brokerAddress": "no brokerAddress given",
    "queueName": "no queueName is given",
    "brokerName": "no brokerName given: {}",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    endpoint: str = param("managementEndpoint", optional=True)
    queue: str = param("queueName", optional=True)
    broker: str = param("brokerName", optional=True)
    address: str = param("brokerAddress", optional=True)
    user: str = param("username", order=_WHO)
    password: str = param("password", order=_WHO)
    template: str = param("restApiTemplate", optional=True)
    target: int = param("queueLength", default="10")
    activation: int = param("activationQueueLength", default="10")
    origin: str = param("corsHeader", optional=True)
    unsafe_ssl: bool = param("unsafeSsl", default="false")
    ca: str = param("ca", order=(AUTH,), optional=True)
    cert: str = param("cert", order=(AUTH,), optional=True)
    key: str = param("key", order=(AUTH,), optional=True)
    key_password: str = param("keyPassword", order=(AUTH,), optional=True)

    def names(self) -> dict[str, str]:
        """Return what the address is made of; raises ConfigError for what is missing."""
        if self.template:
            return self._said()
        names = ("management endpoint", "queue name", "broker name", "broker address")
        values = (self.endpoint, self.queue, self.broker, self.address)
        need(dict(zip(names, values, strict=True)))
        keys = ("managementEndpoint", "queueName", "brokerName", "brokerAddress")
        return dict(zip(keys, values, strict=True))

    def _said(self) -> dict[str, str]:
        before = "can't parse restApiTemplate : "
        host, said = parts_of(self.template, f"{before}unable to parse the artemis restAPITemplate")
        keys = {"brokerAddress": "address", "queueName": "queue", "brokerName": "broker"}
        found = {name: said.get(key, "") for name, key in keys.items()}
        for name, value in found.items():
            if not value:
                raise ConfigError(f"{before}{_MISSING[name].format(self.template)} ")
        return {"managementEndpoint": host, **found}

    def check(self) -> None:
        """Refuse a queue that is not named in full, and half of a client's certificate."""
        self.names()
        if bool(self.cert) != bool(self.key):
            raise ConfigError("both cert and key must be provided")


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("artemis", "prometheus"):  # as KEDA has it
        settings = read_params(Settings, config)
    names = settings.names()
    http = client(
        config,
        unsafe_ssl=settings.unsafe_ssl,
        ca=settings.ca,
        cert=settings.cert,
        key=settings.key,
        key_password=settings.key_password,
    )
    http.auth = httpx.BasicAuth(settings.user, settings.password)
    return queue_scaler(
        config,
        http,
        address_of(settings.template or _TEMPLATE, names),
        what=f"artemis-{names['queueName']}",
        broker="artemis",
        doing="error inspecting artemis queue",
        origin=settings.origin,
        target=settings.target,
        activation=settings.activation,
    )
