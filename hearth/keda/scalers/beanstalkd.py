"""``beanstalkd``: jobs of a tube that are ready or reserved, and delayed ones if asked for.

Source: KEDA's ``beanstalkd_scaler.go`` and beanstalkd's ``protocol.txt`` (``stats-tube``).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import quote_plus

from hearth.keda.scalers.params import Seconds, param, read_params
from hearth.keda.scalers.polled import Kept, number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, ScalerError, TriggerConfig

_PORT = 11300
_LONGEST_TUBE = 200
_LONGEST_ANSWER = 64 * 1024

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    server: str = param("server")
    tube: str = param("tube")
    target: float = param("value")
    activation: float = param("activationValue", optional=True)
    include_delayed: bool = param("includeDelayed", optional=True)
    timeout: Seconds = param("timeout", default="30s")

    def check(self) -> None:
        """Refuse a tube whose name would end the command."""
        if len(self.tube) > _LONGEST_TUBE or any(sign.isspace() for sign in self.tube):
            raise ConfigError(f"tube is a name of up to {_LONGEST_TUBE} characters without spaces")


async def _stats(stream: Stream, tube: str) -> dict[str, str]:
    """Return the statistics of a tube: none where it is not there."""
    reader, writer = stream
    writer.write(f"stats-tube {tube}\r\n".encode())
    await writer.drain()
    word, _, size = (await reader.readline()).decode().strip().partition(" ")
    if word == "NOT_FOUND":
        return {}
    if word != "OK" or not size.isdecimal() or int(size) > _LONGEST_ANSWER:
        raise ScalerError(f"error retrieving stats from beanstalkd: {word or 'connection closed'}")
    text = (await reader.readexactly(int(size) + 2)).decode()
    lines = (line.partition(": ") for line in text.splitlines())
    return {key: value for key, _, value in lines}


def jobs_of(stats: dict[str, str], include_delayed: bool) -> float:
    """Return how many jobs there are to do."""
    counted = ["ready", "reserved", *(["delayed"] if include_delayed else [])]
    return sum(number(stats.get(f"current-jobs-{each}", "0")) for each in counted)


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("beanstalkd", "beanstalkd"):
        settings = read_params(Settings, config)
    host, _, port = settings.server.rpartition(":")
    if not host or not port.isdecimal():
        host, port = settings.server, str(_PORT)

    async def connect() -> Stream:
        return await asyncio.open_connection(host.strip("[]"), int(port))

    kept = Kept(connect, lambda held: held[1].close(), lambda held: not held[0].at_eof())

    async def fetch() -> float:
        stats = await kept.ask(lambda held: _stats(held, settings.tube))
        return jobs_of(stats, settings.include_delayed)

    return polled(
        config,
        f"beanstalkd-{quote_plus(settings.tube)}",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=kept.close,
        doing="error interacting with beanstalkd",
        timeout=min(config.timeout, settings.timeout) if settings.timeout >= 1 else config.timeout,
    )
