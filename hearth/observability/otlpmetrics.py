"""Metrics in the protobuf of OTLP (``opentelemetry/proto/metrics/v1/metrics.proto``). Pure.

What Prometheus would read is what goes out: counters as sums that only grow, histograms by their
bounds, everything else as it is at the moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from struct import pack
from typing import Protocol

from hearth.observability.traces.otlp import SCOPE, message, pair


class Sample(Protocol):
    """A number of a family, as Prometheus' client has it."""

    @property
    def name(self) -> str:
        """The name."""
        ...

    @property
    def labels(self) -> Mapping[str, str]:
        """What it is of."""
        ...

    @property
    def value(self) -> float:
        """The number."""
        ...


class Metric(Protocol):
    """A family of numbers, as Prometheus' client has it."""

    @property
    def name(self) -> str:
        """The name."""
        ...

    @property
    def documentation(self) -> str:
        """What it means."""
        ...

    @property
    def unit(self) -> str:
        """What it is counted in."""
        ...

    @property
    def type(self) -> str:
        """counter, gauge, histogram ..."""
        ...

    @property
    def samples(self) -> Sequence[Sample]:
        """Its numbers."""
        ...


_CUMULATIVE = b"\x10\x02"
_MONOTONIC = b"\x18\x01"


def encode(resource: bytes, families: Iterable[Metric], *, since_ns: int, now_ns: int) -> bytes:
    """Return an ExportMetricsServiceRequest; ``resource`` is from ``otlp.resource_of``."""
    times = b"\x11" + since_ns.to_bytes(8, "little") + b"\x19" + now_ns.to_bytes(8, "little")
    metrics = (_metric(family, times) for family in families)
    return message(1, resource + message(2, SCOPE + b"".join(metrics)))


def _metric(family: Metric, times: bytes) -> bytes:
    head = message(1, family.name.encode()) + message(2, family.documentation.encode())
    head += message(3, family.unit.encode()) if family.unit else b""
    if family.type == "histogram":
        points = b"".join(message(1, each) for each in _histograms(family.samples, times))
        return message(2, head + message(9, points + _CUMULATIVE))
    if family.type == "counter":
        points = _numbers((s for s in family.samples if s.name.endswith("_total")), times)
        return message(2, head + message(7, points + _CUMULATIVE + _MONOTONIC))
    points = _numbers((s for s in family.samples if not s.name.endswith("_created")), times)
    return message(2, head + message(5, points))


def _numbers(samples: Iterable[Sample], times: bytes) -> bytes:
    return b"".join(
        message(1, times + b"\x21" + pack("<d", s.value) + _attributes(7, s.labels))
        for s in samples
    )


def _attributes(field: int, labels: Mapping[str, str]) -> bytes:
    return b"".join(message(field, pair(name, labels[name])) for name in labels)


def _histograms(samples: Iterable[Sample], times: bytes) -> Iterable[bytes]:
    found: dict[tuple[tuple[str, str], ...], dict[str, list[Sample]]] = {}
    for sample in samples:
        labels = tuple((k, v) for k, v in sample.labels.items() if k != "le")
        part = sample.name.rpartition("_")[2]
        found.setdefault(labels, {}).setdefault(part, []).append(sample)
    for labels, parts in found.items():
        if "bucket" in parts:
            yield _histogram(dict(labels), parts, times)


def _histogram(
    labels: Mapping[str, str], parts: Mapping[str, Sequence[Sample]], times: bytes
) -> bytes:
    """One point: Prometheus' buckets hold those below them, too, and OTLP's do not."""
    buckets = parts["bucket"]
    totals = [int(bucket.value) for bucket in buckets]
    counts = [after - before for before, after in zip([0, *totals], totals, strict=False)]
    bounds = [float(bucket.labels["le"]) for bucket in buckets[:-1]]
    total = parts["sum"][0].value if "sum" in parts else 0.0
    return b"".join(
        (
            times,
            b"\x21" + totals[-1].to_bytes(8, "little"),
            b"\x29" + pack("<d", total),
            message(6, b"".join(count.to_bytes(8, "little") for count in counts)),
            message(7, pack(f"<{len(bounds)}d", *bounds)),
            _attributes(9, labels),
        )
    )
