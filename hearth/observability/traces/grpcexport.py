"""Spans for a collector by OTLP over gRPC. Imported where traces are to go out so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version

from hearth.observability.grpcsending import TRACES, GrpcSender
from hearth.observability.traces.otlp import encode, resource_of
from hearth.observability.traces.spans import Span


class GrpcExporter:
    """See ``outbox.Exporter``; ``resource`` says whose the spans are."""

    def __init__(self, url: str, resource: Mapping[str, str]) -> None:
        self._resource = resource_of({"service.version": version("hearth-serving"), **resource})
        self._sender = GrpcSender(url, TRACES)
        self.close = self._sender.close

    def export(self, spans: Sequence[Span]) -> str:
        """Give spans to the collector; return why it did not take them."""
        return self._sender.send(encode(self._resource, spans))
