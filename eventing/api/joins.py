"""The join of a Parallel: what its annotations ask for, and what its parts are told. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from hearth.knative.fielderrors import Errors, invalid, via
from hearth.knative.resources import INMEMORYCHANNELS
from hearth.kube.durations import parse_iso8601_duration

_PREFIX = "eventing.hearth.dev/"
JOIN = _PREFIX + "join"
"""Of a Parallel: the replies of all branches to one event are sent on as one."""
JOIN_TIMEOUT = _PREFIX + "join-timeout"
"""Of a Parallel: how long after its arrival an event waits for its branches."""
JOIN_MARKS = _PREFIX + "join-marks"
"""Of the channel before all branches: each event is marked, to be known again."""
JOIN_OF = _PREFIX + "join-of"
"""Of the channel where replies are gathered: ``JoinOptions`` as JSON."""
JOIN_BRANCH = _PREFIX + "join-branch"
"""Of a Subscription of a branch: ``JoinBranch`` as JSON."""

DATA, EVENTS = "data", "events"
_LONGEST_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class JoinOptions:
    """What a join is to do."""

    shape: str
    """``data``: of each branch the data of its reply; ``events``: whole replies, and outcomes."""
    timeout_seconds: float = 60.0
    branches: int = 0
    source: str = ""
    """What the joined events say of where they come from."""

    @classmethod
    def from_annotations(cls, annotations: Mapping[str, str]) -> JoinOptions | None:
        """Read a Parallel's annotations; None where no join is asked for. Raises ValueError."""
        shape = annotations.get(JOIN)
        if shape is None:
            return None
        if shape not in (DATA, EVENTS):
            raise ValueError(f"annotation {JOIN}: {shape!r} is one of {DATA}, {EVENTS}")
        return cls(shape, _timeout(annotations.get(JOIN_TIMEOUT, "PT1M")))

    def to_json(self) -> str:
        """Return them as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> JoinOptions:
        """Read them; raises ValueError."""
        return _made(cls, text)


def _timeout(text: str) -> float:
    try:
        seconds = parse_iso8601_duration(text)
    except ValueError as error:
        raise ValueError(f"annotation {JOIN_TIMEOUT}: {error}") from error
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise ValueError(f"annotation {JOIN_TIMEOUT}: {text!r} is no time up to 24 hours")
    return seconds


@dataclass(frozen=True, slots=True)
class JoinBranch:
    """Which part of a branch a Subscription is."""

    channel: str
    """The channel where replies are gathered."""
    number: int
    """The branch, counted from 0."""
    is_last: bool
    """It sends to the branch's subscriber, whose replies are gathered; else into the branch."""
    is_filter: bool
    """It sends to the branch's filter: without a reply the event does not pass."""

    def to_json(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> JoinBranch:
        """Read it; raises ValueError."""
        return _made(cls, text)


_T = TypeVar("_T", JoinOptions, JoinBranch)


def _made(cls: type[_T], text: str) -> _T:
    try:
        return cls(**json.loads(text))
    except TypeError as error:
        raise ValueError(f"{text!r} is not what a join is told: {error}") from error


def is_inmemory(template: Mapping[str, Any]) -> bool:
    """Whether a template is of channels that can gather replies."""
    wanted = INMEMORYCHANNELS.api_version, INMEMORYCHANNELS.kind
    return (template.get("apiVersion"), template.get("kind")) == wanted


def check_join(annotations: Mapping[str, str]) -> Errors:
    """Complain about annotations that cannot be read."""
    try:
        JoinOptions.from_annotations(annotations)
    except ValueError as error:
        name = JOIN_TIMEOUT if JOIN_TIMEOUT in str(error) else JOIN
        return via([invalid(annotations[name], name, str(error))], "metadata", "annotations")
    return []
