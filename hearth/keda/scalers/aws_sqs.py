"""``aws-sqs-queue``: messages of a queue of SQS. Source: KEDA's ``aws_sqs_queue_scaler.go``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from hearth.keda.scalers.aws import Client, Common
from hearth.keda.scalers.params import ENV, METADATA, param, read_params
from hearth.keda.scalers.polled import number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, ScalerError, TriggerConfig

_MESSAGES = "ApproximateNumberOfMessages"


@dataclass(frozen=True, slots=True)
class Settings(Common):
    """Parameters of the trigger."""

    target: int = param("queueLength", default="5")
    activation: int = param("activationQueueLength", default="0")
    queue: str = param("queueURL", order=(METADATA, ENV))
    in_flight: bool = param("scaleOnInFlight", default="true")
    delayed: bool = param("scaleOnDelayed", default="false")

    def name(self) -> str:
        """Return the queue's name, which is the third part of its URL; raises ConfigError."""
        if "://" not in self.queue and not self.queue.startswith("/"):
            return self.queue
        parts = urlsplit(self.queue).path.split("/")
        if len(parts) != 3 or not parts[2]:
            raise ConfigError("cannot get queueName from queueURL")
        return parts[2]

    def attributes(self) -> list[str]:
        """Return what is counted."""
        more = {"NotVisible": self.in_flight, "Delayed": self.delayed}
        return [_MESSAGES, *(_MESSAGES + name for name, wanted in more.items() if wanted)]


def length_of(answer: dict[str, Any], attributes: list[str]) -> float:
    """Return the sum of attributes; raises ScalerError for one that is missing."""
    found = answer.get("Attributes", {})
    for each in attributes:
        if each not in found:
            raise ScalerError(f"metric {each} not found in SQS queue attributes")
    return sum(number(found[each]) for each in attributes)


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("SQS queue"):
        with parsing("SQS queue"):
            settings = read_params(Settings, config)
        name, client = settings.name(), Client("sqs", config, settings)
    attributes = settings.attributes()

    async def fetch() -> float:
        answer = await client.ask(
            "get_queue_attributes", QueueUrl=settings.queue, AttributeNames=attributes
        )
        return length_of(answer, attributes)

    return polled(
        config,
        f"aws-sqs-{name}",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=client.close,
        doing="error getting queue length",
        secrets=client.secrets,
    )
