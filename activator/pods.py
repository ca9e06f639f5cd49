"""One pod as the data plane sees it: an address, a load and a state. Plain data.

Owned by one throttler; connections to it are in ``pools``.
"""

from __future__ import annotations

from activator.probing import ProbeSpec

Address = tuple[str, int]
"""Host and port."""


class Pod:
    """``ready`` is the only thing that the hot path asks; the flags beside it say why."""

    __slots__ = (
        "address",
        "gone",
        "in_flight",
        "is_known",
        "lent",
        "name",
        "own",
        "probe",
        "probed",
        "ready",
        "said_http2",
        "seen_at",
        "speaks_http2",
        "suspect",
        "tls_name",
        "was_ready",
    )

    def __init__(
        self,
        address: Address,
        *,
        name: str = "",
        seen_at: float = 0.0,
        speaks_http2: bool | None = False,
        tls_name: str = "",
        probe: ProbeSpec | None = None,
    ) -> None:
        self.address = address
        self.name = name
        self.seen_at = seen_at
        # It speaks TLS, by this name.
        self.tls_name = tls_name
        # How to see that it is ready; None: as its target says.
        self.probe = probe
        # What is said of its port; None: it is to be found out.
        self.said_http2 = speaks_http2
        # HTTP/2 by prior knowledge, else HTTP/1.1; and whether that is sure.
        self.speaks_http2 = bool(speaks_http2)
        self.is_known = speaks_http2 is not None
        # Requests of ours, and slots that others have of it, which are told apart by ``lent``.
        self.in_flight = 0
        self.lent = 0
        self.ready = False
        # Its slots are given here. Where pods are shared, those of others are borrowed.
        self.own = False
        # Set by our own probe before the EndpointSlice says ready.
        self.probed = False
        # The EndpointSlice has said ready once: from then on it alone decides.
        self.was_ready = False
        # A connection was refused: not to be used until a probe has reached it again.
        self.suspect = False
        # Terminating or no longer listed: no new request, those in flight finish.
        self.gone = False

    @property
    def is_left_out(self) -> bool:
        """Whether only a refused connection keeps it from being used."""
        return self.suspect and self.probed

    @classmethod
    def once(cls, address: Address) -> Pod:
        """An address outside, for one request: its connection is not kept."""
        pod = cls(address)
        pod.gone = True
        return pod

    def __repr__(self) -> str:
        return f"Pod({self.name or self.address}, in_flight={self.in_flight}, ready={self.ready})"
