"""InMemoryChannel: a channel, kept in the durable log as a Broker is, whatever its name says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from eventing.api import keys
from eventing.api.channel import default_channelable
from eventing.api.definitions import ADDRESSABLE, AGE, MESSAGING, READY, URL, Look, define
from eventing.api.deliveryoptions import check_options
from eventing.api.settings import Settings
from eventing.api.shapes import ChannelableSpec, ChannelableStatus
from hearth.knative.admission.kinds import Change
from hearth.knative.fielderrors import Errors, FieldError, invalid, missing, via
from hearth.knative.resources import INMEMORYCHANNELS

_SCOPES = ("cluster", "namespace")


class InMemoryChannelSpec(ChannelableSpec):
    """What an InMemoryChannel is to do."""

    go_type: ClassVar[str] = "v1.InMemoryChannelSpec"


class InMemoryChannelStatus(ChannelableStatus):
    """What has become of an InMemoryChannel."""


def _default(change: Change[InMemoryChannelSpec, Settings]) -> None:
    default_channelable(change.new)


def _validate(change: Change[InMemoryChannelSpec, Settings]) -> Errors:
    errors = check_subscribers(change.new.spec) + check_scope(change.new.annotations)
    return errors + check_options(change.new.annotations)


def check_subscribers(spec: ChannelableSpec) -> Errors:
    """Complain of subscribers of a channel that get and send nothing."""
    errors: Errors = []
    for number, subscriber in enumerate(spec.subscribers):
        if subscriber.reply_uri is None and subscriber.subscriber_uri is None:
            absent = missing("replyURI", "subscriberURI")
            error = FieldError(absent.message, absent.paths, "expected at least one of, got none")
            errors += via([error], "spec", "subscribable", f"subscriber[{number}]")
    return errors


def check_scope(annotations: Mapping[str, str]) -> Errors:
    """Complain of a scope of a channel that means nothing."""
    scope = annotations.get(keys.SCOPE_ANNOTATION)
    if scope is None or scope in _SCOPES:
        return []
    problem = invalid(scope, "", "expected either 'cluster' or 'namespace'")
    return via([problem], f"metadata.annotations[{keys.SCOPE_ANNOTATION}]")


DEFINITION = define(
    INMEMORYCHANNELS,
    InMemoryChannelSpec,
    InMemoryChannelStatus,
    Look(
        "A channel whose events are kept in the durable log.",
        columns=(URL, AGE, *READY),
        labels=ADDRESSABLE | {"messaging.knative.dev/subscribable": "true"},
        categories=(*MESSAGING, "channel"),
        short_names=("imc",),
    ),
    default=_default,
    validate=_validate,
    webhook="inmemorychannel",
)
