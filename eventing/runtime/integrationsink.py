"""IntegrationSink: an event goes on to the pod of its sink, whose answer is the answer.

Who may send is asked here, as everywhere; the pod takes events from the broker alone, which shows
it the token of an account that control makes for this, while ``authentication-oidc`` is on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from activator.http.events import ResponseHead
from activator.http.fields import Field
from eventing.api import keys
from eventing.api.policyviews import audience_of
from eventing.api.views import status_annotation
from eventing.codec import Event, encode_batch, render_head
from eventing.codec.binary import Header
from eventing.engines.seam import Refused
from eventing.runtime.answering import Answering, ask
from eventing.runtime.answers import Respond, answer, refusal
from eventing.runtime.client import DeliveryClient
from eventing.runtime.intake import is_forwarded
from eventing.runtime.places import Place
from eventing.runtime.target import Address, BadTarget, Bearer, Target, parse_target
from hearth.knative.resources import INTEGRATIONSINKS
from hearth.kube.meta import Object, key, namespace

_AT_ONCE = 1000
_TIMEOUT_SECONDS = 60.0
_BATCH: Field = (b"content-type", b"application/cloudevents-batch+json")
_TOLD = frozenset({b"content-type", b"reason", b"retry-after"})
"""What of the pod's answer is told."""


class IntegrationSinks:
    """Hands events on; ``find`` reads an IntegrationSink."""

    def __init__(
        self,
        find: Callable[[Place], Object | None],
        client: DeliveryClient,
        *,
        gateway: Address | None,
        authorities: Callable[[], str] = str,
    ) -> None:
        """``authorities`` tells who vouches for the certificates of pods (PEM)."""
        self._authorities = authorities
        self._find = find
        self._client = client
        self._gateway = gateway
        self._answering = Answering("integrationsink", _AT_ONCE, "too many events are on their way")

    def receive(
        self, place: Place, headers: Sequence[Header], events: Sequence[Event], respond: Respond
    ) -> None:
        """Take events; raise Refused where they cannot be taken."""
        obj = self._find(place)
        if obj is None:
            respond(answer(404, f"there is no {place}"))
            return
        try:
            target = pod_of(obj, self._gateway)
        except BadTarget as error:
            raise Refused(f"{place} has no pod yet") from error
        if target.tls_name is not None:
            target = replace(target, ca_certs=self._authorities() or None)
        forwarded = [header for header in headers if is_forwarded(header[0])]
        self._answering.begin(self._handed_on(target, forwarded, events), respond)

    async def _handed_on(
        self, target: Target, forwarded: Sequence[Field], events: Sequence[Event]
    ) -> ResponseHead:
        fields, body = message_of(events)
        got = await ask(
            self._client, target, [*fields, *forwarded], body, timeout_seconds=_TIMEOUT_SECONDS
        )
        if not got.status:
            return refusal(Refused(f"the pod behind it does not answer: {got.error}"))
        told = [each for each in got.fields if each[0] in _TOLD]
        return ResponseHead.of(got.status, told, got.body)

    async def close(self) -> None:
        """Hand on no more."""
        await self._answering.close()


def pod_of(obj: Object, gateway: Address | None) -> Target:
    """Return where the pod of a sink is, and who is shown to it; raise BadTarget. Pure."""
    target = parse_target(status_annotation(obj, keys.POD_ADDRESS_ANNOTATION) or "", gateway)
    account = status_annotation(obj, keys.POD_SENDER_ANNOTATION)
    if not account:
        return target
    audience = audience_of(INTEGRATIONSINKS, key(obj))
    return replace(target, bearer=Bearer(namespace(obj), account, audience))


def message_of(events: Sequence[Event]) -> tuple[list[Field], bytes]:
    """Return the fields and the body that carry events. Pure."""
    if len(events) != 1:
        return [_BATCH], encode_batch(events)
    lines = render_head(events[0]).split(b"\r\n")[:-1]
    fields = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
    return fields, events[0].data or b""
