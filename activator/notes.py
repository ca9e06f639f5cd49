"""What is noted of a request that somebody watches: for its spans, for the request log. Pure.

Nobody watches most requests; those have no note, and every place that would write into it costs a
look at None.
"""

from __future__ import annotations

from typing import Protocol

from activator.backends import Backend
from activator.http.events import Peer, ServerStream
from activator.http.fields import Field
from activator.pods import Pod
from hearth.observability.traces.context import TraceContext


class Note:
    """One request, from its head to its end. Moments are of the gateway's clock, in seconds."""

    __slots__ = (
        "admitted_at",
        "answered_at",
        "authority",
        "backend",
        "began_at",
        "began_ns",
        "context",
        "ended_at",
        "fields",
        "is_remote",
        "length",
        "method",
        "observer",
        "parent_id",
        "peer",
        "pod",
        "pod_ready_at",
        "pod_seen_at",
        "proxy_id",
        "reason",
        "sent_at",
        "size",
        "status",
        "stream_protocol",
        "target",
    )

    def __init__(
        self,
        observer: RequestObserver,
        stream: ServerStream,
        peer: Peer,
        began_at: float,
        began_ns: int,
    ) -> None:
        head = stream.head
        self.observer = observer
        self.peer = peer
        # As the client said it: the head may be changed on its way.
        self.method, self.target, self.authority = head.method, head.target, head.authority
        self.fields: list[Field] = head.fields
        # Octets of the body, or UNKNOWN.
        self.length = head.length
        self.stream_protocol = stream.protocol
        self.began_at = began_at
        # The same moment, in nanoseconds since 1970.
        self.began_ns = began_ns
        # Its own place in a trace, where it is recorded; and the id of the span that its pod sees.
        self.context: TraceContext | None = None
        self.parent_id = self.proxy_id = b""
        self.is_remote = False
        # 0 where it did not come so far.
        self.admitted_at = self.sent_at = self.answered_at = self.ended_at = 0.0
        # Of a request that found no ready pod: when there was one with an address, and a ready one.
        self.pod_seen_at = self.pod_ready_at = 0.0
        self.backend: Backend | None = None
        self.pod: Pod | None = None
        self.status = 0
        # Octets of the response's body.
        self.size = 0
        # Why the answer is one of ours.
        self.reason = ""


class RequestObserver(Protocol):
    """Who watches requests, all of them or some."""

    def begin(self, stream: ServerStream, peer: Peer) -> Note | None:
        """Return what to note a request in, None for one that is not watched.

        Its head may be changed: what is traced goes on in the trace.
        """

    def ended(self, note: Note) -> None:
        """The request is over. Called on the event loop; must not wait."""
