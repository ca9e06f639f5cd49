"""external, external-push: scalers of others, asked by KEDA's ExternalScaler service (gRPC).

Such a server may announce several metrics; the first one is read.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import grpc

from hearth.keda.scalers.external_channel import Settings, open_channel
from hearth.keda.scalers.externalmessages import (
    GET_METRIC_SPEC,
    GET_METRICS,
    IS_ACTIVE,
    STREAM_IS_ACTIVE,
    ScaledObjectRef,
    decode_active,
    decode_amounts,
    encode_request,
)
from hearth.keda.scalers.params import read_params
from hearth.keda.scalers.polled import Kept, checked, metric_type, parsing, redacted, secrets_of
from hearth.keda.scalers.seam import (
    MetricSpec,
    Reading,
    ScalerError,
    TriggerConfig,
    metric_name,
)

_FROM_ENV = "FromEnv"
_T = TypeVar("_T")


def make(config: TriggerConfig) -> External:
    """Return the scaler of an ``external`` or ``external-push`` trigger. Raises ConfigError."""
    with parsing("external scaler", "external scaler"):
        settings = read_params(Settings, config)
    return (ExternalPush if config.type == "external-push" else External)(config, settings)


class External:
    """A scaler whose values a server has (``seam.DescribedScaler``)."""

    def __init__(self, config: TriggerConfig, settings: Settings) -> None:
        self._config, self._secrets = config, secrets_of(config)
        self._kind = metric_type(config)
        self.spec = MetricSpec(metric_name(config.index, config.type), 0.0, self._kind)
        """Nothing to go by until it was described."""
        self._name: str | None = None
        self._reference = ScaledObjectRef(config.object_name, config.namespace, told(config))
        self._channel = Kept(
            lambda: open_channel(settings, config.timeout), lambda channel: channel.close()
        )

    async def describe(self) -> MetricSpec:
        """Ask what the server measures. Raises ScalerError."""

        async def ask(channel: Any) -> MetricSpec:
            said = await self._asked(channel, GET_METRIC_SPEC, self._reference.encode())
            amounts = decode_amounts(said)
            if not amounts:
                raise ScalerError("the external scaler announces no metric")
            first = amounts[0]
            self._name = first.name
            return MetricSpec(f"s{self._config.index}-{first.name}", first.number, self._kind)

        self.spec = await self._told(ask)
        return self.spec

    async def read(self) -> Reading:
        """Ask for the value and for activity, which is the server's to say. Raises ScalerError."""
        if self._name is None:
            await self.describe()
        request = encode_request(self._reference, self._name or "")

        async def ask(channel: Any) -> Reading:
            values, active = await asyncio.gather(
                self._asked(channel, GET_METRICS, request),
                self._asked(channel, IS_ACTIVE, self._reference.encode()),
            )
            total = sum(checked(each.number) for each in decode_amounts(values))
            return Reading(total, decode_active(active))

        return await self._told(ask)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._channel.close()

    async def _asked(self, channel: Any, method: str, request: bytes) -> bytes:
        answer: bytes = await channel.unary_unary(method)(request, timeout=self._config.timeout)
        return answer

    async def _told(self, ask: Callable[[Any], Awaitable[_T]]) -> _T:
        """An answer of the server, or a ScalerError that says why there is none."""
        try:
            return await ask(await self._channel.get())
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:  # its certificate may be another
                await self._channel.close()
            why = f"{error.code().name}: {error.details()}"
        except (ScalerError, ValueError, OSError, TimeoutError) as error:
            why = str(error) or type(error).__name__
        doing = "error calling the external scaler: "
        raise ScalerError(redacted(f"{doing}{why}", self._secrets)) from None


class ExternalPush(External):
    """One that also tells of activity by itself (``seam.PushScaler``)."""

    first_wait, longest_wait = 2.0, 60.0
    """Seconds until the server is asked again after its stream ended; doubled each time."""

    def __init__(self, config: TriggerConfig, settings: Settings) -> None:
        super().__init__(config, settings)
        self._closed = asyncio.Event()

    async def close(self) -> None:
        """Let go of the connection; who listens hears the end."""
        self._closed.set()
        await super().close()

    async def activity(self) -> AsyncIterator[bool]:
        """Yield what the server tells, and connect again whenever it stops."""
        wait = self.first_wait
        while not self._closed.is_set():
            try:
                async for active in self._stream():
                    wait = self.first_wait
                    yield active
                wait = self.first_wait  # it ended as it should
            except asyncio.CancelledError:
                # What gRPC raises for a call of a channel that was closed, too.
                if (task := asyncio.current_task()) is None or task.cancelling():
                    raise
            except (grpc.aio.AioRpcError, ValueError, OSError, ScalerError):
                pass  # the poll that comes anyway says what is wrong
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), wait)
            wait = min(wait * 2, self.longest_wait)

    async def _stream(self) -> AsyncIterator[bool]:
        call = (await self._channel.get()).unary_stream(STREAM_IS_ACTIVE)(self._reference.encode())
        try:
            async for message in call:
                yield decode_active(message)
        finally:
            call.cancel()
            await call.code()


def told(config: TriggerConfig) -> dict[str, str]:
    """Return the metadata that the server is told: with values instead of variables' names."""
    said = {}
    for key, value in config.metadata.items():
        if not key.endswith(_FROM_ENV):
            said[key] = value
        elif found := config.env.get(value):
            said[key] = found
    return said
