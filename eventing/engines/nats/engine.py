"""The engine: makes a stream for each log, over one connection.

Order is total as long as one process works on a subscription; several share its events.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from eventing.engines.nats import names
from eventing.engines.nats.config import NatsLimits, NatsServer, StreamOptions
from eventing.engines.nats.connection import Connection
from eventing.engines.nats.faults import IN_USE, NO_STREAM, NatsError
from eventing.engines.nats.log import NatsLog
from eventing.engines.nats.recent import Recent
from eventing.engines.nats.session import Source
from eventing.engines.seam import Capabilities, Order
from hearth.kube.clock import wall_clock

log = logging.getLogger(__name__)


class NatsEngine:
    """Connects when it is first used."""

    def __init__(
        self,
        server: NatsServer | Source,
        limits: NatsLimits | None = None,
        *,
        clock: Callable[[], float] = wall_clock,
    ) -> None:
        self._limits = limits or NatsLimits()
        self._clock = clock
        self.connection = Connection(server, self._limits)
        self._recent = Recent()
        self._logs: dict[str, NatsLog] = {}
        self._opening = asyncio.Lock()
        self._alive: asyncio.Task[None] | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What it promises."""
        return Capabilities(
            order=Order.TOTAL,
            partitioned=False,
            redelivers=True,
            consumer_groups=True,
            processes=True,
            deduplicates=True,
            max_event_bytes=self.connection.max_event_bytes,
        )

    async def open(self, key: str, options: Mapping[str, Any] | None = None) -> NatsLog:
        """Open a log, making its streams where there are none."""
        asked = StreamOptions.of(options or {})
        async with self._opening:
            await self.connection.connect()
            opened = self._logs.get(key)
            if opened is None:
                opened = self._logs[key] = await self._open(key, asked)
            if self._alive is None:
                self._alive = asyncio.create_task(self._keep_alive(), name="nats-in-progress")
            return opened

    async def _open(self, key: str, options: StreamOptions) -> NatsLog:
        prefix = self.connection.server.prefix
        stream = options.name or names.stream_name(prefix, key)
        metadata = {names.KEY: key, names.OWNER: self.connection.server.owner}
        common = {
            "storage": options.storage,
            "num_replicas": options.replicas,
            "retention": "limits",
            "allow_direct": True,
            "placement": _placement(options),
        }
        events = common | {
            "name": stream,
            "subjects": [names.event_subject(prefix, stream), *options.additional_subjects],
            "discard": options.discard,
            "max_bytes": options.max_bytes or -1,
            "max_msgs": options.max_messages or -1,
            "max_age": options.max_age_ns,
            "max_consumers": options.max_consumers or -1,
            "max_msg_size": options.max_message_bytes or -1,
            "duplicate_window": options.duplicate_ns,
            "allow_atomic": True,
            "metadata": metadata,
        }
        asides = common | {
            "name": names.aside_name(stream),
            "subjects": [f"{names.aside_subject(prefix, stream)}.*.*"],
            "max_msgs_per_subject": 1,
            "discard": "old",
            "allow_msg_ttl": True,
            "metadata": {names.OWNER: self.connection.server.owner},
        }

        async def ensure() -> str:
            made = await self._ensure(events)
            await self._ensure(asides)
            return made

        made = await ensure()
        return NatsLog(
            self.connection,
            stream,
            ensure=ensure,
            made=made,
            options=options,
            limits=self._limits,
            recent=self._recent,
            clock=self._clock,
        )

    async def _ensure(self, config: dict[str, Any]) -> str:
        """Make a stream where there is none; return when it was made, as no other was."""
        config = {name: value for name, value in config.items() if value is not None}
        try:
            info = await self.connection.call(f"STREAM.CREATE.{config['name']}", config)
        except NatsError as error:
            if error.code != IN_USE:
                raise
            info = await self.connection.call(f"STREAM.INFO.{config['name']}")
            if not config["metadata"].items() <= (info["config"].get("metadata") or {}).items():
                raise ValueError(f"stream {config['name']} is there, and not ours") from error
            info = await self.connection.call(f"STREAM.UPDATE.{config['name']}", config)
        return str(info["created"])

    async def drop(self, key: str) -> None:
        """Remove a log with all its events and consumers."""
        await self.connection.connect()
        opened = self._logs.pop(key, None)
        if opened is not None:
            await opened.close()
        stream = (await self._streams()).get(key)
        if stream is None:
            return
        self._recent.forget(stream)
        for name in (stream, names.aside_name(stream)):
            try:
                await self.connection.call(f"STREAM.DELETE.{name}")
            except NatsError as error:
                if error.code != NO_STREAM:
                    raise

    async def keys(self) -> Collection[str]:
        """Return the keys of all logs there are of this owner."""
        await self.connection.connect()
        return list(await self._streams())

    async def _streams(self) -> dict[str, str]:
        """Return the names of our streams, by the keys of their logs."""
        found: dict[str, str] = {}
        offset, total = 0, 1
        while offset < total:
            page = await self.connection.call("STREAM.LIST", {"offset": offset})
            total, streams = int(page.get("total", 0)), page.get("streams") or []
            offset += len(streams)
            found |= self._ours(streams)
            if not streams:
                break
        return found

    def _ours(self, streams: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
        server = self.connection.server
        for each in streams:
            config = each["config"]
            marks, name = config.get("metadata") or {}, config["name"]
            is_ours = names.event_subject(server.prefix, name) in (config.get("subjects") or ())
            if is_ours and marks.get(names.OWNER) == server.owner and names.KEY in marks:
                yield marks[names.KEY], name

    async def _keep_alive(self) -> None:
        """Events that are worked on for long are not to be given to others."""
        while True:
            await asyncio.sleep(self._limits.ack_seconds / 3)
            for opened in list(self._logs.values()):
                try:
                    await opened.keep_alive()
                except NatsError as error:
                    log.warning("what is set aside is not looked at", extra={"error": str(error)})
                except Exception:  # of one log: the others go on
                    log.exception("events in progress", extra={"stream": opened.stream})

    async def close(self) -> None:
        """Let go of all logs, and of the connection."""
        if self._alive is not None:
            self._alive.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._alive
        for opened in self._logs.values():
            await opened.close()
        self._logs.clear()
        await self.connection.close()


def _placement(options: StreamOptions) -> dict[str, Any] | None:
    cluster, tags = options.placement
    return {"cluster": cluster, "tags": list(tags)} if cluster or tags else None
