"""What is read off stored channels, and the sources they are read from. Pure."""

from __future__ import annotations

from typing import Any

from eventing.api.views import spec_of
from hearth.knative.resources import CHANNELS, INMEMORYCHANNELS, SUBSCRIPTIONS
from hearth.kube.controllerspec import Source
from hearth.kube.meta import Key, Object, name, namespace, uid

INMEMORYCHANNEL_SOURCE = Source(INMEMORYCHANNELS)
CHANNEL_SOURCE = Source(CHANNELS)
SUBSCRIPTION_SOURCE = Source(SUBSCRIPTIONS)


def channel_log_key(channel: Object) -> str:
    """Return the key of a channel's log; one made anew under the same name gets a new log."""
    return f"channel_{namespace(channel)}_{name(channel)}_{uid(channel)}"


def service_name(channel: Key) -> str:
    """Return the name of the Service that stands for a channel, as in Knative."""
    return f"{channel[1]}-kn-channel"


def subscribers_of(channel: Object) -> list[dict[str, Any]]:
    """Return the subscribers that have a uid, by which they are known."""
    return [each for each in spec_of(channel).get("subscribers") or () if each.get("uid")]
