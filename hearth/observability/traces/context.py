"""W3C Trace Context: the header ``traceparent``, strictly. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

TRACEPARENT, TRACESTATE = b"traceparent", b"tracestate"
_LENGTH = len(TRACEPARENT)

_SAMPLED = 0x01
_KNOWN_FLAGS = 0x03
"""Sampled, and (level 2) that the trace id is random: others are not to be passed on."""

_TRACEPARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?",
    re.DOTALL,
)


class TraceContext(NamedTuple):
    """A place in a trace: what comes next is its child."""

    trace_id: bytes
    """32 hexadecimal digits in lower case, not all of them 0."""
    span_id: bytes
    """16 of them."""
    flags: int = _SAMPLED

    @property
    def is_sampled(self) -> bool:
        """Whether whoever made it records it."""
        return bool(self.flags & _SAMPLED)

    @property
    def header(self) -> bytes:
        """The value of ``traceparent``."""
        return b"00-%b-%b-%02x" % (self.trace_id, self.span_id, self.flags & _KNOWN_FLAGS)

    def child(self, span_id: bytes) -> TraceContext:
        """Return the context of a span in this trace."""
        return TraceContext(self.trace_id, span_id, self.flags)


def parse_traceparent(value: bytes) -> TraceContext | None:
    """Read a header's value; None where it is not valid, and a new trace is to begin.

    Of versions to come the known part is read (W3C Trace Context, section 3.2.4).
    """
    found = _TRACEPARENT.fullmatch(value)
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if rest is not None and version == b"00":
        return None
    return TraceContext(trace_id, span_id, int(flags, 16))


def context_of(fields: Iterable[tuple[bytes, bytes]]) -> TraceContext | None:
    """Return the context that header fields carry; several of that name are none (section 3.2)."""
    # Most names are of another length, and need no lower case.
    values = [
        value for name, value in fields if len(name) == _LENGTH and name.lower() == TRACEPARENT
    ]
    return parse_traceparent(values[0].strip(b" \t")) if len(values) == 1 else None


def with_context(
    fields: Iterable[tuple[bytes, bytes]], context: TraceContext, *, continues: bool
) -> list[tuple[bytes, bytes]]:
    """Return header fields with this context in place of theirs.

    ``tracestate`` stays only where the trace ``continues``: it belongs to a ``traceparent``.
    """
    dropped = (TRACEPARENT,) if continues else (TRACEPARENT, TRACESTATE)
    kept = [field for field in fields if field[0].lower() not in dropped]
    kept.append((TRACEPARENT, context.header))
    return kept
