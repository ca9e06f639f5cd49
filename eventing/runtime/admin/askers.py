"""Who asks about events with a token of his own, and which of them he may see, in a cluster.

The API server tells whose token it is (TokenReview), and whether he may (SubjectAccessReview): who
may get Brokers, or channels, in a namespace may see their events; who may update Triggers, or
Subscriptions, may have events delivered anew.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from eventing.runtime.places import BROKER, Place
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock, wall_clock

_TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
_ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_REMEMBERED_SECONDS = 30.0
"""What was told of somebody counts so long."""
_MOST_REMEMBERED = 1000
_AT_ONCE = 20

MayAsk = Callable[[Place], bool]


class Unknown(Exception):
    """Nobody knows whose token it is."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that somebody may do, or not, in a namespace; an empty one stands for all."""

    group: str
    resource: str
    verb: str
    namespace: str

    @classmethod
    def of(cls, place: Place, *, changes: bool, everywhere: bool = False) -> Asked:
        """Return what is asked for a place."""
        if place.kind == BROKER:
            group, seen, changed = "eventing.knative.dev", "brokers", "triggers"
        else:
            group, seen, changed = "messaging.knative.dev", "channels", "subscriptions"
        verb, resource = ("update", changed) if changes else ("get", seen)
        return cls(group, resource, verb, "" if everywhere else place.namespace)

    def review(self, user: Mapping[str, Any]) -> dict[str, Any]:
        """Return the SubjectAccessReview for somebody, as a TokenReview told of him."""
        attributes = {"group": self.group, "resource": self.resource, "verb": self.verb}
        if self.namespace:
            attributes["namespace"] = self.namespace
        spec: dict[str, Any] = {"resourceAttributes": attributes, "user": user["username"]}
        spec |= {field: user[field] for field in ("groups", "uid", "extra") if user.get(field)}
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": spec,
        }


class Askers:
    """Asks the API server, and remembers for a while what it said."""

    def __init__(self, client: KubeClient, *, clock: Clock = wall_clock) -> None:
        self._client = client
        self._clock = clock
        self._users: dict[bytes, tuple[float, Mapping[str, Any]]] = {}
        self._answers: dict[tuple[str, Asked], tuple[float, bool]] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def may(self, token: str, places: Iterable[Place], *, changes: bool) -> MayAsk:
        """Return which of these places somebody may ask about; raise Unknown, or ApiError."""
        user = await self._user(token)
        wanted = list(places)
        everywhere = {Asked.of(each, changes=changes, everywhere=True) for each in wanted}
        allowed = await self._allowed(user, everywhere)
        if allowed == everywhere:
            return lambda _: True
        allowed |= await self._allowed(user, {Asked.of(each, changes=changes) for each in wanted})
        return lambda place: bool(
            allowed
            & {
                Asked.of(place, changes=changes),
                Asked.of(place, changes=changes, everywhere=True),
            }
        )

    async def _user(self, token: str) -> Mapping[str, Any]:
        now, known = self._clock(), hashlib.sha256(token.encode()).digest()
        found = self._users.get(known)
        if found is not None and found[0] > now:
            return found[1]
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token},
        }
        status = (await self._client.request("POST", _TOKENS, body=review)).get("status") or {}
        user: Mapping[str, Any] = status.get("user") or {}
        if not status.get("authenticated") or not user.get("username"):
            raise Unknown("the API server knows nobody with this token")
        if len(self._users) >= _MOST_REMEMBERED:
            self._users.clear()
        self._users[known] = now + _REMEMBERED_SECONDS, user
        return user

    async def _allowed(self, user: Mapping[str, Any], asked: Iterable[Asked]) -> set[Asked]:
        each = list(asked)
        answers = await asyncio.gather(*(self._is_allowed(user, one) for one in each))
        return {one for one, answer in zip(each, answers, strict=True) if answer}

    async def _is_allowed(self, user: Mapping[str, Any], asked: Asked) -> bool:
        now, key = self._clock(), (_identity(user), asked)
        found = self._answers.get(key)
        if found is not None and found[0] > now:
            return found[1]
        async with self._turns:
            told = await self._client.request("POST", _ACCESS, body=asked.review(user))
        answer = bool((told.get("status") or {}).get("allowed"))
        if len(self._answers) >= _MOST_REMEMBERED * _AT_ONCE:
            self._answers.clear()
        self._answers[key] = now + _REMEMBERED_SECONDS, answer
        return answer


def _identity(user: Mapping[str, Any]) -> str:
    """All that an answer may depend on."""
    extra = sorted((user.get("extra") or {}).items())
    return repr((user["username"], user.get("uid"), sorted(user.get("groups") or ()), extra))
