"""What is read off stored channels, and the sources they are read from. Pure."""

from __future__ import annotations

import json
from typing import Any

from eventing.api import keys
from eventing.api.views import file_key, spec_of
from hearth.knative.resources import CHANNELS, SUBSCRIPTIONS
from hearth.kube import meta
from hearth.kube.controllerspec import Source
from hearth.kube.meta import Object, name, namespace

CHANNEL_SOURCE = Source(CHANNELS)
SUBSCRIPTION_SOURCE = Source(SUBSCRIPTIONS)


def channel_log_key(channel: Object) -> str:
    """Return the key of a channel's log; one made anew under the same name gets a new log."""
    return file_key(f"channel_{namespace(channel)}_{name(channel)}", channel)


def subscribers_of(channel: Object) -> list[dict[str, Any]]:
    """Return the subscribers that have a uid, by which they are known."""
    return [each for each in spec_of(channel).get("subscribers") or () if each.get("uid")]


def subscriber_options(channel: Object) -> dict[str, dict[str, str]]:
    """Return what Subscriptions ask for by annotation, by their uid; none that cannot be read."""
    try:
        found = json.loads(meta.annotations(channel).get(keys.SUBSCRIBER_OPTIONS_ANNOTATION, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def with_subscriber_options(channel: Object, uid: str, options: dict[str, str]) -> Object:
    """Return the channel with what one Subscription asks for; itself if nothing changes."""
    known = subscriber_options(channel)
    if known.get(uid, {}) == options:
        return channel
    wanted = {**known, uid: options}
    if not options:
        del wanted[uid]
    marks = {**meta.annotations(channel), keys.SUBSCRIBER_OPTIONS_ANNOTATION: json.dumps(wanted)}
    if not wanted:
        del marks[keys.SUBSCRIBER_OPTIONS_ANNOTATION]
    return {**channel, "metadata": {**channel["metadata"], "annotations": marks}}
