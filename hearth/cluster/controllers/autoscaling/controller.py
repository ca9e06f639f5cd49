"""Looks at autoscalers, each once in a while and whenever it changes; carries out decisions.

Nothing is asked of anybody while there are no autoscalers, nor for one whose target is at zero.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hearth.cluster.controllers import sources
from hearth.cluster.controllers.autoscaling.asking import (
    Asking,
    Kinds,
    fetch_scale,
    scale_of,
    write_scale,
)
from hearth.cluster.controllers.autoscaling.behavior import Memory
from hearth.cluster.controllers.autoscaling.decide import asks, decide, without_scale
from hearth.cluster.controllers.autoscaling.decisions import (
    Decision,
    Observed,
    Scale,
    Told,
    failed,
    succeeded,
)
from hearth.cluster.controllers.autoscaling.selections import Selections, required_label
from hearth.kube import meta
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.controllerspec import Index, Source
from hearth.kube.errors import ApiError, NotFound, Retryable
from hearth.kube.manager import Manager
from hearth.kube.meta import Key, Object
from hearth.kube.plan import Action, Event, Patch, Plan
from hearth.kube.resources import DEPLOYMENTS, HPAS, Resource
from hearth.kube.selectors import LabelSelector, parse_label_selector

NAME = "horizontal-pod-autoscaler"
SYNC_SECONDS = 2.0
"""How often an autoscaler is looked at, while they are few; see ``pause``."""
LONGEST_SYNC_SECONDS = 15.0
"""Kubernetes' period, for whole clusters of them."""
_LOOKS_PER_SECOND = 10.0
"""A look costs some 2.6 ms in all processes together."""
STATUS_SECONDS = 15.0
"""How long a status may wait in which only what was measured has changed."""
_SOURCE = Source(HPAS)


def pause(sync_seconds: float, awake: int) -> float:
    """Seconds until the next look at an autoscaler, by how many have pods: longer for many."""
    by_number = min(LONGEST_SYNC_SECONDS, awake / _LOOKS_PER_SECOND)
    return max(sync_seconds, by_number)


def _targets(hpa: Object) -> Iterator[str]:
    reference = hpa["spec"]["scaleTargetRef"]
    if _is_deployment(reference):
        yield f"{meta.namespace(hpa)}/{reference['name']}"


def _is_deployment(reference: Mapping[str, Any]) -> bool:
    group = reference.get("apiVersion", "").rpartition("/")[0]
    return (group, reference["kind"]) == (DEPLOYMENTS.group, DEPLOYMENTS.kind)


_BY_DEPLOYMENT = Index(_SOURCE, _targets)


@dataclass(slots=True)
class _Known:
    """What is kept of an autoscaler from look to look."""

    memory: Memory = field(default_factory=Memory)
    told: frozenset[Told] = frozenset()
    written_at: float = float("-inf")


class Autoscaler:
    """The controller: call it with the key of an autoscaler."""

    def __init__(
        self, manager: Manager, *, sync_seconds: float = SYNC_SECONDS, clock: Clock = wall_clock
    ) -> None:
        self._manager = manager
        self._sync_seconds = sync_seconds
        self._clock = clock
        self._kinds = Kinds(manager.client)
        self._asking = Asking(manager.client, self._kinds)
        self._selections = Selections()
        self._known: dict[Key, _Known] = {}
        self._awake: set[Key] = set()
        """Those that are looked at though nothing has changed."""
        manager.add_controller(NAME, self, indexes=(_BY_DEPLOYMENT, sources.PODS_BY_CLAUSE))
        manager.on_change(_SOURCE, self._changed)
        manager.on_change(sources.DEPLOYMENTS, self._deployment_changed)
        manager.cache(sources.PODS)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        """Looks at what was changed by others than this controller, which writes statuses."""
        obj = new or old
        if obj is not None and (old is None or new is None or _asked(old) != _asked(new)):
            self._manager.enqueue(NAME, meta.key(obj))

    def _deployment_changed(self, old: Object | None, new: Object | None) -> None:
        """Looks at autoscalers whose target has begun or ceased to be at zero."""
        obj = new or old
        if obj is None or (old is not None and new is not None and _is_off(old) == _is_off(new)):
            return
        target = meta.key_text(meta.key(obj))
        for hpa in self._manager.by_index(_BY_DEPLOYMENT, target):
            self._manager.enqueue(NAME, meta.key(hpa))

    async def __call__(self, key: Key) -> float | None:
        """Has the target of an autoscaler as large as it should be."""
        hpa = self._manager.get(_SOURCE, *key)
        if hpa is None or meta.is_deleting(hpa):
            self._known.pop(key, None)
            self._awake.discard(key)
            self._selections.drop(key)
            return None
        known = self._known.setdefault(key, _Known())
        try:
            resource, scale = await self._scale(hpa)
        except (ApiError, LookupError) as error:
            decision = without_scale(hpa, str(error), known.memory, now=self._clock())
        else:
            decision = await self._decide(hpa, scale, known.memory)
            if decision.replicas is not None:
                decision = await self._rescale(hpa, resource, decision)
            if scale.wanted == 0 and resource == DEPLOYMENTS and decision.replicas is None:
                self._awake.discard(key)
                await self._tell(hpa, decision, known)
                return None  # its first replica is news
        self._awake.add(key)
        await self._tell(hpa, decision, known)
        return pause(self._sync_seconds, len(self._awake))

    async def _scale(self, hpa: Object) -> tuple[Resource, Scale]:
        reference, place = hpa["spec"]["scaleTargetRef"], meta.namespace(hpa)
        name = reference["name"]
        if _is_deployment(reference):
            found = self._manager.get(sources.DEPLOYMENTS, place, name)
            if found is not None:
                return DEPLOYMENTS, scale_of(found)
        kind = reference.get("apiVersion", "v1"), reference["kind"]
        resource = await self._kinds.resource(*kind)
        return resource, await fetch_scale(self._manager.client, resource, name, place)

    async def _decide(self, hpa: Object, scale: Scale, memory: Memory) -> Decision:
        observed = Observed(hpa, scale)
        if scale.selector and asks(hpa, scale):
            try:
                selector = parse_label_selector(scale.selector)
            except ValueError as error:
                observed = Observed(hpa, scale, bad_selector=str(error))
            else:
                observed = await self._observed(hpa, scale, selector)
        return decide(observed, memory, now=self._clock())

    async def _observed(self, hpa: Object, scale: Scale, selector: LabelSelector) -> Observed:
        place = meta.namespace(hpa)
        self._selections.put(meta.key(hpa), selector)

        rivals = self._selections.of(place, self._pods(place, selector))
        if len(rivals) > 1:
            shown = tuple(f"{{{name} {namespace}}}" for namespace, name in rivals)
            return Observed(hpa, scale, rivals=shown)
        answers = await self._asking.answers(hpa, scale.selector)
        return Observed(hpa, scale, self._pods(place, selector), answers=answers)

    def _pods(self, place: str, selector: LabelSelector) -> list[Object]:
        label, value = required_label(selector)
        found = (
            self._manager.by_index(sources.PODS_BY_CLAUSE, sources.clause(place, label, value))
            if label
            else self._manager.list(sources.PODS, place)
        )
        return [pod for pod in found if selector.matches(meta.labels(pod))]

    async def _rescale(self, hpa: Object, resource: Resource, decision: Decision) -> Decision:
        assert decision.replicas is not None
        name, place = hpa["spec"]["scaleTargetRef"]["name"], meta.namespace(hpa)
        sizes = {"before": decision.current, "after": decision.replicas}
        try:
            await write_scale(self._manager.client, resource, name, place, **sizes)
        except ApiError as error:
            return failed(decision, error.message, now=self._clock())
        return succeeded(decision, now=self._clock())

    async def _tell(self, hpa: Object, decision: Decision, known: _Known) -> None:
        """Writes status and Events; what was told the last time is not told again."""
        known.memory = decision.memory
        events = [Event(hpa, *each) for each in decision.events if each not in known.told]
        known.told = frozenset(decision.events)
        now = asyncio.get_running_loop().time()
        status, before = dict(decision.status), hpa.get("status") or {}
        is_due = now - known.written_at >= STATUS_SECONDS or _news(before) != _news(status)
        writes: list[Action] = []
        if is_due and status != before:
            known.written_at = now
            writes.append(Patch(HPAS, *_named(hpa), {"status": status}, subresource="status"))
        if writes or events:
            try:
                await self._manager.apply(Plan((*writes, *events)), NAME)
            except NotFound as error:
                raise Retryable(error.message) from error  # it went while we looked


def _named(obj: Object) -> tuple[str, str]:
    return meta.name(obj), meta.namespace(obj)


def _asked(hpa: Object) -> tuple[Any, ...]:
    return hpa["spec"], meta.annotations(hpa), meta.is_deleting(hpa), meta.uid(hpa)


def _is_off(deployment: Object) -> bool:
    return bool(deployment["spec"].get("replicas") == 0)


def _news(status: Mapping[str, Any]) -> dict[str, Any]:
    """A status without what was measured."""
    return {key: value for key, value in status.items() if key != "currentMetrics"}
