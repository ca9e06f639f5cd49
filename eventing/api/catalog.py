"""The one list of eventing's kinds that a controller acts on.

Their CRDs are installed, and the webhooks are asked about them.
"""

from __future__ import annotations

from eventing.api import (
    apiserversource,
    broker,
    channel,
    containersource,
    eventpolicy,
    eventtransform,
    eventtype,
    inmemorychannel,
    integrationsink,
    integrationsource,
    jobsink,
    kafkachannel,
    kafkasink,
    kafkasource,
    natsjetstreamchannel,
    parallel,
    pingsource,
    requestreply,
    sequence,
    sinkbinding,
    subscription,
    trigger,
    webhooksource,
)

SERVED = (
    broker.DEFINITION,
    trigger.DEFINITION,
    channel.DEFINITION,
    inmemorychannel.DEFINITION,
    natsjetstreamchannel.DEFINITION,
    subscription.DEFINITION,
    sequence.DEFINITION,
    parallel.DEFINITION,
    eventtype.DEFINITION,
    eventpolicy.DEFINITION,
    requestreply.DEFINITION,
    jobsink.DEFINITION,
    eventtransform.DEFINITION,
    integrationsource.DEFINITION,
    integrationsink.DEFINITION,
    sinkbinding.DEFINITION,
    containersource.DEFINITION,
    pingsource.DEFINITION,
    apiserversource.DEFINITION,
    kafkachannel.DEFINITION,
    kafkasource.DEFINITION,
    kafkasink.DEFINITION,
    webhooksource.DEFINITION,
)
