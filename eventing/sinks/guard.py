"""Who may send to an adapter: the broker, which has asked who may send to the sink."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eventing.codec import Event
from eventing.codec.binary import Header
from eventing.runtime.access.keys import Denied, TokenKeys
from eventing.runtime.places import Place


class BrokerAlone:
    """Asked by the ingress for each request, where there is somebody to be told from others."""

    def __init__(self, sender: Mapping[str, Any] | None, keys: TokenKeys) -> None:
        """``sender`` has the ``subject`` of the broker's tokens, and their ``audience``."""
        self._subject = str((sender or {}).get("subject", ""))
        self._audience = str((sender or {}).get("audience", ""))
        self._keys = keys
        if self.is_shut:
            keys.fetch()

    @property
    def is_shut(self) -> bool:
        """Whether a token is asked for."""
        return bool(self._subject)

    def check(self, place: Place, headers: Sequence[Header], events: Iterable[Event]) -> None:
        """Return where events come from the broker; raise Denied or Refused."""
        subject = self._keys.subject(headers, self._audience)
        if subject != self._subject:
            raise Denied(403, f"{subject} may not send events here, past the broker")
