"""``azure-servicebus``: active messages of queues or of a topic's subscriptions.

Sources: KEDA's ``azure_servicebus_scaler.go``; Service Bus' management API (Atom over HTTP) and
"Shared Access Signature authentication" of Azure's documentation.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

import re2

from hearth.keda.scalers.azure_identity import AzureIdentity
from hearth.keda.scalers.azure_storage import cloud_suffix
from hearth.keda.scalers.http import answer, client
from hearth.keda.scalers.params import AUTH, ENV, param, read_params
from hearth.keda.scalers.polled import number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, ScalerError, TriggerConfig
from hearth.kube.clock import Clock, wall_clock

_SCOPE = "https://servicebus.azure.net/.default"
_VERSION = {"api-version": "2021-05"}
_PAGE = 100
_TOKEN_SECONDS = 300
_SUFFIXES = {
    "AZUREPUBLICCLOUD": "servicebus.windows.net",
    "AZUREUSGOVERNMENTCLOUD": "servicebus.usgovcloudapi.net",
    "AZURECHINACLOUD": "servicebus.chinacloudapi.cn",
    "AZUREGERMANCLOUD": "servicebus.cloudapi.de",
}
_ATOM = "{http://www.w3.org/2005/Atom}"
_COUNT = "{http://schemas.microsoft.com/netservices/2011/06/servicebus}ActiveMessageCount"


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    target: int = param("messageCount", default="5")
    activation: int = param("activationMessageCount", optional=True)
    queue: str = param("queueName", optional=True)
    topic: str = param("topicName", optional=True)
    subscription: str = param("subscriptionName", optional=True)
    connection: str = param("connection", order=(AUTH, ENV), optional=True)
    namespace: str = param("namespace", optional=True)
    use_regex: bool = param("useRegex", optional=True)
    operation: str = param("operation", enum=("sum", "max", "avg"), default="sum")

    def check(self) -> None:
        """Refuse neither a queue nor a subscription, and both."""
        if self.queue and self.subscription:
            raise ConfigError("subscription name provided with queue name")
        if self.queue and self.topic:
            raise ConfigError("both topic and queue name metadata provided")
        if self.topic and not self.subscription:
            raise ConfigError("no subscription name provided with topic name")
        if not self.queue and not self.topic:
            raise ConfigError("no service bus entity type set")
        if self.use_regex:
            try:
                re2.compile(self.queue or self.subscription)
            except re2.error:
                name = "queueName" if self.queue else "subscriptionName"
                raise ConfigError(f"{name} is not a valid regular expression") from None

    def measured(self) -> str:
        """Return the name in the metric's name."""
        kind = "queue" if self.queue else "topic"
        return f"{kind}-regex" if self.use_regex else self.queue or self.topic

    def path(self) -> str:
        """Return where the entity, or the list of entities, is."""
        if self.queue:
            return "$Resources/Queues" if self.use_regex else quote(self.queue)
        listed = f"{quote(self.topic)}/Subscriptions"
        return listed if self.use_regex else f"{listed}/{quote(self.subscription)}"

    def combined(self, counts: dict[str, float]) -> float:
        """Return the sum, the greatest or the average of the entities whose names match."""
        pattern = re2.compile(self.queue or self.subscription)
        values = [count for name, count in counts.items() if pattern.fullmatch(name)]
        if self.operation == "max":
            return max(values, default=0.0)
        total = sum(values)
        return total // len(values) if values and self.operation == "avg" else total


def counts_in(page: bytes) -> dict[str, float]:
    """Return the active messages of each entity of an Atom entry or feed."""
    tree = ElementTree.fromstring(page)
    entries = [tree] if tree.tag == f"{_ATOM}entry" else tree.findall(f"{_ATOM}entry")
    found = {}
    for entry in entries:
        count = entry.find(f".//{_COUNT}")
        if count is not None:
            found[entry.findtext(f"{_ATOM}title", "")] = number(count.text)
    return found


@dataclass(frozen=True, slots=True)
class Namespace:
    """Where a namespace is, and how its requests are allowed."""

    host: str
    key_name: str = ""
    key: str = field(default="", repr=False)
    signature: str = field(default="", repr=False)
    identity: AzureIdentity | None = None
    scheme: str = "https"

    async def headers(self, now: float) -> dict[str, str]:
        """Return what goes with a request."""
        if self.identity is not None:
            return {"Authorization": f"Bearer {await self.identity.token()}"}
        return {"Authorization": self.signature or self.signed(int(now) + _TOKEN_SECONDS)}

    def signed(self, until: int) -> str:
        """Return a signature of shared access."""
        resource = quote(f"{self.scheme}://{self.host}/".lower(), safe="")
        text = f"{resource}\n{until}".encode()
        made = base64.b64encode(hmac.new(self.key.encode(), text, hashlib.sha256).digest())
        signature = quote(made.decode(), safe="")
        return f"SharedAccessSignature sr={resource}&sig={signature}&se={until}&skn={self.key_name}"


def namespace_in(connection: str) -> Namespace:
    """Return the namespace in a connection string; raises ConfigError, which shows no secret."""
    pairs = {key: value for key, _, value in (p.partition("=") for p in connection.split(";"))}
    host = urlsplit(pairs.get("Endpoint", "")).netloc
    key, name = pairs.get("SharedAccessKey", ""), pairs.get("SharedAccessKeyName", "")
    signature = pairs.get("SharedAccessSignature", "")
    if not host or not ((key and name) or signature):
        raise ConfigError("failed parsing connection string: Endpoint, name or key is missing")
    scheme = "http" if pairs.get("UseDevelopmentEmulator") == "true" else "https"
    return Namespace(host, name, key, signature, scheme=scheme)


def namespace_of(config: TriggerConfig, settings: Settings) -> Namespace:
    """Return the namespace that a trigger names; raises ConfigError."""
    provider = config.pod_identity.provider
    if provider == "none":
        if not settings.connection:
            raise ConfigError("no connection setting given")
        return namespace_in(settings.connection)
    if provider != "azure-workload":
        raise ConfigError(f"azure service bus doesn't support pod identity {provider}")
    if not settings.namespace:
        raise ConfigError("namespace are required when using pod identity")
    host = f"{settings.namespace}.{cloud_suffix(config.metadata, _SUFFIXES)}"
    return Namespace(host, identity=AzureIdentity(config.pod_identity, _SCOPE, config.timeout))


def make(config: TriggerConfig, clock: Clock = wall_clock) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("azure service bus"):
        with parsing("azure service bus"):
            settings = read_params(Settings, config)
        namespace = namespace_of(config, settings)
    http = client(config)
    url = f"{namespace.scheme}://{namespace.host}/{settings.path()}"

    async def page(skip: int) -> dict[str, float]:
        asked = {"$skip": str(skip), "$top": str(_PAGE)} if settings.use_regex else {}
        headers = await namespace.headers(clock())
        found = await answer(http, url, params={**_VERSION, **asked}, headers=headers)
        return counts_in(found.body)

    async def fetch() -> float:
        if not settings.use_regex:
            counts = await page(0)
            if not counts:
                raise ScalerError(f"{settings.measured()} doesn't exist")
            return next(iter(counts.values()))
        counts, found = {}, await page(0)
        while found:
            counts |= found
            found = await page(len(counts)) if len(found) == _PAGE else {}
        return settings.combined(counts)

    return polled(
        config,
        f"azure-servicebus-{settings.measured()}",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=http.aclose,
        doing="error getting service bus entity length",
        secrets=(namespace.key, namespace.signature),
    )
