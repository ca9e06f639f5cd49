"""How far Triggers are behind, as their statuses tell it: roughly, so that it is seldom written."""

from __future__ import annotations

import asyncio

from eventing.api import keys
from eventing.api.views import TRIGGER_SOURCE, status_annotation
from eventing.runtime.followers import patch_status
from eventing.runtime.openlogs import OpenLogs
from eventing.runtime.places import BROKER
from eventing.runtime.spec import SubscriptionSpec
from hearth.knative.resources import TRIGGERS
from hearth.kube.guards import caught
from hearth.kube.manager import Manager
from hearth.kube.meta import uid

SECONDS = 10.0
"""How often is looked."""
LEAST = 100
"""Fewer are nothing to be told of: so many may be on their way at any moment."""


def rough(lag: int) -> int:
    """Return a lag rounded down to 1, 2 or 5 and noughts; 0 for a little one."""
    if lag < LEAST:
        return 0
    unit: int = 10 ** (len(str(lag)) - 1)
    return next(each for each in (5, 2, 1) if lag >= each * unit) * unit


class LagMarks:
    """Of one process, however many dispatchers there are."""

    def __init__(self, manager: Manager, logs: OpenLogs) -> None:
        self._manager = manager
        self._logs = logs

    async def run(self) -> None:
        """Tell now and then, until cancelled."""
        while True:
            await asyncio.sleep(SECONDS)
            for _, addressable in self._logs.of(BROKER):
                for subscription in list(addressable.subscriptions):
                    spec = subscription.spec
                    try:
                        await self._tell(spec, addressable.log.lag(spec.uid))
                    except Exception:
                        caught("trigger-lag", (spec.namespace, spec.name))

    async def _tell(self, spec: SubscriptionSpec, lag: int | None) -> None:
        trigger = self._manager.get(TRIGGER_SOURCE, spec.namespace, spec.name)
        if trigger is None or uid(trigger) != spec.uid or lag is None:
            return
        text = f"{rough(lag)}+" if rough(lag) else None
        if status_annotation(trigger, keys.LAG_ANNOTATION) != text:
            marks = {"annotations": {keys.LAG_ANNOTATION: text}}
            await patch_status(self._manager, TRIGGERS, trigger, marks)
