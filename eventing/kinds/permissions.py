"""What service accounts may do, asked of the API server: SubjectAccessReview.

Answers are kept for a minute, what is missing for some seconds, so that a reconciler that looks
often asks seldom. ``References`` holds one of these for all controllers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from hearth.kube.errors import ApiError
from hearth.kube.manager import Manager
from hearth.kube.meta import Key

log = logging.getLogger(__name__)

_PATH = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_KEPT_SECONDS = 60.0
_AGAIN_SECONDS = 5.0
"""After which is asked again where there was no answer, or rights were missing."""
_MOST_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Access:
    """One thing that is to be allowed: a verb on all objects of a resource in a namespace."""

    verb: str
    group: str
    resource: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a user may do all of this."""

    user: str
    accesses: tuple[Access, ...]


class Permissions:
    """Asks in the background, and has who wants to know look again."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._answers: dict[Question, tuple[float, Sequence[Access]]] = {}
        self._asking: set[Question] = set()

    def missing(self, question: Question, controller: str, key: Key) -> Sequence[Access] | None:
        """Return what is not allowed; None while nobody knows: the key is looked at again then."""
        now = asyncio.get_running_loop().time()
        known = self._answers.get(question)
        kept = _AGAIN_SECONDS if known is not None and known[1] else _KEPT_SECONDS
        if (known is None or now - known[0] > kept) and question not in self._asking:
            self._asking.add(question)
            self._manager.spawn("access-reviews", self._ask(question, controller, key))
        return None if known is None else known[1]

    async def _ask(self, question: Question, controller: str, key: Key) -> None:
        try:
            missing = [
                each
                for each in question.accesses
                if not await self._is_allowed(question.user, each)
            ]
        except ApiError as error:
            log.warning("rights cannot be asked for", extra=error.facts)
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            if len(self._answers) >= _MOST_KEPT:
                self._answers.clear()
            self._answers[question] = asyncio.get_running_loop().time(), missing
        finally:
            self._asking.discard(question)
        self._manager.enqueue(controller, key)

    async def _is_allowed(self, user: str, access: Access) -> bool:
        attributes = {
            "verb": access.verb,
            "group": access.group,
            "resource": access.resource,
            "namespace": access.namespace,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": user,
                "resourceAttributes": {name: value for name, value in attributes.items() if value},
            },
        }
        answer = await self._manager.client.request("POST", _PATH, body=review)
        return bool((answer.get("status") or {}).get("allowed"))
