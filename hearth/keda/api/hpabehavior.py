"""How fast a HorizontalPodAutoscaler changes a scale (``behavior`` of autoscaling/v2)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from hearth.keda.api.shapes import ATOMIC, Needed
from hearth.kube.models import Int32, Model, Quantity, Schema


class Policy(Model):
    """How much may change in how long."""

    go_type: ClassVar[str] = "v2.HPAScalingPolicy"

    type: Needed[str] = ""
    """Pods or Percent."""
    value: Needed[Int32] = 0
    """How much; above zero."""
    period_seconds: Needed[Int32] = 0
    """In how long; 1 to 1800 seconds."""


class Rules(Model):
    """What holds in one direction."""

    go_type: ClassVar[str] = "v2.HPAScalingRules"

    stabilization_window_seconds: (
        Annotated[Int32, Schema({"minimum": 0, "maximum": 3600})] | None
    ) = None
    """Over how long the most cautious wish counts; up 0, down 300 where nothing is said."""
    select_policy: str | None = None
    """Max (as where nothing is said), Min, or Disabled."""
    policies: Annotated[list[Policy], ATOMIC] = Field(default_factory=list)
    """Limits, of which selectPolicy takes one."""
    tolerance: Quantity | None = None
    """By how much a metric may miss its target before anything changes; 0.1 where not said."""


class Behavior(Model):
    """Rules of both directions."""

    go_type: ClassVar[str] = "v2.HorizontalPodAutoscalerBehavior"

    scale_up: Rules | None = None
    """How fast pods are added."""
    scale_down: Rules | None = None
    """How fast pods are taken away."""
