"""Targets that Knative's autoscaler scales: a ScaledObject only tells it what it wishes for.

Neither an HPA is made for them nor a scale written: triggers and requests are one decision there,
zero included. What was wished for last stands where other targets have their replicas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hearth.keda.api.scaledobject import ScaleTarget
from hearth.keda.operator.targets import NOT_FOUND, Kinds, Scale, Target, TargetError
from hearth.keda.scaling.decide import Decision, Situation
from hearth.keda.scaling.observing import Metric
from hearth.kube.client import KubeClient
from hearth.kube.errors import NotFound
from serving.api.wishes import Wish, WishFormula, WishTrigger

Tell = Callable[[Wish], None]


@dataclass(slots=True)
class KnativeTarget(Target):
    """A Service or a Revision."""

    source: str = ""
    """Who wishes: namespace and name of the ScaledObject."""
    tell: Tell | None = None
    wished: int = 0

    async def scale(self) -> Scale:
        """Return what was wished for last."""
        return Scale(self.wished)

    async def checked_scale(self) -> Scale:
        """Return the same; raise TargetError where there is no such object."""
        try:
            await self.client.get(self.resource, self.name, self.namespace)
        except NotFound as error:
            raise TargetError(NOT_FOUND, error.message) from error
        return Scale(self.wished)

    async def set(self, replicas: int) -> None:
        """Wish for replicas, whatever triggers say."""
        self.wished = replicas
        self._tell(replicas, (), "")

    def wish(
        self,
        replicas: int,
        at: Situation,
        decision: Decision,
        formula: WishFormula | None = None,
    ) -> None:
        """Wish for what a decision comes to, or for what a formula does."""
        self.wished = replicas
        seen = at.observation
        metrics = (*seen.metrics, *([seen.composite] if seen.composite else ()))
        triggers = tuple(_trigger(each, at.replicas) for each in metrics)
        self._tell(replicas, triggers, decision.rule if formula is None else "", formula)

    def end(self) -> None:
        """Wish for nothing any more."""
        self._tell(None, (), "")

    def _tell(
        self,
        replicas: int | None,
        triggers: tuple[WishTrigger, ...],
        text: str,
        formula: WishFormula | None = None,
    ) -> None:
        if self.tell is not None:
            where = (self.resource.kind, self.namespace, self.name, self.source)
            self.tell(Wish(*where, replicas, triggers, text, formula))


def _trigger(metric: Metric, replicas: int) -> WishTrigger:
    return WishTrigger(
        metric.spec.name, metric.value, metric.spec.target, metric.wish(replicas), metric.error
    )


async def find_knative(
    client: KubeClient, kinds: Kinds, reference: ScaleTarget, source: tuple[str, str], tell: Tell
) -> KnativeTarget:
    """Return the target of a ScaledObject that is ``source``; raise TargetError."""
    resource = await kinds.find(reference.api_version, reference.kind)
    return KnativeTarget(
        client, resource, source[0], reference.name, source="/".join(source), tell=tell
    )
