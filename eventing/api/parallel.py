"""Parallel: each event goes into all branches whose filter lets it pass."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from eventing.api.channel import check_template
from eventing.api.checks import default_destination, validate_destination
from eventing.api.definitions import ADDRESSABLE, AGE, FLOWS, READY, URL, Look, define
from eventing.api.deliveryoptions import BATCH_SIZE, check_options
from eventing.api.flows import (
    ChannelReady,
    FlowStatus,
    SubscriptionReady,
    default_template,
    pointer,
    shown,
)
from eventing.api.joins import JOIN, check_join, is_inmemory
from eventing.api.settings import Features, Settings
from eventing.api.shapes import ChannelTemplate
from hearth.knative.admission.kinds import Change
from hearth.knative.duck import DeliverySpec, Destination
from hearth.knative.fielderrors import Errors, FieldError, disallowed, invalid, missing, via
from hearth.knative.resources import PARALLELS
from hearth.kube.models import Kept, Model


class ParallelBranch(Model):
    """One branch."""

    go_type: ClassVar[str] = "v1.ParallelBranch"
    schema_extra: ClassVar[dict[str, Any]] = {"x-kubernetes-preserve-unknown-fields": True}

    filter: Destination | None = None
    """Who says which events pass: those that it replies to with an event."""
    subscriber: Kept[Destination] = Field(default_factory=Destination)
    """Who gets the events that pass."""
    reply: Destination | None = None
    """Who gets the subscriber's replies; by default that of the Parallel."""
    delivery: DeliverySpec | None = None
    """How events are delivered to the subscriber."""


class ParallelSpec(Model):
    """The branches, and where their replies go."""

    go_type: ClassVar[str] = "v1.ParallelSpec"

    branches: Kept[list[ParallelBranch]] = Field(default_factory=list)
    """The branches."""
    channel_template: Kept[ChannelTemplate | None] = None
    """The kind of channel before the branches and their subscribers."""
    reply: Destination | None = None
    """Who gets the replies of branches that name nobody else."""


class BranchStatus(Model):
    """What has become of a branch."""

    filter_subscription_status: Kept[SubscriptionReady] = Field(default_factory=SubscriptionReady)
    filter_channel_status: Kept[ChannelReady] = Field(default_factory=ChannelReady)
    subscriber_subscription_status: Kept[SubscriptionReady] = Field(
        default_factory=SubscriptionReady
    )


class ParallelStatus(FlowStatus):
    """What has become of a Parallel."""

    ingress_channel_status: ChannelReady | None = None
    """The channel that events are sent to."""
    branch_statuses: list[BranchStatus] = Field(default_factory=list)
    """The branches, in order."""


def _default(change: Change[ParallelSpec, Settings]) -> None:
    default_template(change)
    new, spec = change.new, change.new.spec
    new.spec = spec.model_copy(
        update={
            "branches": [_default_branch(branch, new.namespace) for branch in spec.branches],
            "reply": spec.reply and default_destination(spec.reply, new.namespace),
        }
    )


def _default_branch(branch: ParallelBranch, namespace: str) -> ParallelBranch:
    return branch.model_copy(
        update={
            "filter": branch.filter and default_destination(branch.filter, namespace),
            "subscriber": default_destination(branch.subscriber, namespace),
            "reply": branch.reply and default_destination(branch.reply, namespace),
        }
    )


def _validate(change: Change[ParallelSpec, Settings]) -> Errors:
    new = change.new
    return _check_spec(change) + check_options(new.annotations) + _check_join(change)


def _check_join(change: Change[ParallelSpec, Settings]) -> Errors:
    """Replies are gathered from all branches, in channels of ours, and go to one place."""
    spec, annotations = change.new.spec, change.new.annotations
    if JOIN not in annotations:
        return []
    errors = check_join(annotations)
    if spec.reply is None:
        errors.append(FieldError(f"missing field(s): {JOIN} needs it", ("spec.reply",)))
    for number, branch in enumerate(spec.branches):
        if branch.reply is not None:
            errors.append(_unjoinable(f"spec.branches[{number}].reply"))
    template = spec.channel_template
    if template is not None and not is_inmemory(
        {"apiVersion": template.api_version, "kind": template.kind}
    ):
        errors.append(_unjoinable("spec.channelTemplate.kind"))
    if BATCH_SIZE in annotations:
        errors.append(_unjoinable(f"metadata.annotations.{BATCH_SIZE}"))
    return errors


def _unjoinable(path: str) -> FieldError:
    return FieldError(f"{disallowed().message}: {JOIN} has no place for it", (path,))


def _check_spec(change: Change[ParallelSpec, Settings]) -> Errors:
    spec, features = change.new.spec, change.settings.features
    errors: Errors = [] if spec.branches else [missing("branches")]
    for number, branch in enumerate(spec.branches):
        errors += _check_branch(branch, number, features)
    errors += check_template(spec.channel_template)
    if spec.channel_template is None:  # Knative looks no further then
        return via(errors, "spec")
    if spec.reply is not None:
        errors += via(validate_destination(spec.reply, features), "reply")
    return via(errors, "spec")


def _check_branch(branch: ParallelBranch, number: int, features: Features) -> Errors:
    """The whole branch is what Knative calls invalid, wherever it is."""
    parts = {"filter": branch.filter, "subscriber": branch.subscriber, "reply": branch.reply}
    return [
        invalid(_shown_branch(branch), f"branches.{field}[{number}]")
        for field, destination in parts.items()
        if destination is not None and validate_destination(destination, features)
    ]


def _shown_branch(branch: ParallelBranch) -> str:
    return (
        f"{{{pointer(branch.filter)} {shown(branch.subscriber)} {pointer(branch.reply)} "
        f"{pointer(branch.delivery)}}}"
    )


DEFINITION = define(
    PARALLELS,
    ParallelSpec,
    ParallelStatus,
    Look(
        "Each event goes into all branches that let it pass.",
        columns=(URL, AGE, *READY),
        labels=ADDRESSABLE,
        categories=FLOWS,
    ),
    default=_default,
    validate=_validate,
)
