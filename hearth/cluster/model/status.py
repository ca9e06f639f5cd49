"""``Status`` answers of the API server: every refusal as an exception, in Kubernetes' words.

Handlers raise ``ApiStatus``; the HTTP layer turns it into an answer. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hearth.cluster.model.fielderrors import FieldError, aggregate


class ApiStatus(Exception):
    """A request refused: what the client is told, and with which code."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        continue_token: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.continue_token = continue_token

    def body(self) -> dict[str, Any]:
        """The ``Status`` object."""
        metadata = {"continue": self.continue_token} if self.continue_token else {}
        status: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": metadata}
        status |= {"status": "Failure", "message": self.message}
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        return status | {"code": self.code}


def _named(group: str, resource: str, name: str) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if resource:
        details["kind"] = resource
    return details


def _qualified(group: str, resource: str) -> str:
    return f"{resource}.{group}" if group else resource


def not_found(group: str, resource: str, name: str) -> ApiStatus:
    """404: there is no object of this name."""
    message = f'{_qualified(group, resource)} "{name}" not found'
    return ApiStatus(404, "NotFound", message, details=_named(group, resource, name))


def no_such_resource() -> ApiStatus:
    """No route leads there, though the API group exists."""
    message = "the server could not find the requested resource"
    return ApiStatus(404, "NotFound", message, details={})


def already_exists(group: str, resource: str, name: str) -> ApiStatus:
    """409: an object of this name is there."""
    message = f'{_qualified(group, resource)} "{name}" already exists'
    return ApiStatus(409, "AlreadyExists", message, details=_named(group, resource, name))


def conflict(group: str, resource: str, name: str, *, why: str) -> ApiStatus:
    """409: the object is not what the write was built on."""
    message = f'Operation cannot be fulfilled on {_qualified(group, resource)} "{name}": {why}'
    return ApiStatus(409, "Conflict", message, details=_named(group, resource, name))


MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


def causes(errors: Sequence[FieldError]) -> list[dict[str, str]]:
    """Field errors as the ``causes`` of a Status."""
    return [{"reason": e.reason, "message": e.message, "field": e.field} for e in errors]


def invalid(group: str, kind: str, name: str, *, errors: Sequence[FieldError]) -> ApiStatus:
    """422: the object breaks these rules."""
    message = f'{_qualified(group, kind)} "{name}" is invalid: {aggregate(errors)}'
    details = _named(group, kind, name) | {"causes": causes(errors)}
    return ApiStatus(422, "Invalid", message, details=details)


def bad_request(message: str) -> ApiStatus:
    """400: the request cannot be read."""
    return ApiStatus(400, "BadRequest", message)


def unauthorized() -> ApiStatus:
    """401: the token is not valid."""
    return ApiStatus(401, "Unauthorized", "Unauthorized")


def forbidden(group: str, resource: str, name: str, *, why: str) -> ApiStatus:
    """403: the caller, or admission, may not do this to the object."""
    subject = f'{_qualified(group, resource)} "{name}"' if name else _qualified(group, resource)
    details = _named(group, resource, name)
    return ApiStatus(403, "Forbidden", f"{subject} is forbidden: {why}", details=details)


def forbidden_path(message: str) -> ApiStatus:
    """403: the caller may not ask for a path that names no resource."""
    return ApiStatus(403, "Forbidden", f"forbidden: {message}", details={})


def method_not_allowed() -> ApiStatus:
    """405: the resource has no such verb."""
    message = "the server does not allow this method on the requested resource"
    return ApiStatus(405, "MethodNotAllowed", message, details={})


def verb_not_supported(group: str, resource: str, verb: str) -> ApiStatus:
    """405: the resource has the verb, and not in this form."""
    message = f'{verb} is not supported on resources of kind "{_qualified(group, resource)}"'
    return ApiStatus(405, "MethodNotAllowed", message, details=_named(group, resource, ""))


def unsupported_media_type(accepted: Sequence[str]) -> ApiStatus:
    """415: the body is in a form that is not read."""
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(accepted)
    )
    return ApiStatus(415, "UnsupportedMediaType", message)


def not_acceptable(offered: Sequence[str]) -> ApiStatus:
    """406: the client accepts no form that is offered."""
    message = "only the following media types are accepted: " + ", ".join(offered)
    return ApiStatus(406, "NotAcceptable", message)


def wrong_shape(shape: str, problem: str) -> ApiStatus:
    """A list was asked for as an object, or the other way around."""
    message = f"you requested {shape}, but the requested object {problem}"
    return ApiStatus(406, "NotAcceptable", message)


def too_large(limit: int) -> ApiStatus:
    """413: the body is above ``limit`` bytes."""
    message = f"Request entity is too large: limit is {limit}"
    return ApiStatus(413, "RequestEntityTooLarge", message)


def expired(message: str, *, continue_token: str = "") -> ApiStatus:
    """410: what the request builds on is compacted away."""
    return ApiStatus(410, "Expired", message, continue_token=continue_token)


def too_old(asked: int, oldest: int) -> ApiStatus:
    """410: a watch from a revision that is gone."""
    return expired(f"too old resource version: {asked} ({oldest})")


def too_new(asked: int, current: int) -> ApiStatus:
    """The resource version asked for has not been reached; the client shall try again."""
    details = {
        "causes": [
            {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"},
        ],
        "retryAfterSeconds": 1,
    }
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return ApiStatus(504, "Timeout", message, details=details)


def internal(message: str) -> ApiStatus:
    """500: the server cannot go on with this request."""
    details = {"causes": [{"message": message}]}
    text = f"Internal error occurred: {message}"
    return ApiStatus(500, "InternalError", text, details=details)


def backend_failed(problem: str) -> ApiStatus:
    """500: the node does not answer, in kube-apiserver's words."""
    return ApiStatus(500, "", f"error dialing backend: {problem}")


def unprocessable() -> ApiStatus:
    """A JSON patch that does not fit its object; Kubernetes tells no more than this."""
    message = "the server rejected our request due to an error in our request"
    return ApiStatus(422, "Invalid", message, details={})


def storage_full(message: str) -> ApiStatus:
    """507: the disk is full."""
    return ApiStatus(507, "InsufficientStorage", message)


def too_many_requests(message: str, *, details: dict[str, Any] | None = None) -> ApiStatus:
    """429: not now; for evictions, because of a budget."""
    return ApiStatus(429, "TooManyRequests", message, details=details or {})


def unavailable(verb: str, resource: str) -> ApiStatus:
    """503: who could answer is away; client-go's words."""
    message = f"the server is currently unable to handle the request ({verb} {resource})"
    return ApiStatus(503, "ServiceUnavailable", message, details={})


def success(details: dict[str, Any]) -> dict[str, Any]:
    """The ``Status`` of a deletion that is complete."""
    head = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
    return head | {"status": "Success", "details": details}
