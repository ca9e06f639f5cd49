"""What Sequence and Parallel have in common. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from eventing.api.settings import Settings
from eventing.api.shapes import AddressStatus, Auth
from hearth.knative.admission.kinds import Change
from hearth.knative.duck import Condition, Destination, KReference
from hearth.kube.models import Kept, Model


class ObjectReference(Model):
    """An object that was made."""

    kind: str = ""
    namespace: str = ""
    name: str = ""
    api_version: str = ""


class ChannelReady(Model):
    """A channel that was made, and whether it is ready."""

    channel: Kept[ObjectReference] = Field(default_factory=ObjectReference)
    ready: Kept[Condition] = Field(default_factory=Condition)


class SubscriptionReady(Model):
    """A Subscription that was made, and whether it is ready."""

    subscription: Kept[ObjectReference] = Field(default_factory=ObjectReference)
    ready: Kept[Condition] = Field(default_factory=Condition)


class FlowStatus(AddressStatus):
    """What flows tell of themselves."""

    auth: Auth | None = None
    """Identity used for sending."""


def default_template(change: Change[Any, Settings]) -> None:
    """A flow without a template gets the channels that its namespace has."""
    new = change.new
    if new.spec.channel_template is None:
        template = change.settings.channels.template_for(new.namespace)
        new.spec = new.spec.model_copy(update={"channel_template": template})


def shown(destination: Destination) -> str:
    """Return a destination as Go's ``%v`` prints it within another struct."""
    reference = destination.ref
    ref = "<nil>" if reference is None else _shown_reference(reference)
    others = f"{pointer(destination.ca_certs)} {pointer(destination.audience)}"
    return f"{{{ref} {destination.uri or ''} {others}}}"


def _shown_reference(reference: KReference) -> str:
    return (
        f"Kind = {reference.kind}, Namespace = {reference.namespace}, Name = {reference.name}, "
        f"APIVersion = {reference.api_version}, Group = {reference.group}, "
        f"Address = {reference.address or ''}"
    )


def pointer(value: object) -> str:
    """Return what stands for a pointer, of which Go prints where it leads."""
    return "<nil>" if value is None else "0x0"
