"""The one list of eventing's controllers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from eventing.api.channelkinds import CHANNEL_KINDS
from eventing.kinds import (
    apiserversource,
    broker,
    channel,
    containersource,
    eventpolicy,
    eventtransform,
    eventtype,
    integrationsink,
    integrationsource,
    jobsink,
    kafkasink,
    kafkasource,
    parallel,
    pingsource,
    requestreply,
    sequence,
    servedchannel,
    sinkbinding,
    subscription,
    trigger,
    webhooksource,
)
from eventing.kinds.references import References
from eventing.kinds.settings import ControlSettings
from hearth.kube.controllerspec import ControllerSpec

CONTROLLERS: tuple[Callable[[References], ControllerSpec[Any, ControlSettings]], ...] = (
    broker.controller,
    trigger.controller,
    *(partial(servedchannel.controller, kind) for kind in CHANNEL_KINDS),
    channel.controller,
    subscription.controller,
    sequence.controller,
    parallel.controller,
    eventtype.controller,
    eventpolicy.controller,
    requestreply.controller,
    jobsink.controller,
    eventtransform.controller,
    integrationsource.controller,
    integrationsink.controller,
    sinkbinding.controller,
    containersource.controller,
    pingsource.controller,
    apiserversource.controller,
    kafkasource.controller,
    kafkasink.controller,
    webhooksource.controller,
)
