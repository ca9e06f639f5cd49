"""Errors of talking to a Kubernetes API, and what a reconciler may raise.

::

    ApiError                   an answer of the server (or none at all)
      BadRequest 400  Unauthorized 401  Forbidden 403 (NamespaceEnding)  NotFound 404
      AlreadyExists 409  Conflict 409  Gone 410  Invalid 422
      TooManyRequests 429  Unavailable 5xx, no answer
    Retryable                  a reconciler wants to be called again, with back-off
    Terminal                   a reconciler cannot succeed until something changes
"""

from __future__ import annotations

import re
from typing import Any

_MISSING_RIGHT = re.compile(
    r'cannot (\S+) resource "([^"]+)" in API group "([^"]*)" (?:at the|in the) (cluster|namespace)'
)
"""How Kubernetes' RBAC refuses."""


class ApiError(Exception):
    """A ``Status`` object of kind Failure, as an exception."""

    def __init__(self, status: dict[str, Any]) -> None:
        super().__init__(status.get("message", ""))
        self.status = status

    @property
    def code(self) -> int:
        """The HTTP status; 0 when there was no answer."""
        return int(self.status.get("code", 0))

    @property
    def reason(self) -> str:
        """The reason in one word, as Kubernetes names it."""
        return str(self.status.get("reason", ""))

    @property
    def message(self) -> str:
        """What the server said."""
        return str(self.status.get("message", ""))

    @property
    def details(self) -> dict[str, Any]:
        """What the error is about, and its causes."""
        return self.status.get("details") or {}

    @property
    def facts(self) -> dict[str, str]:
        """What a log line tells of it."""
        return {"error": self.message}


class BadRequest(ApiError):
    """The request cannot be understood."""


class Unauthorized(ApiError):
    """The server does not know who asks."""


class Forbidden(ApiError):
    """Who asks may not do that, or nobody may now."""

    @property
    def rule(self) -> str:
        """The rule of a role that would allow it, as YAML; "" where no right is missing."""
        found = _MISSING_RIGHT.search(self.message)
        if found is None:
            return ""
        verb, resource, group, scope = found.groups()
        rule = f'{{apiGroups: ["{group}"], resources: ["{resource}"], verbs: ["{verb}"]}}'
        return f"{rule} in a {'ClusterRole' if scope == 'cluster' else 'Role of that namespace'}"

    @property
    def facts(self) -> dict[str, str]:
        """What the server said, and the rule to add where it is a right that lacks."""
        return {"error": self.message} | ({"rule": self.rule} if self.rule else {})


class NamespaceEnding(Forbidden):
    """Nothing can be made in a namespace any more: it is being deleted."""

    def __init__(self, status: dict[str, Any], namespace: str) -> None:
        super().__init__(status)
        self.namespace = namespace


class NotFound(ApiError):
    """There is no such object, or no such resource."""


class AlreadyExists(ApiError):
    """There is an object of that name."""


class NameTaken(ApiError):
    """An object of that name is there that somebody else has made.

    Caches that see objects of a label alone do not know of it.
    """


class Conflict(ApiError):
    """The object was changed since it was read."""


class Gone(ApiError):
    """The resource version asked for is compacted away: list anew."""


class Invalid(ApiError):
    """The object breaks a rule of its kind."""


class TooManyRequests(ApiError):
    """The server asks to come back later."""


class Unavailable(ApiError):
    """The server failed, or could not be reached; the request may or may not have been done."""


class Retryable(Exception):
    """Try the same key again, with back-off."""


class Terminal(Exception):
    """Trying again will not help; logged and counted once."""


_BY_CODE: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}


def error_for(status: dict[str, Any]) -> ApiError:
    """Return the exception for a ``Status`` object."""
    code = int(status.get("code", 0))
    if code == 409:
        return (
            AlreadyExists(status) if status.get("reason") == "AlreadyExists" else Conflict(status)
        )
    if code >= 500 or code == 0:
        return Unavailable(status)
    return _BY_CODE.get(code, ApiError)(status)


def is_terminating(error: ApiError) -> bool:
    """Whether a write was refused because its namespace is being deleted."""
    causes = error.details.get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


def unreachable(server: str, cause: BaseException) -> Unavailable:
    """Return the error for a request that got no answer."""
    text = f"the server {server} cannot be reached: {cause or type(cause).__name__}"
    return Unavailable({"kind": "Status", "status": "Failure", "message": text, "code": 0})
