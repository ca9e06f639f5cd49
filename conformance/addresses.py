"""Brokers and Channels as tests use them: what can be sent to, and who gets it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from conformance.hub import Box, Hub, Message
from conformance.messages import REPLY_TYPE, TYPE
from conformance.support import Cluster

EVENTING = "eventing.knative.dev/v1"
MESSAGING = "messaging.knative.dev/v1"


@dataclass(frozen=True)
class Subscriber:
    """A Trigger or a Subscription."""

    group: str
    kind: str
    name: str


@dataclass(frozen=True)
class Address:
    """A Broker or a Channel that is ready."""

    cluster: Cluster
    hub: Hub
    group: str
    kind: str
    name: str
    url: str

    def ref(self) -> dict[str, Any]:
        return {"apiVersion": self.group, "kind": self.kind, "name": self.name}

    def post(self, message: Message) -> Message:
        """Send a message; return the answer."""
        return self.hub.send(self.url, message)

    def put_in(self, message: Message) -> None:
        """Send an event that has to be accepted."""
        answer = self.post(message)
        assert 200 <= answer.status < 300, f"{answer.status}: {answer.body!r}"

    def subscribe(
        self,
        to: Box | dict[str, Any],
        *,
        dead_letters: Box | None = None,
        replies: Box | None = None,
        attributes: dict[str, str] | None = None,
        delivery: dict[str, Any] | None = None,
        annotations: dict[str, str] | None = None,
    ) -> Subscriber:
        """Have events delivered, from when this returns; replies as far as they are asked for.

        A Broker takes replies itself: a second Trigger has them brought to ``replies``.
        """
        given = dict(delivery or {})
        if dead_letters is not None:
            given["deadLetterSink"] = {"uri": dead_letters.url}
        spec: dict[str, Any] = {"subscriber": {"uri": to.url} if isinstance(to, Box) else to}
        if given:
            spec["delivery"] = given
        if self.kind == "Broker":
            wanted = {"type": TYPE} if attributes is None else attributes
            if replies is not None:
                self.subscribe(replies, attributes={"type": REPLY_TYPE})
            spec |= {"broker": self.name, "filter": {"attributes": wanted}}
            return make(self.cluster, EVENTING, "Trigger", spec, annotations=annotations)
        if replies is not None:
            spec["reply"] = {"uri": replies.url}
        spec["channel"] = self.ref()
        return make(self.cluster, MESSAGING, "Subscription", spec, annotations=annotations)


def make(
    cluster: Cluster,
    group: str,
    kind: str,
    spec: dict[str, Any],
    *,
    ready: bool = True,
    name: str = "",
    annotations: dict[str, str] | None = None,
) -> Subscriber:
    """Create an object, and wait until it is ready."""
    name = name or f"{kind.lower()}-{uuid.uuid4().hex[:8]}"
    metadata: dict[str, Any] = {"name": name}
    if annotations:
        metadata["annotations"] = annotations
    cluster.create({"apiVersion": group, "kind": kind, "metadata": metadata, "spec": spec})
    if ready:
        cluster.until_ready(kind, name, group=group)
    return Subscriber(group, kind, name)


def open_address(
    cluster: Cluster, hub: Hub, kind: str, spec: dict[str, Any] | None = None
) -> Address:
    """A new Broker or Channel."""
    group = EVENTING if kind == "Broker" else MESSAGING
    made = make(cluster, group, kind, spec or {})
    url = cluster.get(kind, made.name, group)["status"]["address"]["url"]
    return Address(cluster, hub, group, kind, made.name, url)
