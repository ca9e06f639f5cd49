"""Broker: where events are sent to, and what happens to those no Trigger gets delivered."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from hearth.knative.duck import (
    Addressable,
    DeliverySpec,
    DeliveryStatus,
    KReference,
    Status,
)
from hearth.kube.models import Model


class BrokerSpec(Model):
    """What a Broker is to do."""

    go_type: ClassVar[str] = "v1.BrokerSpec"

    config: KReference | None = None
    """The configuration of the broker, for example a ConfigMap; cannot be changed."""
    delivery: DeliverySpec | None = None
    """How events are delivered where a Trigger says nothing else."""


class AppliedPolicy(Model):
    """An EventPolicy that applies to a Broker."""

    api_version: str = ""
    name: str = ""


class BrokerStatus(Status, DeliveryStatus):
    """What has become of a Broker."""

    address: Addressable | None = None
    """Where events are sent to."""
    addresses: list[Addressable] = Field(default_factory=list)
    """All addresses events can be sent to."""
    policies: list[AppliedPolicy] = Field(default_factory=list)
    """The EventPolicies that apply."""
