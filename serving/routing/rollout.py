"""Gradual rollout: moving a configuration's traffic to its newest revision in steps.

The state lives in an annotation of the KIngress, in Knative's JSON, so that a controller that
starts anew goes on where the last one stopped. Pure: ``step`` takes the previous state and the
time and says when to look again. Percentages of a configuration always add up to its share.

A rollout begins with 1 % for the new revision. When the ingress has taken that over, the time it
took becomes the length of a step (at least a second), and the rest is spread evenly over the
rollout duration.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import orjson

from serving.routing.targets import Traffic

SECOND = 1_000_000_000
"""Times here are Unix nanoseconds, as in the annotation."""


@dataclass(frozen=True, slots=True)
class Share:
    """One revision's part of a rollout's traffic."""

    revision: str
    percent: int


@dataclass(frozen=True, slots=True)
class Steps:
    """When the rollout began, and how it goes on; zeros while the ingress is not ready."""

    started: int = 0
    following: int = 0
    duration: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class ConfigurationRollout:
    """``shares`` from the oldest revision to the newest; one alone when nothing is going on."""

    configuration: str
    percent: int
    shares: tuple[Share, ...]
    tag: str = ""
    steps: Steps = Steps()

    @property
    def is_done(self) -> bool:
        """Whether one revision has everything."""
        return len(self.shares) < 2

    @property
    def key(self) -> tuple[str, str]:
        """Which traffic it is of: tag and configuration."""
        return self.tag, self.configuration


@dataclass(frozen=True, slots=True)
class Rollout:
    """Sorted by tag, then configuration."""

    configurations: tuple[ConfigurationRollout, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether every part is done."""
        return all(configuration.is_done for configuration in self.configurations)

    def find(self, tag: str, configuration: str) -> ConfigurationRollout | None:
        """Return the part of a tag's configuration."""
        for part in self.configurations:
            if part.key == (tag, configuration):
                return part
        return None


def target_rollout(traffic: Traffic) -> Rollout:
    """Return where traffic should end up: with each configuration's latest revision."""
    return _sorted(
        ConfigurationRollout(
            configuration=target.configuration,
            percent=target.percent,
            shares=(Share(target.revision, target.percent),),
            tag=tag,
        )
        for tag, targets in traffic.by_tag.items()
        for target in targets
        if target.latest and target.percent
    )


def _sorted(configurations: Iterable[ConfigurationRollout]) -> Rollout:
    return Rollout(tuple(sorted(configurations, key=lambda c: c.key)))


def step(
    goal: Rollout, previous: Rollout | None, *, now: int, most: int = 100
) -> tuple[Rollout, int | None]:
    """Return the state for now, and the time of the next step while a rollout goes on.

    ``most`` is the share that a new revision can take now; what a step would give beyond waits.
    """
    if previous is None or not previous.configurations:
        return goal, None
    moved = [
        _step_configuration(goal_part, previous.find(*goal_part.key), now=now, most=most)
        for goal_part in goal.configurations
    ]
    following = [c.steps.following for c in moved if c.steps.following > 0]
    return _sorted(moved), min(following, default=None)


def _step_configuration(
    goal: ConfigurationRollout, previous: ConfigurationRollout | None, *, now: int, most: int
) -> ConfigurationRollout:
    if previous is None or goal.percent <= 1 or not previous.shares:
        return goal
    shares = _adjusted(previous.shares, goal.percent - previous.percent)
    newest = goal.shares[0].revision
    if newest != previous.shares[-1].revision:
        return _begun(goal, shares, now=now)
    if len(shares) < 2:
        return goal
    # A share that shrank must not be smaller than a step, or the state would be unsound.
    steps = replace(previous.steps, size=min(previous.steps.size, goal.percent))
    running = replace(goal, shares=shares, steps=steps)
    return _stepped(running, now=now, most=most) if running.steps.size > 0 else running


def _adjusted(shares: tuple[Share, ...], difference: int) -> tuple[Share, ...]:
    """After a change of the share as a whole: the newest gains, the oldest lose."""
    if difference >= 0:
        last = shares[-1]
        return (*shares[:-1], replace(last, percent=last.percent + difference))
    return _taken_from(shares, -difference)


def _taken_from(shares: tuple[Share, ...], amount: int) -> tuple[Share, ...]:
    """Takes percents away from the front; emptied revisions are left out."""
    for position, share in enumerate(shares):
        if share.percent > amount:
            return (replace(share, percent=share.percent - amount), *shares[position + 1 :])
        amount -= share.percent
    return ()


def _begun(
    goal: ConfigurationRollout, shares: tuple[Share, ...], *, now: int
) -> ConfigurationRollout:
    """Give the new revision 1 %, taken from the newest of the others."""
    kept = list(shares)
    for position in reversed(range(len(kept))):
        if kept[position].percent > 0:
            kept[position] = replace(kept[position], percent=kept[position].percent - 1)
            break
    kept = [share for share in kept if share.percent > 0]
    newest = Share(goal.shares[0].revision, goal.percent - sum(s.percent for s in kept))
    return replace(goal, shares=(*kept, newest), steps=Steps(started=now))


def _stepped(rollout: ConfigurationRollout, *, now: int, most: int) -> ConfigurationRollout:
    newest, older = rollout.shares[-1], rollout.shares[:-1]
    size = min(rollout.steps.size, most - newest.percent)
    if now < rollout.steps.following or size <= 0:
        return rollout
    # Newest of the old ones first: the oldest has proven itself for longest.
    left = tuple(reversed(_taken_from(tuple(reversed(older)), size)))
    gained = rollout.percent - sum(share.percent for share in left)
    shares = (*left, replace(newest, percent=gained))
    if not left:
        return replace(rollout, shares=shares, steps=Steps())
    steps = replace(rollout.steps, following=now + rollout.steps.duration)
    return replace(rollout, shares=shares, steps=steps)


def observe_ready(rollout: Rollout, *, now: int, duration_seconds: float) -> Rollout:
    """Go on once the ingress serves the first percent: length and size of steps are known now."""
    return Rollout(
        tuple(
            _timed(configuration, now=now, duration_seconds=duration_seconds)
            if configuration.steps.started > 0 and configuration.steps.duration == 0
            else configuration
            for configuration in rollout.configurations
        )
    )


def _timed(
    rollout: ConfigurationRollout, *, now: int, duration_seconds: float
) -> ConfigurationRollout:
    elapsed = now - rollout.steps.started
    shortest = max(1, -(-elapsed // SECOND))
    # The first percent has used up one step already.
    left_seconds = max(1.0, duration_seconds - shortest)
    left_percent = rollout.percent - 1
    count = min(max(1.0, left_seconds / shortest), float(left_percent))
    duration = int(left_seconds / count * SECOND)
    size = int(left_percent / count + 0.5)
    steps = Steps(rollout.steps.started, now + duration, duration, size)
    return replace(rollout, steps=steps)


def serialize(rollout: Rollout) -> str:
    """Return the text that the KIngress's annotation holds (Knative's format)."""
    entries = [_entry(configuration) for configuration in rollout.configurations]
    return orjson.dumps({"configurations": entries} if entries else {}).decode()


def _entry(rollout: ConfigurationRollout) -> dict[str, Any]:
    entry: dict[str, Any] = {"configurationName": rollout.configuration}
    if rollout.tag:
        entry["tag"] = rollout.tag
    entry["percent"] = rollout.percent
    entry["revisions"] = [
        {"revisionName": s.revision, "percent": s.percent} for s in rollout.shares
    ]
    steps = rollout.steps
    numbers = {
        "starttime": steps.started,
        "nextStepTime": steps.following,
        "stepDuration": steps.duration,
        "stepSize": steps.size,
    }
    entry["stepParams"] = {key: number for key, number in numbers.items() if number}
    return entry


def parse(text: str) -> Rollout | None:
    """Return the state of an annotation; None where there is none, or somebody edited it badly."""
    try:
        entries = orjson.loads(text or "{}").get("configurations") or ()
        rollout = _sorted(_parsed(entry) for entry in entries)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return None
    return rollout if all(map(_is_sound, rollout.configurations)) else None


def _parsed(entry: dict[str, Any]) -> ConfigurationRollout:
    steps = entry.get("stepParams") or {}
    return ConfigurationRollout(
        configuration=str(entry["configurationName"]),
        percent=int(entry["percent"]),
        shares=tuple(
            Share(str(r["revisionName"]), int(r["percent"])) for r in entry.get("revisions") or ()
        ),
        tag=str(entry.get("tag", "")),
        steps=Steps(
            int(steps.get("starttime", 0)),
            int(steps.get("nextStepTime", 0)),
            int(steps.get("stepDuration", 0)),
            int(steps.get("stepSize", 0)),
        ),
    )


def _is_sound(rollout: ConfigurationRollout) -> bool:
    return (
        rollout.percent <= 100
        and 0 <= rollout.steps.size <= rollout.percent
        and all(share.percent >= 0 for share in rollout.shares)
        and sum(share.percent for share in rollout.shares) == rollout.percent
    )
