"""What the engine is told: where the server is, and how much a log may be. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class NatsServer:
    """Where the server is, and who we are there. Secrets and certificates are texts (PEM)."""

    urls: tuple[str, ...] = ("nats://127.0.0.1:4222",)
    token: str = field(default="", repr=False)
    credentials: str = field(default="", repr=False)
    """What a credentials file has: a JWT and its key."""
    ca: str = ""
    """Whom to trust (PEM); empty for whom this machine trusts."""
    certificate: str = ""
    key: str = field(default="", repr=False)
    prefix: str = "HEARTH"
    """What the names of our streams begin with; their subjects have it in small letters."""
    owner: str = ""
    """Whose streams they are: those of others are not touched."""


@dataclass(frozen=True, slots=True)
class NatsLimits:
    """Bytes and seconds, as the names say."""

    log_bytes: int = 1024 * MIB
    """What a log may be; beyond it producers are asked to wait (429)."""
    kept_bytes: int = 128 * MIB
    """What of events that nobody needs any more is kept to be looked at and replayed."""
    pending_bytes: int = 32 * MIB
    """Events that the server has not acknowledged yet; more are refused for now (429)."""
    answer_seconds: float = 5.0
    """The server answers within this time, or is not there."""
    ack_seconds: float = 10.0
    """An event whose process is gone is given to another after this time."""
    refresh_seconds: float = 1.0
    """How often the server is asked what a log has, and what of it is needed."""
    event_bytes: int = MIB - 4096
    """The largest event, head and data, of a server that takes messages of 1 MiB."""


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What a Broker or channel asks of its stream, in the words of the server."""

    replicas: int = 1
    storage: str = "file"
    discard: str = "new"
    max_bytes: int = 0
    """Of the stream; producers get half of it. 0: as ``NatsLimits`` says."""
    max_messages: int = 0
    max_age_ns: int = 0
    max_message_bytes: int = 0
    duplicate_ns: int = 120_000_000_000
    """An event of the same source and id within this time is a duplicate."""
    keeps: bool = True
    """Whether what nobody needs is kept for a while."""
    placement: tuple[str, tuple[str, ...]] = ("", ())
    """The cluster, and the tags of servers; empty for any."""
    max_pending: int = 65_536
    """Events that one subscription may have unsettled."""
