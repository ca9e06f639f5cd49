"""redis, redis-cluster, redis-sentinel: how many elements a list, set, sorted set or hash has."""

from __future__ import annotations

from dataclasses import dataclass

from hearth.keda.scalers.params import param, read_params
from hearth.keda.scalers.polled import Polled, parsing, polled
from hearth.keda.scalers.redis_connection import Connection, Server
from hearth.keda.scalers.seam import TriggerConfig

_COUNT = """
local kind = redis.call('type', KEYS[1]).ok
local command = {zset = 'zcard', set = 'scard', hash = 'hlen', list = 'llen', none = 'llen'}
if command[kind] == nil then
  return redis.error_reply('ERR unsupported key type: ' .. kind)
end
return redis.call(command[kind], KEYS[1])
"""
"""One question whatever the key is: it may become something else between two."""


@dataclass(frozen=True)
class _Settings(Connection):
    length: int = param("listLength", default="5")
    activation: int = param("activationListLength", optional=True)
    name: str = param("listName")


def make(config: TriggerConfig) -> Polled:
    """Return the scaler of a ``redis`` trigger or its kin. Raises ConfigError."""
    with parsing("redis", "redis"):
        settings = read_params(_Settings, config)
    server = Server(settings, config)

    async def fetch() -> float:
        return int(await server.client.eval(_COUNT, 1, settings.name))

    return polled(
        config,
        f"redis-{settings.name}",
        target=settings.length,
        activation=settings.activation,
        fetch=fetch,
        doing="error getting list length",
        closing=server.close,
    )
