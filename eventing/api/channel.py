"""Channel: events sent to one address go to all its subscribers; another kind does the work."""

from __future__ import annotations

from typing import Any, ClassVar

from eventing.api import keys
from eventing.api.checks import IMMUTABLE, default_delivery, validate_delivery
from eventing.api.definitions import ADDRESSABLE, AGE, MESSAGING, READY, URL, Look, define
from eventing.api.deliveryoptions import check_options
from eventing.api.settings import Settings
from eventing.api.shapes import ChannelableSpec, ChannelableStatus, ChannelTemplate
from hearth.knative.admission.kinds import Change, Decoded
from hearth.knative.duck import KReference
from hearth.knative.fielderrors import Errors, FieldError, disallowed, missing, via
from hearth.knative.resources import CHANNELS
from hearth.knative.structdiff import short_diff


class ChannelSpec(ChannelableSpec):
    """What a Channel is to do."""

    go_type: ClassVar[str] = "v1.ChannelSpec"

    channel_template: ChannelTemplate | None = None
    """The kind of channel that does the work; cannot be changed."""


class ChannelStatus(ChannelableStatus):
    """What has become of a Channel."""

    channel: KReference | None = None
    """The channel that does the work."""


def default_channelable(channel: Decoded[Any]) -> None:
    """What all channels get: which version of subscribers they speak; names in full."""
    annotations = {keys.SUBSCRIBABLE_ANNOTATION: "v1"} | dict(channel.annotations)
    channel.put("annotations", annotations)
    delivery = default_delivery(channel.spec.delivery, channel.namespace)
    channel.spec = channel.spec.model_copy(update={"delivery": delivery})


def _default(change: Change[ChannelSpec, Settings]) -> None:
    new = change.new
    if new.spec.channel_template is None:
        template = change.settings.channels.template_for(new.namespace)
        default_channelable(new)
        new.spec = new.spec.model_copy(update={"channel_template": template})
    else:  # Knative looks no further then
        new.put("annotations", {keys.SUBSCRIBABLE_ANNOTATION: "v1"} | dict(new.annotations))


def _validate(change: Change[ChannelSpec, Settings]) -> Errors:
    spec, old = change.new.spec, change.old
    errors = check_template(spec.channel_template)
    if spec.subscribers:
        errors.append(disallowed("subscribable.subscribers"))
    problems = validate_delivery(
        spec.delivery, change.settings.features, parent=change.new.namespace
    )
    errors = via(errors + via(problems, "delivery"), "spec")
    errors += check_options(change.new.annotations)
    return errors if old is None else errors + _changes(old.spec, spec)


def check_template(template: ChannelTemplate | None) -> Errors:
    """Complain of a template that is missing or names no kind."""
    if template is None:
        return [missing("channelTemplate")]
    given = {"kind": template.kind, "apiVersion": template.api_version}
    return [missing(f"channelTemplate.{field}") for field, value in given.items() if not value]


def _changes(old: ChannelSpec, new: ChannelSpec) -> Errors:
    nobody: dict[str, Any] = {"subscribers": []}
    before, after = old.model_copy(update=nobody), new.model_copy(update=nobody)
    diff = short_diff(before, after, "v1.ChannelSpec")
    return [FieldError(IMMUTABLE, ("spec",), diff)] if diff else []


DEFINITION = define(
    CHANNELS,
    ChannelSpec,
    ChannelStatus,
    Look(
        "Events sent to one address go to all subscribers.",
        columns=(URL, AGE, *READY),
        labels=ADDRESSABLE | {"messaging.knative.dev/subscribable": "true"},
        categories=(*MESSAGING, "channel"),
        short_names=("ch",),
    ),
    default=_default,
    validate=_validate,
)
