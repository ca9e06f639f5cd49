"""The replays of one log: one at a time for each subscription, the last ones remembered."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection

from eventing.engines.seam import Begin, EventLog, Refused
from eventing.runtime.observer import DeliveryObserver
from eventing.runtime.replay import Replay
from eventing.runtime.replies import LogReplies
from eventing.runtime.services import Services
from eventing.runtime.spec import SubscriptionSpec

_KNOWN = 20
"""Replays that are remembered after their end."""


class Replays:
    """``begin`` starts one."""

    def __init__(self, events: EventLog, services: Services, replies: LogReplies) -> None:
        self._log = events
        self._services = services
        self._replies = replies
        self._replays: dict[str, Replay] = {}

    def begin(
        self,
        spec: SubscriptionSpec,
        begin: Begin,
        *,
        most: int,
        observing: Callable[[str], DeliveryObserver] | None,
    ) -> Replay:
        """Deliver events of the log once more to one subscription, so many at most.

        ``observing`` makes of the replay's id who is told of it. Raises Refused while another
        replay of the subscription is under way.
        """
        for other in self._replays.values():
            if other.running and other.spec.uid == spec.uid:
                raise Refused(f"replay {other.id} of {other.spec.label} is under way", status=409)
        replay_id = secrets.token_hex(4)
        replay = Replay(
            replay_id,
            spec,
            services=self._services,
            replies=self._replies,
            observer=observing(replay_id) if observing is not None else None,
        )
        self._replays[replay.id] = replay
        self._forget_oldest()
        replay.start(self._log, begin, most)
        return replay

    def _forget_oldest(self) -> None:
        while len(self._replays) > _KNOWN:
            ended = [each.id for each in self._replays.values() if not each.running]
            if not ended:
                break
            del self._replays[ended[0]]

    def known(self) -> Collection[Replay]:
        """Return those under way, and the last ones that have ended."""
        return self._replays.values()

    def consumers(self) -> set[str]:
        """Return the ids of the consumers of those under way."""
        return {each.consumer_id for each in self._replays.values() if each.running}

    def stop(self, uid: str | None = None) -> None:
        """Stop those of a subscription, or all."""
        for replay in self._replays.values():
            if uid is None or replay.spec.uid == uid:
                replay.stop()
