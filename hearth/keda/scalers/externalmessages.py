"""Messages of KEDA's ``ExternalScaler`` service (``externalscaler.proto``), read and written. Pure.

Six small messages of proto3: with these few lines neither client nor server needs a protobuf
library or generated code. Unknown fields are skipped; what is no message raises ValueError.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_SERVICE = "/externalscaler.ExternalScaler/"
IS_ACTIVE = f"{_SERVICE}IsActive"
STREAM_IS_ACTIVE = f"{_SERVICE}StreamIsActive"
GET_METRIC_SPEC = f"{_SERVICE}GetMetricSpec"
GET_METRICS = f"{_SERVICE}GetMetrics"
STREAM_METRIC_SPEC = f"{_SERVICE}StreamMetricSpec"

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MASK = 2**64 - 1
_Fields = Iterator[tuple[int, int | bytes]]


@dataclass(frozen=True, slots=True)
class ScaledObjectRef:
    """Whose trigger it is, and the trigger's metadata."""

    name: str = ""
    namespace: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the message."""
        entries = (
            _data(3, _data(1, key.encode()) + _data(2, value.encode()))
            for key, value in self.metadata.items()
        )
        return _data(1, self.name.encode()) + _data(2, self.namespace.encode()) + b"".join(entries)

    @classmethod
    def decode(cls, message: bytes) -> ScaledObjectRef:
        """Read the message."""
        found, metadata = dict.fromkeys((1, 2), ""), {}
        for number, value in _fields(message):
            if number in found:
                found[number] = _text(value)
            elif number == 3:
                entry = {key: _text(each) for key, each in _fields(_octets(value))}
                metadata[entry.get(1, "")] = entry.get(2, "")
        return cls(found[1], found[2], metadata)


@dataclass(frozen=True, slots=True)
class Amount:
    """A metric by name with its target or value: a whole number, or (preferred) a float."""

    name: str
    whole: int = 0
    fraction: float = 0.0

    @property
    def number(self) -> float:
        """The float where it is above zero, else the whole number, as KEDA decides."""
        return self.fraction if self.fraction > 0 else float(self.whole)


def encode_active(active: bool) -> bytes:
    """Return an IsActiveResponse."""
    return _whole(1, int(active))


def decode_active(message: bytes) -> bool:
    """Read an IsActiveResponse."""
    return bool(dict(_fields(message)).get(1, 0))


def encode_amounts(amounts: Iterator[Amount] | list[Amount]) -> bytes:
    """Return a GetMetricSpecResponse or a GetMetricsResponse, which are written alike."""
    return b"".join(
        _data(1, _data(1, each.name.encode()) + _whole(2, each.whole) + _float(3, each.fraction))
        for each in amounts
    )


def decode_amounts(message: bytes) -> list[Amount]:
    """Read a GetMetricSpecResponse or a GetMetricsResponse."""
    return [_amount(_octets(value)) for number, value in _fields(message) if number == 1]


def encode_request(reference: ScaledObjectRef, metric: str) -> bytes:
    """Return a GetMetricsRequest."""
    return _data(1, reference.encode()) + _data(2, metric.encode())


def decode_request(message: bytes) -> tuple[ScaledObjectRef, str]:
    """Read a GetMetricsRequest."""
    found = dict(_fields(message))
    return ScaledObjectRef.decode(_octets(found.get(1, b""))), _text(found.get(2, b""))


def _amount(message: bytes) -> Amount:
    found = dict(_fields(message))
    whole, fraction = found.get(2, 0), found.get(3, bytes(8))
    if not isinstance(whole, int) or not isinstance(fraction, bytes) or len(fraction) != 8:
        raise ValueError("an amount of another type")
    signed = whole - 2**64 if whole >= 2**63 else whole
    return Amount(_text(found.get(1, b"")), signed, struct.unpack("<d", fraction)[0])


def _fields(message: bytes) -> _Fields:
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        kind = tag & 7
        if kind == _VARINT:
            whole, position = _varint(message, position)
            yield tag >> 3, whole
            continue
        if kind == _BYTES:
            size, position = _varint(message, position)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind} is none of proto3's")
        if size > len(message) - position:
            raise ValueError("the message ends within a field")
        yield tag >> 3, message[position : position + size]
        position += size


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise ValueError("the message ends within a number")
        octet = message[position]
        position += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return value & _MASK, position
    raise ValueError("a number of more than ten octets")


def _octets(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where text or a message is expected")
    return value


def _text(value: int | bytes) -> str:
    return _octets(value).decode()


def _number(value: int) -> bytes:
    octets = bytearray()
    while value >= 0x80:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def _data(number: int, value: bytes) -> bytes:
    return _number(number << 3 | _BYTES) + _number(len(value)) + value


def _whole(number: int, value: int) -> bytes:
    return _number(number << 3 | _VARINT) + _number(value & _MASK) if value else b""


def _float(number: int, value: float) -> bytes:
    return _number(number << 3 | _FIXED64) + struct.pack("<d", value) if value else b""
