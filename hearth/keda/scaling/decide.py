"""Between zero and one: what is done about a target after a look at its triggers. Pure.

Source: ``RequestScale`` in KEDA's ``pkg/scaling/executor``. Past one the HorizontalPodAutoscaler
decides. Three things are ours: a target that leaves zero gets at once what its triggers ask for
(where its HPA has no rules of its own for scaling up), nothing is scaled in while something is
not known, whatever the fallback says, and by an annotation zero is reached from one only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hearth.keda.api.keys import Condition, ConditionMessage, ConditionReason
from hearth.keda.api.scaledobject import ScaledObject
from hearth.keda.scaling.observing import Observation

DEFAULT_POLLING_SECONDS = 30.0
DEFAULT_COOLDOWN_SECONDS = 300.0


class Act(Enum):
    """What is done to the target, and which Event tells of it."""

    NOTHING = "nothing"
    ACTIVATE = "activate"
    DEACTIVATE = "deactivate"
    RAISE = "raise"
    """To minReplicaCount, without being active; no Event."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a decision goes by."""

    observation: Observation
    replicas: int
    """That the target is asked to have."""
    created: float
    """When the ScaledObject was made, in Unix seconds."""
    last_active: float | None
    """When a trigger was active last; None where that was never."""
    now: float


@dataclass(frozen=True, slots=True)
class Said:
    """A condition with its new state."""

    type: Condition
    status: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done, and why."""

    rule: str
    """In a word or two, for people."""
    act: Act = Act.NOTHING
    replicas: int | None = None
    said: tuple[Said, ...] = ()
    last_active: float | None = None
    look_again_at: float | None = None
    """When it could be otherwise, triggers aside; Unix seconds."""


_READY = Said(
    Condition.READY,
    "True",
    ConditionReason.SCALED_OBJECT_READY,
    ConditionMessage.SCALED_OBJECT_READY,
)
_PARTIAL = Said(
    Condition.READY,
    "Unknown",
    "PartialTriggerError",
    "Some triggers defined in ScaledObject are not working correctly",
)
_FAILING = Said(
    Condition.READY,
    "False",
    "TriggerError",
    "Triggers defined in ScaledObject are not working correctly",
)
_NOT_ACTIVE = Said(
    Condition.ACTIVE,
    "False",
    "ScalerNotActive",
    "Scaling is not performed because triggers are not active",
)
_COOLING = Said(
    Condition.ACTIVE,
    "False",
    "ScalerCooldown",
    "Scaler cooling down because triggers are not active",
)


def _active(why: str) -> Said:
    return Said(Condition.ACTIVE, "True", "ScalerActive", f"Scaling is performed because {why}")


def decide(obj: ScaledObject, at: Situation) -> Decision:
    """Return what is to be done."""
    if obj.forces_activation:
        return _when_active(obj, at, _active("activation is being forced by annotation"))
    if at.observation.is_active:
        return _when_active(obj, at, _active("triggers are active"))
    return _when_idle(obj, at)


def _when_active(obj: ScaledObject, at: Situation, active: Said) -> Decision:
    fewest, idle = obj.spec.min_replica_count or 0, obj.spec.idle_replica_count
    if at.replicas == 0 or (idle is not None and at.replicas < fewest):
        said = (_READY, active)
        if obj.pauses_scale_out:
            return Decision("scale out is paused", said=said, last_active=at.last_active)
        wish = activation_replicas(obj, at.observation)
        return Decision("activation", Act.ACTIVATE, wish, said, last_active=at.now)
    if at.observation.errors:
        return Decision("some triggers fail", said=(_PARTIAL, active), last_active=at.now)
    return Decision("active", said=(_READY, active), last_active=at.now)


def activation_replicas(obj: ScaledObject, observation: Observation) -> int:
    """Return the replicas that a target gets when it leaves zero or its idle count."""
    fewest = obj.hpa_min_replicas
    behavior = obj.hpa_config.behavior
    if behavior is not None and behavior.scale_up is not None:
        return fewest
    return min(max(fewest, observation.wish(fewest)), max(fewest, obj.max_replicas))


def _when_idle(obj: ScaledObject, at: Situation) -> Decision:
    fewest, idle = obj.spec.min_replica_count or 0, obj.spec.idle_replica_count
    if at.observation.errors:
        # KEDA goes to zero here where the fallback has zero replicas, before the threshold is met.
        ready = _FAILING if obj.spec.fallback is None else _READY
        said = (ready, _NOT_ACTIVE)
        return Decision("not known, so held", said=said, last_active=at.last_active)
    if (idle is not None and at.replicas > idle) or (fewest == 0 and at.replicas > 0):
        return _deactivation(obj, at)
    said = (_READY, _NOT_ACTIVE)
    if idle is None and at.replicas < fewest:
        return Decision("minimum", Act.RAISE, fewest, said, last_active=at.last_active)
    return Decision("not active", said=said, last_active=at.last_active)


def _deactivation(obj: ScaledObject, at: Situation) -> Decision:
    if obj.pauses_scale_in:
        said = (_READY, _NOT_ACTIVE)
        return Decision("scale in is paused", said=said, last_active=at.last_active)
    ends = cooldown_ends(obj, at)
    if at.now <= ends:
        return Decision(
            "cooldown",
            said=(_READY, _COOLING),
            last_active=at.last_active,
            look_again_at=ends,
        )
    if obj.goes_to_zero_from_one and at.replicas > obj.hpa_min_replicas:
        said = (_READY, _COOLING)
        return Decision("from one only", said=said, last_active=at.last_active)
    idle = obj.spec.idle_replica_count
    lowest = idle if idle is not None else obj.spec.min_replica_count or 0
    said = (_READY, _NOT_ACTIVE)
    return Decision("deactivation", Act.DEACTIVATE, lowest, said, last_active=at.last_active)


def cooldown_ends(obj: ScaledObject, at: Situation) -> float:
    """Return after which moment the target may go to zero, in Unix seconds.

    A clock that was set back makes nothing last longer than the whole period from now.
    """
    if at.last_active is None:
        period, since = float(obj.spec.initial_cooldown_period or 0), at.created
    else:
        given = obj.spec.cooldown_period
        period = DEFAULT_COOLDOWN_SECONDS if given is None else float(given)
        since = at.last_active
    return min(since, at.now) + period


def wanted(obj: ScaledObject, at: Situation, decision: Decision) -> int:
    """Return the replicas that there are to be in the end, those past one included.

    What the HPA would come to, for those that ask without one. Not knowing changes nothing.
    """
    if decision.replicas is not None:
        return decision.replicas
    is_held = at.observation.errors and not at.observation.is_active
    idle = obj.spec.idle_replica_count
    if is_held or at.replicas == 0 or (at.replicas == idle and not at.observation.is_active):
        return at.replicas
    wish = max(obj.hpa_min_replicas, at.observation.wish(at.replicas))
    wish = max(wish, at.replicas) if at.observation.errors or obj.pauses_scale_in else wish
    wish = min(wish, at.replicas) if obj.pauses_scale_out else wish
    return min(wish, max(obj.max_replicas, obj.hpa_min_replicas))


def polling_seconds(interval: int | None) -> float:
    """Return how often triggers are looked at."""
    return DEFAULT_POLLING_SECONDS if interval is None else float(interval)
