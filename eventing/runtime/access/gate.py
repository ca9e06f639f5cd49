"""Holds producers to what they may, while ``authentication-oidc`` is on. Nothing runs before that.

===========================================  ======================
what is shown                                answer
===========================================  ======================
no token, or none that is good for the place 401
a token of somebody who may not send there   403
keys to check it by are being fetched        503 with Retry-After
===========================================  ======================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from eventing.api.channelkinds import CHANNEL_KINDS
from eventing.api.policyviews import EVENTPOLICY_SOURCE, applying, audience_of
from eventing.api.views import BROKER_SOURCE
from eventing.codec import Event
from eventing.codec.binary import Header
from eventing.engines.seam import Refused
from eventing.runtime import served
from eventing.runtime.access.keys import Denied, TokenKeys, Trusted, nobody
from eventing.runtime.access.rules import Rule, is_allowed, rules_of
from eventing.runtime.places import BROKER, Place
from eventing.runtime.settings import Flags
from hearth.kube.cache import WatchCache
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.controllerspec import Source
from hearth.kube.manager import Manager
from hearth.kube.meta import Object

SOURCES: Mapping[str, Source] = {
    BROKER: BROKER_SOURCE,
    **{kind.place: kind.source for kind in CHANNEL_KINDS},
    **served.SOURCES,
}
"""The objects behind places."""


class Subject(NamedTuple):
    """Who sends, and the rules for where to."""

    name: str
    rules: Sequence[Rule]
    namespace: str
    default: str

    def must_be_allowed(self, attributes: Mapping[str, str]) -> None:
        """Raise Denied where an event may not be sent."""
        if not is_allowed(
            self.rules, self.name, attributes, namespace=self.namespace, default=self.default
        ):
            raise Denied(403, f"{self.name} may not send this event here")


class Gate:
    """Asked by the ingress for each request, while it ``is_shut``."""

    def __init__(
        self, manager: Manager, *, clock: Clock = wall_clock, trusted: Trusted = nobody
    ) -> None:
        """``trusted`` returns authorities that an issuer elsewhere may be known by."""
        self.is_shut = False
        """Whether producers must say who they are."""
        self._manager = manager
        self._keys = TokenKeys(manager.client, clock=clock, trusted=trusted)
        self._default = ""
        self._policies: WatchCache | None = None
        self._rules: dict[Place, Sequence[Rule]] = {}

    def configure(self, flags: Flags) -> None:
        """Go by settings from now on."""
        self._default = flags.authorization
        self._keys.ask_at(flags.discovery_url)
        self.is_shut = flags.authenticates
        if self.is_shut and self._policies is None:
            self._follow()
            self._keys.fetch()

    def _follow(self) -> None:
        self._policies = self._manager.cache(EVENTPOLICY_SOURCE)
        # Labels of what policies select count as well as the policies.
        for source in (EVENTPOLICY_SOURCE, *SOURCES.values()):
            self._manager.on_change(source, self._forget)

    def _forget(self, _old: Object | None, _new: Object | None) -> None:
        self._rules.clear()

    # -- asking --------------------------------------------------------------------------------

    def check(self, place: Place, headers: Sequence[Header], events: Iterable[Event]) -> None:
        """Return where all events may be sent; raise Denied, or Refused where that is not known."""
        subject = self.subject(place, headers)
        for event in events:
            subject.must_be_allowed(event.texts())

    def subject(self, place: Place, headers: Sequence[Header]) -> Subject:
        """Return who sends; raise Denied where nobody can be believed to."""
        audience = audience_of(SOURCES[place.kind].resource, place[1:])
        name = self._keys.subject(headers, audience)
        if self._policies is None or not self._policies.is_synced:
            raise Refused("what tokens are checked by has not been fetched yet")
        return Subject(name, self._rules_for(place), place.namespace, self._default)

    def _rules_for(self, place: Place) -> Sequence[Rule]:
        rules = self._rules.get(place)
        if rules is None:
            rules = self._rules[place] = rules_of(self._policies_for(place))
        return rules

    def _policies_for(self, place: Place) -> Sequence[Object]:
        source = SOURCES[place.kind]
        obj = self._manager.get(source, *place[1:])
        if obj is None or self._policies is None:
            return ()
        return applying(self._policies.list(place.namespace), source.resource, obj)
