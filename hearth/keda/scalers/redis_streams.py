"""redis-streams and its kin: entries of a stream, or what a consumer group has still to do."""

from __future__ import annotations

from dataclasses import dataclass

from redis.exceptions import ResponseError

from hearth.keda.scalers.params import param, read_params
from hearth.keda.scalers.polled import Polled, parsing, polled
from hearth.keda.scalers.redis_connection import Connection, Server
from hearth.keda.scalers.seam import ScalerError, TriggerConfig

_FIRST_WITH_LAG = 7


@dataclass(frozen=True)
class _Settings(Connection):
    pending: int = param("pendingEntriesCount", default="5")
    length: int = param("streamLength", default="5")
    lag: int = param("lagCount", optional=True)
    stream: str = param("stream")
    group: str = param("consumerGroup", optional=True)
    activation: int = param("activationLagCount", default="0")


def make(config: TriggerConfig) -> Polled:
    """Return the scaler of a ``redis-streams`` trigger or its kin. Raises ConfigError."""
    with parsing("redis streams", "redis stream"):
        settings = read_params(_Settings, config)
    server = Server(settings, config)

    async def pending() -> float:
        said = await server.client.xpending(settings.stream, settings.group)
        return int(said["pending"])

    async def length() -> float:
        return int(await server.client.xlen(settings.stream))

    async def lag() -> float:
        """What the group has not read; all of the stream while nobody has made the group."""
        await _check_version(server)
        try:
            groups = await server.client.xinfo_groups(settings.stream)
        except ResponseError as error:
            if str(error) == "no such key":
                return 0.0
            raise
        named = [each for each in groups if each["name"].decode() == settings.group]
        if named and named[0].get("lag") is None:  # entries in its way were deleted
            raise ScalerError(f"redis does not know the lag of the group {settings.group}")
        return int(named[0]["lag"]) if named else await length()

    fetch, target = length, settings.length
    if settings.group:
        fetch, target = (lag, settings.lag) if settings.lag else (pending, settings.pending)
    return polled(
        config,
        f"redis-streams-{settings.stream}",
        target=target,
        activation=settings.activation,
        fetch=fetch,
        doing="error fetching metric count",
        closing=server.close,
    )


async def _check_version(server: Server) -> None:
    info = await server.client.info("server")
    versions = info.values() if "redis_version" not in info else [info]  # a cluster: one by node
    for each in versions:
        if int(str(each["redis_version"]).partition(".")[0]) < _FIRST_WITH_LAG:
            raise ScalerError("redis version 7+ required for lag")
