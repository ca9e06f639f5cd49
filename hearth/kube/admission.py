"""Admission webhooks: AdmissionReview v1 on the outside, plain handlers on the inside.

A handler takes an ``AdmissionRequest`` and gives an ``AdmissionResponse``; it may be a coroutine
function. ``make_app`` serves handlers by path; serving and eventing put theirs on one server.
"""

from __future__ import annotations

import base64
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hearth.kube.meta import Object
from hearth.kube.patch import create_json_patch

log = logging.getLogger(__name__)

CREATE, UPDATE, DELETE, CONNECT = "CREATE", "UPDATE", "DELETE", "CONNECT"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """What the API server asks about. Objects are None where the operation has none."""

    uid: str
    group: str
    version: str
    kind: str
    resource: str
    operation: str
    name: str = ""
    namespace: str = ""
    subresource: str = ""
    username: str = ""
    groups: tuple[str, ...] = ()
    dry_run: bool = False
    object: Object | None = None
    old_object: Object | None = None


@dataclass(frozen=True, slots=True)
class AdmissionResponse:
    """``changed`` is the object as a mutating webhook wants it; None leaves it as it is."""

    allowed: bool = True
    message: str = ""
    code: int = 403
    reason: str = "Forbidden"
    warnings: tuple[str, ...] = ()
    changed: Object | None = None


Handler = Callable[[AdmissionRequest], AdmissionResponse | Awaitable[AdmissionResponse]]

ALLOWED = AdmissionResponse()


class BadReview(ValueError):
    """The body is no AdmissionReview with a request."""


def decode(body: bytes) -> AdmissionRequest:
    """Read an AdmissionReview; raise ValueError when it is none."""
    try:
        request = orjson.loads(body)["request"]
        kind, resource = request["kind"], request["resource"]
        user: Mapping[str, Any] = request.get("userInfo") or {}
        return AdmissionRequest(
            uid=request["uid"],
            group=kind.get("group", ""),
            version=kind["version"],
            kind=kind["kind"],
            resource=resource["resource"],
            operation=request["operation"],
            name=request.get("name", ""),
            namespace=request.get("namespace", ""),
            subresource=request.get("subResource", ""),
            username=user.get("username", ""),
            groups=tuple(user.get("groups") or ()),
            dry_run=bool(request.get("dryRun")),
            object=request.get("object"),
            old_object=request.get("oldObject"),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadReview(f"could not decode body: {error!r}") from None


def encode(request: AdmissionRequest, response: AdmissionResponse) -> bytes:
    """Return the AdmissionReview that answers the request."""
    answer: dict[str, Any] = {"uid": request.uid, "allowed": response.allowed}
    if not response.allowed:
        answer["status"] = {
            "metadata": {},
            "status": "Failure",
            "message": response.message,
            "reason": response.reason,
            "code": response.code,
        }
    elif response.changed is not None:
        operations = create_json_patch(request.object, response.changed)
        if operations:
            answer["patchType"] = "JSONPatch"
            answer["patch"] = base64.b64encode(orjson.dumps(operations)).decode()
    if response.warnings:
        answer["warnings"] = list(response.warnings)
    return orjson.dumps(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}
    )


def review_object(request: AdmissionRequest) -> Object:
    """Return the AdmissionReview that asks this; what tests and other callers send."""
    kind = {"group": request.group, "version": request.version, "kind": request.kind}
    resource = {"group": request.group, "version": request.version, "resource": request.resource}
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": request.uid,
            "kind": kind,
            "resource": resource,
            "subResource": request.subresource,
            "name": request.name,
            "namespace": request.namespace,
            "operation": request.operation,
            "userInfo": {"username": request.username, "groups": list(request.groups)},
            "object": request.object,
            "oldObject": request.old_object,
            "dryRun": request.dry_run,
        },
    }


@dataclass(frozen=True, slots=True)
class Mounted:
    """One handler as an HTTP endpoint."""

    handler: Handler
    path: str = ""

    async def __call__(self, request: Request) -> Response:
        """Answer one AdmissionReview."""
        try:
            asked = decode(await request.body())
        except BadReview as error:
            return PlainTextResponse(str(error), status_code=400)
        try:
            answer = self.handler(asked)
            if inspect.isawaitable(answer):
                answer = await answer
        except Exception as error:
            # A bug in a handler: the client is told, the cause is logged once.
            log.exception(
                "admission handler failed",
                extra={"path": self.path, "kind": asked.kind, "object": asked.name},
            )
            answer = AdmissionResponse(
                allowed=False,
                message=f"internal error: {type(error).__name__}",
                code=500,
                reason="InternalError",
            )
        return Response(encode(asked, answer), media_type=_JSON)


async def _healthy(request: Request) -> Response:
    return PlainTextResponse("ok")


def make_app(handlers: Mapping[str, Handler]) -> Starlette:
    """Return an ASGI application that serves each handler at its path, and ``/health``."""
    routes = [Route("/health", _healthy)]
    for path, handler in handlers.items():
        mounted = Mounted(handler, path)

        async def endpoint(request: Request, mounted: Mounted = mounted) -> Response:
            return await mounted(request)

        routes.append(Route(path, endpoint, methods=["POST"]))
    return Starlette(routes=routes)
