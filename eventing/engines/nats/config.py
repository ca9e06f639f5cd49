"""What the engine is told: where the server is, and how much a log may be. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from eventing.api.natsjetstream import refused
from hearth.kube.durations import parse_go_duration

MIB = 1024 * 1024
RECONNECT_SECONDS = 0.25


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
    reconnect_seconds: float = RECONNECT_SECONDS
    """How long it is waited before a server that was lost is tried again."""


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
    ack_seconds: float = 0.0
    """After this time an event whose process is gone is given to another; 0: as ``NatsLimits``."""
    additional_subjects: tuple[str, ...] = ()
    """What others publish there are events of the log, too."""
    name: str = ""
    """Of the stream; empty for one that is made of the log's key."""
    max_consumers: int = 0
    begin: Mapping[str, Any] = field(default_factory=dict)
    """Where a new consumer begins that asks for no place of its own, in the server's words."""
    consumer: Mapping[str, Any] = field(default_factory=dict)
    """What consumers are made with besides, in the server's words."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> StreamOptions:
        """Read what upstream's annotation and ConfigMap say (``stream``, ``consumer``).

        Raises ValueError for what means nothing, or is not followed (``natsjetstream.refused``).
        Retention ``Interest`` and ``Work`` say that
        nothing is kept that nobody needs; as it is ours to see what that is, the stream itself has
        limits. What is not said here is as JetStream has it, but for ``discard``: upstream drops
        the oldest events of a full stream, here producers are asked to wait.
        """
        stream, consumer = _part(config, "stream"), _part(config, "consumer")
        placement = _part(stream, "placement")
        if problem := refused(config):
            raise ValueError(problem)
        found = cls(
            replicas=_count(stream, "replicas") or 1,
            storage=_one_of(stream, "storage", ("File", "Memory")),
            discard=_one_of(stream, "discard", ("New", "Old")),
            max_bytes=_count(stream, "maxBytes"),
            max_messages=_count(stream, "maxMsgs"),
            max_age_ns=_nanoseconds(stream, "maxAge"),
            max_message_bytes=_count(stream, "maxMsgSize"),
            keeps=_one_of(stream, "retention", ("Limits", "Interest", "Work")) == "limits",
            placement=(str(placement.get("cluster", "")), _texts(placement, "tags")),
            additional_subjects=_texts(stream, "additionalSubjects"),
            ack_seconds=_nanoseconds(consumer, "ackWait") / 1e9,
            name=str(config.get("name") or ""),
            max_consumers=_count(stream, "maxConsumers"),
            begin=_begin(consumer),
            consumer=_consumer(consumer),
        )
        if window := _nanoseconds(stream, "duplicateWindow"):
            found = replace(found, duplicate_ns=window)
        if pending := _count(consumer, "maxAckPending"):
            found = replace(found, max_pending=pending)
        return found


_POLICIES = ("New", "All", "Last", "ByStartSequence", "ByStartTime")


def _begin(consumer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where new consumers begin; nothing where that is not said: with what comes then."""
    policy = _one_of(consumer, "deliverPolicy", _POLICIES)
    if policy == "bystartsequence":
        sequence = max(_count(consumer, "optStartSeq"), 1)
        return {"deliver_policy": "by_start_sequence", "opt_start_seq": sequence}
    if policy == "bystarttime":
        text = str(consumer.get("optStartTime") or "")
        try:
            moment = datetime.fromisoformat(text).astimezone(UTC)
        except ValueError as error:
            raise ValueError(f"optStartTime: {error}") from error
        return {"deliver_policy": "by_start_time", "opt_start_time": moment.isoformat()}
    return {} if policy == "new" else {"deliver_policy": policy}


def _consumer(consumer: Mapping[str, Any]) -> Mapping[str, Any]:
    replay = _one_of(consumer, "replayPolicy", ("Instant", "Original"))
    found = {"replay_policy": replay} if replay == "original" else {}
    for ours, theirs in (("filterSubject", "filter_subject"), ("sampleFrequency", "sample_freq")):
        if consumer.get(ours):
            found[theirs] = str(consumer[ours])
    return found


def _part(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name) or {}
    if not isinstance(found, Mapping):
        raise ValueError(f"{name} is no object")
    return found


def _count(config: Mapping[str, Any], name: str) -> int:
    found = config.get(name) or 0
    if not isinstance(found, int) or isinstance(found, bool):
        raise ValueError(f"{name}: {found!r} is no whole number")
    return max(found, 0)


def _one_of(config: Mapping[str, Any], name: str, known: tuple[str, ...]) -> str:
    found = config.get(name) or known[0]
    if found not in known:
        raise ValueError(f"{name}: {found!r} is none of {', '.join(known)}")
    return str(found).lower()


def _nanoseconds(config: Mapping[str, Any], name: str) -> int:
    found = config.get(name)
    try:
        return int(parse_go_duration(str(found)) * 1e9) if found else 0
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _texts(config: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = config.get(name) or []
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ValueError(f"{name} is no list of texts")
    return tuple(found)
