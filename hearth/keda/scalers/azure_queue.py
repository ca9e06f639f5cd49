"""``azure-queue``: messages of a queue of Azure Storage.

Sources: KEDA's ``azure_queue_scaler.go``; "Get Queue Metadata" and "Peek Messages" of Azure's REST
reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote
from xml.etree import ElementTree

from hearth.keda.scalers.azure_storage import Storage, account_of, endpoint_suffix
from hearth.keda.scalers.params import AUTH, ENV, METADATA, param, read_params
from hearth.keda.scalers.polled import number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, TriggerConfig

_MOST_PEEKED = 32


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    activation: int = param("activationQueueLength", default="0")
    queue: str = param("queueName")
    target: int = param("queueLength", default="5")
    connection: str = param("connection", order=(AUTH, METADATA, ENV), optional=True)
    account: str = param("accountName", optional=True)
    suffix: str = param("endpointSuffix", optional=True)
    strategy: str = param("queueLengthStrategy", enum=("all", "visibleonly"), default="all")


def _check(settings: Settings, config: TriggerConfig) -> None:
    endpoint_suffix(config.metadata, "queue")
    provider = config.pod_identity.provider
    if provider == "none" and not settings.connection:
        raise ConfigError("no connection setting given")
    if provider == "azure-workload" and not settings.account:
        raise ConfigError("no accountName given")
    if provider not in ("none", "azure-workload"):
        raise ConfigError(f"pod identity {provider} not supported for azure storage queues")


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("azure queue"):
        with parsing("azure queue"):
            settings = read_params(Settings, config)
        _check(settings, config)
    storage = Storage(config, account_of(config, settings.connection, settings.account, "queue"))
    queue = quote(settings.queue, safe="")

    async def fetch() -> float:
        if settings.strategy == "visibleonly":
            answer = await storage.get(
                f"{queue}/messages", {"peekonly": "true", "numofmessages": str(_MOST_PEEKED)}
            )
            seen = len(ElementTree.fromstring(answer.body).findall("QueueMessage"))
            if seen < _MOST_PEEKED:
                return seen
        answer = await storage.get(queue, {"comp": "metadata"})
        return number(answer.headers.get("x-ms-approximate-messages-count"))

    return polled(
        config,
        f"azure-queue-{settings.queue}",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=storage.close,
        doing="error getting queue length",
        secrets=storage.secrets,
    )
