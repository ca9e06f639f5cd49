"""What the server tells about itself: health, version, discovery, OpenAPI, signing keys."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from hearth.cluster.codec import paths
from hearth.cluster.model import status
from hearth.cluster.operations import auth
from hearth.cluster.operations.api import Api
from hearth.cluster.rest import discovery
from hearth.cluster.rest.access import check_path_access, not_found
from hearth.cluster.rest.aggregation import group_items
from hearth.cluster.rest.handlers.common import value_response
from hearth.cluster.rest.handlers.openapi import OpenApiDocuments
from hearth.cluster.rest.requests import Request, Response, json_response, text_response

GIT_VERSION = "v1.36.2"
"""The Kubernetes release whose behaviour the server follows."""
OPEN_PATHS = frozenset({"/healthz", "/livez", "/readyz", "/version", "/version/"})
"""Anybody may see these, as in Kubernetes."""


async def handle_information(api: Api, documents: OpenApiDocuments, request: Request) -> Response:
    """Answers a request that names no resource."""
    path = request.path
    if path.rstrip("/") in OPEN_PATHS or path.startswith(("/livez/", "/readyz/", "/healthz/")):
        return _open(api, request)
    check_path_access(request.user, request)
    if request.method not in ("GET", "HEAD"):
        raise status.method_not_allowed()
    if path.startswith(("/openapi/v2", "/openapi/v3")):
        return await documents.answer(api, request) or not_found()
    for prefix, handler in _HANDLERS.items():
        if path == prefix or path.startswith(prefix + "/"):
            return handler(api, request)
    return not_found()


def _open(api: Api, request: Request) -> Response:
    if request.path.startswith("/version"):
        return json_response(version())
    ready = not api.stopping
    if "verbose" in request.query:
        check = request.path.strip("/").partition("/")[0]
        mark = "+" if ready else "-"
        lines = [f"[{mark}]ping ok", f"[{mark}]store ok", f"{check} check passed", ""]
        return text_response("\n".join(lines), 200 if ready else 500)
    return text_response("ok") if ready else text_response("shutting down", 500)


def version() -> dict[str, str]:
    """The answer of ``/version``: which Kubernetes this server behaves as."""
    major, minor = GIT_VERSION.removeprefix("v").split(".")[:2]
    return {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": GIT_VERSION,
        "gitCommit": "hearth",
        "gitTreeState": "",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "python",
        "compiler": "python",
        "platform": "linux/amd64",
    }


def _core(api: Api, request: Request) -> Response:
    parts = request.path.strip("/").split("/")
    output = request.output
    if len(parts) == 1:
        if output.shape == "APIGroupDiscoveryList":
            return _aggregated(api, request, core=True)
        return value_response(request, discovery.core_versions(api.address))
    document = discovery.resource_list(api.kinds, "", parts[1]) if len(parts) == 2 else None
    if document is None:
        raise status.no_such_resource()
    return value_response(request, document)


def _groups(api: Api, request: Request) -> Response:
    parts = [paths.unquote_path(part) for part in request.path.strip("/").split("/")]
    if len(parts) == 1:
        if request.output.shape == "APIGroupDiscoveryList":
            return _aggregated(api, request, core=False)
        return value_response(request, discovery.group_list(api.aggregates))
    if len(parts) == 2:
        document = discovery.api_group(api.aggregates, parts[1])
    elif len(parts) == 3:
        document = discovery.resource_list(api.kinds, parts[1], parts[2])
    else:
        document = None
    if document is None and api.kinds.has_builtin(parts[1]):
        raise status.no_such_resource()
    return not_found() if document is None else value_response(request, document)


def _aggregated(api: Api, request: Request, *, core: bool) -> Response:
    output = request.output
    elsewhere = group_items(api.aggregates)
    value = discovery.aggregated(
        api.kinds, core=core, version=output.shape_version, elsewhere=elsewhere
    )
    content_type = (
        f"{output.media};g={output.shape_group};v={output.shape_version};as={output.shape}"
    )
    return Response(200, orjson.dumps(value), content_type)


def _keys(api: Api, request: Request) -> Response:
    body = orjson.dumps(api.signer.keys())
    return Response(200, body, "application/jwk-set+json")


def _issuer(api: Api, request: Request) -> Response:
    return json_response(
        {
            "issuer": auth.ISSUER,
            "jwks_uri": f"https://{api.address}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }
    )


_HANDLERS: dict[str, Callable[[Api, Request], Response]] = {
    "/api": _core,
    "/apis": _groups,
    "/openid/v1/jwks": _keys,
    "/.well-known/openid-configuration": _issuer,
}
