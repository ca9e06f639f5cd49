"""An external scaler as others write them: gRPC with Google's protobuf messages."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto
_TEXT, _BOOL, _INT64, _DOUBLE, _MESSAGE = (
    _FIELD.TYPE_STRING,
    _FIELD.TYPE_BOOL,
    _FIELD.TYPE_INT64,
    _FIELD.TYPE_DOUBLE,
    _FIELD.TYPE_MESSAGE,
)
_MESSAGES: dict[str, list[tuple[str, Any, str, bool]]] = {
    "Entry": [("key", _TEXT, "", False), ("value", _TEXT, "", False)],
    "ScaledObjectRef": [
        ("name", _TEXT, "", False),
        ("namespace", _TEXT, "", False),
        ("scalerMetadata", _MESSAGE, "Entry", True),
    ],
    "IsActiveResponse": [("result", _BOOL, "", False)],
    "MetricSpec": [
        ("metricName", _TEXT, "", False),
        ("targetSize", _INT64, "", False),
        ("targetSizeFloat", _DOUBLE, "", False),
    ],
    "GetMetricSpecResponse": [("metricSpecs", _MESSAGE, "MetricSpec", True)],
    "GetMetricsRequest": [
        ("scaledObjectRef", _MESSAGE, "ScaledObjectRef", False),
        ("metricName", _TEXT, "", False),
    ],
    "MetricValue": [
        ("metricName", _TEXT, "", False),
        ("metricValue", _INT64, "", False),
        ("metricValueFloat", _DOUBLE, "", False),
    ],
    "GetMetricsResponse": [("metricValues", _MESSAGE, "MetricValue", True)],
}
"""Name, type, type of message and whether repeated, of each field, numbered from 1 on."""


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="externalscaler.proto", package="externalscaler", syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        made = file.message_type.add(name=name)
        for number, (each, type_, of, repeated) in enumerate(fields, 1):
            label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
            known = f".externalscaler.{of}" if of else None
            made.field.add(name=each, number=number, type=type_, label=label, type_name=known)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"externalscaler.{name}"))
        for name in _MESSAGES
    }


CLASSES = _classes()


@dataclass
class ExternalScaler:
    """What the server says; may be changed under way."""

    value: float = 7
    active: bool = True
    target: float = 5
    name: str = "depth"
    port: int = 0
    asked: list[Any] = field(default_factory=list)
    streams: list[asyncio.Queue[bool | None]] = field(default_factory=list)
    """Of each that listens; None ends it."""

    async def is_active(self, request: Any, context: Any) -> Any:
        self.asked.append(request)
        return CLASSES["IsActiveResponse"](result=self.active)

    async def stream_is_active(self, request: Any, context: Any) -> AsyncIterator[Any]:
        told: asyncio.Queue[bool | None] = asyncio.Queue()
        self.streams.append(told)
        while (active := await told.get()) is not None:
            yield CLASSES["IsActiveResponse"](result=active)

    async def get_metric_spec(self, request: Any, context: Any) -> Any:
        spec = CLASSES["MetricSpec"](metricName=self.name, targetSizeFloat=self.target)
        return CLASSES["GetMetricSpecResponse"](metricSpecs=[spec] if self.name else [])

    async def get_metrics(self, request: Any, context: Any) -> Any:
        self.asked.append(request)
        value = CLASSES["MetricValue"](metricName=self.name, metricValueFloat=self.value)
        return CLASSES["GetMetricsResponse"](metricValues=[value])


@contextlib.asynccontextmanager
async def serving(
    scaler: ExternalScaler, *, credentials: Any = None, port: int = 0
) -> AsyncIterator[ExternalScaler]:
    """The scaler behind a port, with TLS where there are credentials."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_handlers(scaler),))
    if credentials is None:
        scaler.port = server.add_insecure_port(f"127.0.0.1:{port}")
    else:
        scaler.port = server.add_secure_port(f"127.0.0.1:{port}", credentials)
    await server.start()
    try:
        yield scaler
    finally:
        await server.stop(0.1)  # what is being answered may end


def _handlers(scaler: ExternalScaler) -> Any:
    def one(method: Callable[..., Any], request: str, *, streams: bool = False) -> Any:
        kind = (
            grpc.unary_stream_rpc_method_handler if streams else grpc.unary_unary_rpc_method_handler
        )
        return kind(
            method,
            request_deserializer=CLASSES[request].FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )

    return grpc.method_handlers_generic_handler(
        "externalscaler.ExternalScaler",
        {
            "IsActive": one(scaler.is_active, "ScaledObjectRef"),
            "StreamIsActive": one(scaler.stream_is_active, "ScaledObjectRef", streams=True),
            "GetMetricSpec": one(scaler.get_metric_spec, "ScaledObjectRef"),
            "GetMetrics": one(scaler.get_metrics, "GetMetricsRequest"),
        },
    )
