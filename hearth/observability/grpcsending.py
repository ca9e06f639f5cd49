"""Gives a collector what it takes by OTLP over gRPC. Imported where that is asked for.

Needs grpcio, which is large: the extra ``otlp-grpc``. Messages are bytes already, so no code for
protobuf is. What a collector may take later is sent again for a while, as OTLP asks for
(https://opentelemetry.io/docs/specs/otlp/#failures).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

try:
    import grpc
except ImportError as error:
    raise ImportError("grpcio is missing: pip install 'hearth-serving[otlp-grpc]'") from error

METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

_SECONDS = 10.0
"""For one message, attempts and pauses together."""
_AGAIN = {
    "maxAttempts": 5,
    "initialBackoff": "0.5s",
    "maxBackoff": "4s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["CANCELLED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"],
}
_OPTIONS = (
    ("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": _AGAIN}]})),
    ("grpc.max_reconnect_backoff_ms", 4000),
)
_VARIABLES = "OTEL_EXPORTER_OTLP_"


class GrpcSender:
    """Sends messages of one method, each alone. The URL's scheme says whether with TLS."""

    def __init__(
        self,
        url: str,
        method: str,
        environ: Mapping[str, str] = os.environ,  # noqa: TID251 - OpenTelemetry's own variables
    ) -> None:
        """Raises OSError where the certificate that a variable names cannot be read."""
        given = {name: environ.get(_VARIABLES + name, "") for name in _NAMES}
        self._metadata = headers_of(given["HEADERS"])
        is_packed = given["COMPRESSION"].lower() == "gzip"
        self._compression = grpc.Compression.Gzip if is_packed else grpc.Compression.NoCompression
        self._channel = _channel(url, given["CERTIFICATE"])
        self._call: Any = self._channel.unary_unary(method)

    def send(self, body: bytes) -> str:
        """Send a message; return why it was not taken."""
        try:
            self._call(
                body, timeout=_SECONDS, metadata=self._metadata, compression=self._compression
            )
        except grpc.RpcError as error:
            return f"{error.code().name}: {error.details()}"
        except ValueError as error:  # closed meanwhile
            return str(error)
        return ""

    def close(self) -> None:
        """End what is under way. Called from any thread."""
        self._channel.close()


_NAMES = ("HEADERS", "CERTIFICATE", "COMPRESSION")


def headers_of(text: str) -> list[tuple[str, str]]:
    """Read ``OTEL_EXPORTER_OTLP_HEADERS``: ``NAME=VALUE,...`` with % for what is special."""
    pairs = [each.partition("=") for each in text.split(",") if "=" in each]
    return [(unquote(name).strip().lower(), unquote(value).strip()) for name, _, value in pairs]


def _channel(url: str, certificate: str) -> Any:
    parts = urlsplit(url)
    is_plain = parts.scheme == "http"
    where = parts.netloc if parts.port else f"{parts.netloc}:{80 if is_plain else 443}"
    if is_plain:
        return grpc.insecure_channel(where, options=_OPTIONS)
    roots = Path(certificate).read_bytes() if certificate else None
    return grpc.secure_channel(where, grpc.ssl_channel_credentials(roots), options=_OPTIONS)
