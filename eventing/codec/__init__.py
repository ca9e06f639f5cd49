"""CloudEvents over HTTP: binary, structured and batched, without copying payloads.

Pure: bytes in, events out, and back. Used by the broker's ingress, its dispatcher (replies) and
``eventing.send``.
"""

from eventing.codec.binary import attributes_of_head, decode_binary, render_head
from eventing.codec.event import CodecError, Event
from eventing.codec.http import Mode, decode, decode_replies, decode_reply, mode_of
from eventing.codec.structured import (
    decode_batch,
    decode_structured,
    encode_batch,
    encode_structured,
)

__all__ = [
    "CodecError",
    "Event",
    "Mode",
    "attributes_of_head",
    "decode",
    "decode_batch",
    "decode_binary",
    "decode_replies",
    "decode_reply",
    "decode_structured",
    "encode_batch",
    "encode_structured",
    "mode_of",
    "render_head",
]
