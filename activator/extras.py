"""What a Service asks of the gateway by annotations of its KIngress. Pure.

Splits of other KIngresses have none of it, and their requests meet none of this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from activator.failures import is_grpc
from activator.http.events import FieldBlock, RequestHead
from activator.http.fields import find_field, without_fields
from activator.waitingpage import is_navigation
from serving.api import keys
from serving.api.annotationtext import parse_switch
from serving.api.asyncrequests import (
    ACCEPT,
    AT_BROKER,
    HOST_FIELD,
    LOOK_UP,
    OPTIONS_FIELD,
    RESULTS,
    AsyncOptions,
    async_of,
)

BROKER = ("knative-eventing", "broker-ingress")
"""The Service that requests go to which are answered later."""
_HIDDEN = frozenset((HOST_FIELD, OPTIONS_FIELD))
_NEVER_LATER = frozenset((b"HEAD", b"OPTIONS", b"CONNECT", b"TRACE"))
"""Their answers are about the moment, or have no body."""


@dataclass(frozen=True, slots=True)
class Extras:
    """Of one Service."""

    namespace: str
    service: str
    later: AsyncOptions | None = None
    """How requests are answered later, where they may be."""
    has_page: bool = False
    """Browsers get a page while nothing is ready."""

    def is_for_later(self, head: RequestHead) -> bool:
        """Whether a request asks to be answered later (RFC 7240, section 4.1), and may be."""
        return (
            self.later is not None
            and head.method not in _NEVER_LATER
            and not head.upgrade
            and _prefers_async(head)
            and not is_grpc(head.fields)
        )

    def is_for_page(self, head: RequestHead) -> bool:
        """Whether a request is a browser's, that a person waits for."""
        return self.has_page and is_navigation(head)


def extras_of(metadata: Mapping[str, Any]) -> Extras | None:
    """What a KIngress of a Service asks for; None for nothing."""
    annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    service = labels.get(keys.SERVICE)
    if not service or not (keys.ASYNC in annotations or keys.WAITING_PAGE in annotations):
        return None
    later = async_of(annotations)
    try:
        has_page = parse_switch(annotations.get(keys.WAITING_PAGE, "false"))
    except ValueError:
        has_page = False
    if later is None and not has_page:
        return None
    return Extras(str(metadata.get("namespace", "")), str(service), later, has_page)


def _prefers_async(head: RequestHead) -> bool:
    return any(
        preference.partition(b";")[0].strip().lower() == b"respond-async"
        for name, value in head.fields
        if name.lower() == b"prefer"
        for preference in value.split(b",")
    )


def send_later(head: RequestHead, extras: Extras, host: bytes) -> None:
    """Make of a request one that the broker takes in."""
    later = extras.later or AsyncOptions()
    where = f"{extras.namespace}/{extras.service}/".encode()
    head.target = AT_BROKER + where + ACCEPT + head.target
    if any(find_field(head.fields, name) is not None for name in _HIDDEN):
        head.fields = without_fields(head.fields, _HIDDEN)
    told = FieldBlock.of([(HOST_FIELD, host), (OPTIONS_FIELD, later.told())])
    head.blocks = (*head.blocks, told)


def look_up(head: RequestHead) -> bool:
    """Make of a question for a result one to the broker; False where it is none."""
    path = head.target.partition(b"?")[0].removeprefix(RESULTS).split(b"/")
    if head.method != b"GET" or not head.target.startswith(RESULTS) or len(path) != 3:
        return False
    namespace, service, ticket = path
    head.target = AT_BROKER + b"/".join((namespace, service, LOOK_UP, ticket))
    return True
