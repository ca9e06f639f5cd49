"""What is known of each container of a pod: the memory between two looks of the state machine.

Records are frozen; the shell replaces them through the transitions below and writes them to disk,
so that the next node process knows what the last one knew. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

FIRST_BACKOFF = 10.0
LONGEST_BACKOFF = 300.0
START_ERROR_CODE = 128  # what container runtimes report when the program cannot be started
UNKNOWN_EXIT_CODE = 137  # kubelet's code for a container that ended unseen


@dataclass(frozen=True, slots=True)
class Running:
    """An instance that runs; ``handle`` is what its runtime finds it by (``runtime.api``)."""

    started_at: float
    handle: str = ""


@dataclass(frozen=True, slots=True)
class Terminated:
    """How an instance ended, as the status tells it; times in seconds since the epoch."""

    exit_code: int
    reason: str
    finished_at: float
    started_at: float = 0.0
    signal: int = 0
    message: str = ""
    container_id: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container could not be created; ``attempts`` counts those that failed alike."""

    reason: str
    message: str
    since: float
    retry_at: float
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Backoff:
    """The delay before the next restart in seconds, and when it was set."""

    delay: float
    set_at: float

    def is_over(self, finished_at: float) -> bool:
        """The container ran long enough since for its earlier crashes to be forgotten."""
        return finished_at - self.set_at > 2 * LONGEST_BACKOFF


@dataclass(frozen=True, slots=True)
class Record:
    """One container: at most one of ``running`` and ``ended`` is set."""

    running: Running | None = None
    ended: Terminated | None = None
    last: Terminated | None = None
    restarts: int = 0
    is_starting: bool = False
    is_stopping: bool = False
    waiting: Waiting | None = None
    is_started: bool = False
    is_ready: bool = False
    kill_reason: str = ""
    """Why the running instance must end: what a probe or a hook found."""
    kill_grace: int | None = None
    """Seconds it is given for that, where the probe says so."""
    backoff: Backoff | None = None
    image_id: str = ""
    container_id: str = ""
    listening: str = ""
    """What is wrong with where the running instance listens, while it is not ready."""


NEW = Record()


def restart_at(record: Record) -> float:
    """When an ended container may start again; 0 for at once."""
    if record.ended is None or record.backoff is None:
        return 0.0
    if record.backoff.is_over(record.ended.finished_at):
        return 0.0
    return record.ended.finished_at + record.backoff.delay


def next_backoff(record: Record, now: float) -> Backoff | None:
    """The back-off to remember when the container is started now."""
    if record.ended is None:
        return record.backoff
    if record.backoff is None or record.backoff.is_over(record.ended.finished_at):
        return Backoff(FIRST_BACKOFF, now)
    return Backoff(min(record.backoff.delay * 2, LONGEST_BACKOFF), now)


def starting(record: Record) -> Record:
    """A start is under way."""
    return replace(record, is_starting=True)


def began(record: Record, running: Running, *, container_id: str, image_id: str) -> Record:
    """The process runs; after an earlier instance this counts as a restart."""
    again = record.ended is not None
    return Record(
        running=running,
        last=record.ended or record.last,
        restarts=record.restarts + 1 if again else record.restarts,
        backoff=next_backoff(record, running.started_at),
        image_id=image_id,
        container_id=container_id,
    )


def start_failed(record: Record, message: str, *, now: float, container_id: str) -> Record:
    """The program could not be started: an instance that ended at once."""
    instance = began(record, Running(now), container_id=container_id, image_id=record.image_id)
    return exited(
        instance,
        Terminated(START_ERROR_CODE, "StartError", now, message=message, container_id=container_id),
    )


def exited(record: Record, how: Terminated) -> Record:
    """The instance ended; the record keeps what the next start goes by."""
    return replace(
        record,
        running=None,
        ended=how,
        is_starting=False,
        is_stopping=False,
        is_started=False,
        is_ready=False,
        kill_reason="",
        kill_grace=None,
    )


def creation_failed(record: Record, reason: str, message: str, *, now: float) -> Record:
    """The container could not be created. Image errors wait longer each time, others do not."""
    before = record.waiting
    attempts = before.attempts + 1 if before is not None and before.reason == reason else 1
    is_image = reason in ("ErrImagePull", "ErrImageNeverPull", "InvalidImageName")
    delay = min(FIRST_BACKOFF * 2.0 ** min(attempts - 1, 10), LONGEST_BACKOFF) if is_image else 2.0
    waiting = Waiting(reason, message, now, now + delay, attempts)
    return replace(record, is_starting=False, waiting=waiting)


def retry_now(record: Record) -> Record:
    """Something the container waited for has changed."""
    if record.waiting is None:
        return record
    return replace(record, waiting=replace(record.waiting, retry_at=0.0))


def lost(record: Record, *, now: float, message: str = "") -> Record:
    """The process ended while nobody watched (kubelet's words, where it left none of its own)."""
    if record.running is None:
        return replace(record, is_starting=False, is_stopping=False)
    return exited(
        record,
        Terminated(
            UNKNOWN_EXIT_CODE,
            "ContainerStatusUnknown",
            now,
            started_at=record.running.started_at,
            message=message or "The container could not be located when the node was started",
            container_id=record.container_id,
        ),
    )


def to_json(record: Record) -> dict[str, Any]:
    """The record as it is written to disk."""
    return asdict(record)


def from_json(data: Mapping[str, Any]) -> Record:
    """The record a former process wrote; unknown fields raise TypeError."""
    parts: dict[str, type] = {
        "running": Running,
        "ended": Terminated,
        "last": Terminated,
        "waiting": Waiting,
        "backoff": Backoff,
    }
    values = dict(data)
    for field, kind in parts.items():
        if values.get(field) is not None:
            values[field] = kind(**values[field])
    return Record(**values)
