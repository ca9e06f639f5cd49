"""KEDA's ``ExternalScaler`` service: a real KEDA has Hearth's gateway as its interceptor.

What the add-on's external scaler answers (``scaler/handlers.go``), by the same triggers; but counts
are told here and not asked for twice a second, and a stream says at once that somebody waits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from hearth.keda.external.hub import RouteHub, route_of
from hearth.keda.external.metrics import HTTPSCALEDOBJECT, RouteMetric
from hearth.keda.scalers import externalmessages as messages
from hearth.keda.scalers.externalmessages import Amount, ScaledObjectRef
from hearth.keda.scalers.seam import ConfigError, ScalerError, TriggerConfig

_NO_ROUTE = "unable to get HTTPScaledObject reference"
"""KEDA's add-on says so of either kind."""


class ExternalScalerServer:
    """Answers until stopped."""

    def __init__(self, hub: RouteHub) -> None:
        self._hub = hub
        self._server = grpc.aio.server()
        unary = {
            messages.IS_ACTIVE: self.is_active,
            messages.GET_METRIC_SPEC: self.get_metric_spec,
            messages.GET_METRICS: self.get_metrics,
        }
        # Messages as they come: bytes in and out.
        handlers = {
            path: grpc.unary_unary_rpc_method_handler(method) for path, method in unary.items()
        } | {messages.STREAM_IS_ACTIVE: grpc.unary_stream_rpc_method_handler(self.stream_is_active)}
        named = {path.rpartition("/")[2]: handler for path, handler in handlers.items()}
        service = messages.IS_ACTIVE.strip("/").partition("/")[0]
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, named),)
        )

    async def start(self, host: str, port: int) -> int:
        """Listen without TLS, as the add-on's does; returns the port."""
        bound = self._server.add_insecure_port(f"{host}:{port}")
        await self._server.start()
        return int(bound)

    async def stop(self, grace_seconds: float = 1.0) -> None:
        """Take nothing new; streams are cut after this time."""
        await self._server.stop(grace_seconds)

    # -- the methods --------------------------------------------------------------------------

    async def is_active(self, request: bytes, context: Any) -> bytes:
        """Whether there is a request, in flight, waiting or within the window of a rate."""
        reference = ScaledObjectRef.decode(request)
        await self._metrics(reference, context)
        route = route_of(reference.metadata, reference.namespace)
        return messages.encode_active(self._hub.is_active(*route))

    async def stream_is_active(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        """The same whenever it changes, and whenever somebody waits."""
        reference = ScaledObjectRef.decode(request)
        config = TriggerConfig("external-push", reference.metadata, namespace=reference.namespace)
        if not self._hub.answers(config):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, _NO_ROUTE)
        try:
            scaler = self._hub.scaler(config)
        except ConfigError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        try:
            async for active in scaler.activity():
                yield messages.encode_active(active)
        except ScalerError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        finally:
            await scaler.close()

    async def get_metric_spec(self, request: bytes, context: Any) -> bytes:
        """All metrics with their targets."""
        reference = ScaledObjectRef.decode(request)
        metrics = await self._metrics(reference, context, needs_counts=False)
        return messages.encode_amounts(
            [_amount(reference, each.name, each.target) for each in metrics]
        )

    async def get_metrics(self, request: bytes, context: Any) -> bytes:
        """One metric, or all where none is named."""
        reference, wanted = messages.decode_request(request)
        metrics = await self._metrics(reference, context)
        return messages.encode_amounts(
            [
                _amount(reference, each.name, each.value)
                for each in metrics
                if wanted in ("", each.name)
            ]
        )

    async def _metrics(
        self, reference: ScaledObjectRef, context: Any, *, needs_counts: bool = True
    ) -> list[RouteMetric]:
        config = TriggerConfig("external", reference.metadata, namespace=reference.namespace)
        if not self._hub.answers(config):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, _NO_ROUTE)
        try:
            metrics = self._hub.metrics(*route_of(reference.metadata, reference.namespace))
        except ScalerError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        if needs_counts and not self._hub.is_known():
            # An error, and no zero: what is not known scales nothing down.
            await context.abort(grpc.StatusCode.UNAVAILABLE, "no activator reports on requests")
        return metrics


def _amount(reference: ScaledObjectRef, name: str, value: float) -> Amount:
    """As the add-on has it: whole numbers for HTTPScaledObjects, rounded up."""
    if HTTPSCALEDOBJECT in reference.metadata:
        return Amount(name, whole=-int(-value // 1))
    return Amount(name, fraction=value)
