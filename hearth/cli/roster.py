"""What the supervisor decides: which component starts when, and which waits. Pure.

The supervisor tells what happened and at what time; the roster says what is due. Times are seconds
of a monotonic clock.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
STEADY_SECONDS = 10.0  # a child that lived so long starts again after the first pause


class StartFailed(Exception):
    """A component ended before it was ever ready: its name and, where it had any, last words."""

    def __str__(self) -> str:
        name, words = self.args
        return f"component {name} failed to start" + (f" ({words})" if words else "")


@dataclass(frozen=True, slots=True)
class ComponentState:
    """What is told of a component: whether it runs and serves, and how it ended by itself."""

    pid: int
    """0 while it has no process."""
    is_ready: bool
    restarts: int = 0
    exit_code: int = 0
    """Of its last end; a signal's is negative."""
    ended_at: float = 0.0
    last_words: str = ""
    is_wanted: bool = True
    """Whether anything needs it; what nothing does is not started."""


@dataclass(slots=True)
class _Entry:
    after: tuple[str, ...]
    is_wanted: bool = True
    pid: int = 0
    is_ready: bool = False
    was_ready: bool = False
    started_at: float = 0.0
    pause: float = FIRST_PAUSE
    start_at: float = 0.0
    restarts: int = 0
    exit_code: int = 0
    ended_at: float = 0.0
    last_words: str = ""


class Roster:
    """The components of one Hearth in their order of start, and what is known of each."""

    def __init__(
        self, components: Mapping[str, Iterable[str]], *, on_demand: Container[str] = ()
    ) -> None:
        """Takes names with those that must have been ready once before each may start.

        Those ``on_demand`` wait besides until somebody wants them.
        """
        self._entries = {
            name: _Entry(tuple(after), is_wanted=name not in on_demand)
            for name, after in components.items()
        }
        self._was_complete = False

    def wanted(self, name: str) -> bool:
        """Something needs a component from now on; whether that is news.

        Other programs say so: a name that is none of ours is nobody.
        """
        entry = self._entries.get(name)
        if entry is None or entry.is_wanted:
            return False
        entry.is_wanted = True
        return True

    def resting(self, name: str) -> None:
        """A component ends because nobody needs it; it waits until somebody wants it again."""
        self._entries[name].is_wanted = False

    def is_asleep(self, name: str) -> bool:
        """Whether a component has no process, and nobody who wants one."""
        entry = self._entries[name]
        return not entry.is_wanted and not entry.pid

    def due(self, now: float) -> list[str]:
        """Names the components to start at this moment."""
        return [
            name
            for name, entry in self._entries.items()
            if self._may_start(entry) and entry.start_at <= now
        ]

    def seconds_until_due(self, now: float) -> float | None:
        """How long nothing is due; None as long as nothing ends."""
        pending = [entry.start_at for entry in self._entries.values() if self._may_start(entry)]
        return max(0.0, min(pending) - now) if pending else None

    def _may_start(self, entry: _Entry) -> bool:
        ready = entry.is_wanted and not entry.pid
        return ready and all(self._entries[name].was_ready for name in entry.after)

    def started(self, name: str, pid: int, now: float) -> None:
        """A component was started as a process."""
        entry = self._entries[name]
        entry.pid, entry.started_at, entry.is_ready = pid, now, False

    def became_ready(self, name: str) -> bool:
        """A component said that it serves; True when thereby all do for the first time."""
        entry = self._entries[name]
        entry.is_ready = entry.was_ready = True
        wanted = (each for each in self._entries.values() if each.is_wanted)
        if self._was_complete or not all(each.is_ready for each in wanted):
            return False
        self._was_complete = True
        return True

    def leaving(self, name: str) -> None:
        """A component takes nothing new any more, though its process is still there."""
        self._entries[name].is_ready = False

    def replaced(self, name: str, now: float) -> None:
        """Its process finishes what it has; another one may start beside it, at once."""
        entry = self._entries[name]
        entry.pid, entry.is_ready = 0, False
        entry.restarts, entry.ended_at = entry.restarts + 1, now
        entry.exit_code, entry.last_words = 0, ""
        entry.start_at = now

    def ended(self, name: str, now: float, *, exit_code: int = 0, last_words: str = "") -> None:
        """A component's process ended by itself: it starts again after a pause.

        The pause doubles while the component keeps dying. StartFailed when it was never ready and
        the others wait for it; what is started later, on demand, ends nobody else. One that rests
        has ended in order.
        """
        entry = self._entries[name]
        entry.pid, entry.is_ready = 0, False
        if not entry.is_wanted:
            return
        if not entry.was_ready and not self._was_complete:
            raise StartFailed(name, last_words)
        if now - entry.started_at >= STEADY_SECONDS:
            entry.pause = FIRST_PAUSE
        entry.restarts, entry.ended_at = entry.restarts + 1, now
        entry.exit_code, entry.last_words = exit_code, last_words
        entry.start_at = now + entry.pause
        entry.pause = min(entry.pause * 2, LONGEST_PAUSE)

    def stopped(self, name: str) -> None:
        """A component's process ended because it was told to."""
        self._entries[name].pid = 0

    @property
    def states(self) -> dict[str, ComponentState]:
        """What is told of each component, in order of start."""
        return {
            name: ComponentState(
                pid=entry.pid,
                is_ready=entry.is_ready,
                restarts=entry.restarts,
                exit_code=entry.exit_code,
                ended_at=entry.ended_at,
                last_words=entry.last_words,
                is_wanted=entry.is_wanted,
            )
            for name, entry in self._entries.items()
        }

    @property
    def pids(self) -> dict[str, int]:
        """The processes that run, by component, in order of start."""
        return {name: entry.pid for name, entry in self._entries.items() if entry.pid}
