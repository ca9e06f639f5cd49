"""From a request to its handler: the verb of a path and method, and who may use it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from hearth.cluster.codec import paths
from hearth.cluster.codec.paths import Target
from hearth.cluster.model import status
from hearth.cluster.model.aggregates import Aggregate
from hearth.cluster.model.served import Served
from hearth.cluster.operations.api import Api
from hearth.cluster.operations.options import list_options
from hearth.cluster.rest.access import check_access, check_path_access, not_found
from hearth.cluster.rest.handlers import (
    deleting,
    pods,
    reading,
    reviews,
    scaling,
    sending,
    streaming,
    usage,
    watching,
    writing,
)
from hearth.cluster.rest.handlers.common import Call
from hearth.cluster.rest.requests import Request, Response
from hearth.cluster.rest.usage import GROUP as METRICS

Handler = Callable[[Call], Awaitable[Response]]

_COLLECTION_VERBS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_OBJECT_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_MAIN: Mapping[str, Handler] = {
    "get": reading.get,
    "list": reading.list_objects,
    "create": writing.post,
    "update": writing.put,
    "patch": writing.patch,
    "delete": deleting.delete_one,
    "deletecollection": deleting.delete_collection,
}
_STATUS: Mapping[str, Handler] = {
    "get": reading.get,
    "update": writing.put,
    "patch": writing.patch,
}
_SCALE: Mapping[str, Handler] = {
    "get": scaling.get,
    "update": scaling.put,
    "patch": scaling.patch,
}
_CONNECT: Mapping[str, Handler] = {"get": streaming.connect, "create": streaming.connect}
_SUBRESOURCES: Mapping[tuple[str, str], Mapping[str, Handler]] = {
    ("pods", "log"): {"get": pods.log},
    ("pods", "binding"): {"create": pods.bind},
    ("pods", "exec"): _CONNECT,
    ("pods", "attach"): _CONNECT,
    ("pods", "portforward"): _CONNECT,
    ("pods", "eviction"): {"create": pods.evict},
    ("serviceaccounts", "token"): {"create": reviews.request_token},
    ("namespaces", "finalize"): {"update": writing.finalize},
}
_EVERYWHERE: Mapping[str, Mapping[str, Handler]] = {"status": _STATUS, "scale": _SCALE}
_REVIEW_GROUPS = frozenset({"authentication.k8s.io", "authorization.k8s.io"})


def verb_of(request: Request, target: Target) -> str:
    """The verb of a request; empty where the method has none there."""
    method = "GET" if request.method == "HEAD" else request.method
    if target.subresource:
        return "create" if method == "POST" else _OBJECT_VERBS.get(method, "")
    if not target.name:
        verb = _COLLECTION_VERBS.get(method, "")
        return "watch" if verb == "list" and paths.flag(request.query, "watch") else verb
    if method == "GET" and paths.flag(request.query, "watch"):
        return "watch"
    return _OBJECT_VERBS.get(method, "")


async def handle_resource(api: Api, request: Request, target: Target) -> Response:
    """Answers a request below /api/VERSION or /apis/GROUP/VERSION."""
    verb = verb_of(request, target)
    check_access(request.user, target, verb or request.method.lower())
    served = api.kinds.get(target.group, target.version, target.plural)
    if served is None:
        if api.kinds.has_builtin(target.group):
            raise status.no_such_resource()
        return not_found()
    call = Call(api, request, target, served)
    if target.subresource:
        return await _subresource_handler(call, verb)(call)
    if not verb or not _fits_scope(served, target, verb):
        raise status.method_not_allowed()
    if target.group == METRICS:
        return await usage.answer(call, verb)
    if verb == "watch":
        return await watching.watch(call, list_options(dict(request.query) | {"watch": "1"}))
    if verb not in served.kind.verbs:
        raise status.method_not_allowed()
    if target.group in _REVIEW_GROUPS:
        return await reviews.review(call)
    return await _MAIN[verb](call)


async def handle_aggregate(api: Api, request: Request, aggregate: Aggregate) -> Response:
    """Answers a request that another server answers for."""
    target = paths.parse_target(request.path)
    if target is None:
        check_path_access(request.user, request)
    else:
        check_access(request.user, target, verb_of(request, target) or request.method.lower())
    return await sending.send_on(api, request, aggregate)


def _fits_scope(served: Served, target: Target, verb: str) -> bool:
    """Objects of a namespaced kind are made and named inside a namespace."""
    if not served.kind.namespaced:
        return True
    return bool(target.namespace) or verb in ("list", "watch")


def _subresource_handler(call: Call, verb: str) -> Handler:
    name, kind = call.target.subresource, call.kind
    if name not in kind.subresources:
        raise status.no_such_resource()
    if kind.namespaced and not call.target.namespace:
        raise status.no_such_resource()
    handlers = _SUBRESOURCES.get((call.served.resource, name)) or _EVERYWHERE.get(name)
    if handlers is None:
        raise status.no_such_resource()
    if verb not in handlers:
        raise status.method_not_allowed()
    return handlers[verb]
