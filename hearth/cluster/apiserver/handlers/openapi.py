"""``/openapi``: the documents, built when first asked for and kept until kinds change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import orjson

from hearth.cluster.apiserver import negotiate, openapi, openapi_proto, status
from hearth.cluster.apiserver.api import Api
from hearth.cluster.apiserver.registry import Registry
from hearth.cluster.apiserver.requests import Request, Response
from hearth.cluster.apiserver.routes import not_found

PROTOBUF_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""Clients also ask with ``@`` for the first dot, which no media type may hold in an answer."""
_PROTOBUF_V2_NAMES = frozenset(
    {PROTOBUF_V2, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"}
)
_JSON = frozenset({negotiate.JSON, "*/*", "application/*"})
_YEAR = "public, max-age=31536000, immutable"


class Documents:
    """The documents of one server; all of them are dropped when a kind comes or goes."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._generation = -1
        self._bodies: dict[str, bytes] = {}

    def swagger(self, api: Api) -> bytes:
        return self._body(api, "v2", lambda: orjson.dumps(self._swagger(api)))

    def swagger_protobuf(self, api: Api) -> bytes:
        def make() -> bytes:
            return openapi_proto.encode_document(self._swagger(api))

        return self._body(api, "v2 protobuf", make)

    def index(self, api: Api) -> bytes:
        kinds = [served.kind for served in api.registry.all()]
        return self._body(api, "v3", lambda: orjson.dumps(openapi.index(kinds, self._version)))

    def group_version(self, api: Api, path: str) -> bytes | None:
        kinds = [served.kind for served in api.registry.all()]
        listed = [kind for kind in kinds if openapi.document_path(kind) == path]
        if not listed:
            return None

        def make() -> bytes:
            return orjson.dumps(openapi.group_version(listed, self._version))

        return self._body(api, path, make)

    def _swagger(self, api: Api) -> dict[str, Any]:
        return openapi.swagger([served.kind for served in api.registry.all()], self._version)

    def _body(self, api: Api, name: str, make: Callable[[], bytes]) -> bytes:
        if self._generation != api.registry.generation:
            self._generation = api.registry.generation
            self._bodies.clear()
        if name not in self._bodies:
            self._bodies[name] = make()
        return self._bodies[name]


_documents: WeakKeyDictionary[Registry, Documents] = WeakKeyDictionary()
"""One server a process, but several in a test."""


def answer(api: Api, request: Request, version: str) -> Response:
    """Answers a request under ``/openapi``; ``version`` is the server's."""
    documents = _documents.setdefault(api.registry, Documents(version))
    parts = request.path.strip("/").split("/", 2)
    if parts[1:] == ["v2"]:
        return _swagger(documents, api, request)
    if parts[1:] == ["v3"]:
        return _tagged(documents.index(api), negotiate.JSON, request)
    if parts[1:2] == ["v3"] and len(parts) == 3:
        body = documents.group_version(api, parts[2])
        if body is None:
            return not_found()
        _require(request, _JSON)
        response = _tagged(body, negotiate.JSON, request)
        if "hash" not in request.query:
            return response
        headers = (*response.headers, ("Cache-Control", _YEAR))
        return Response(response.status, response.body, response.content_type, headers)
    return not_found()


def _swagger(documents: Documents, api: Api, request: Request) -> Response:
    media = _require(request, _JSON | _PROTOBUF_V2_NAMES)
    if media in _PROTOBUF_V2_NAMES:
        return _tagged(documents.swagger_protobuf(api), PROTOBUF_V2, request)
    return _tagged(documents.swagger(api), negotiate.JSON, request)


def _require(request: Request, offered: frozenset[str]) -> str:
    """The first media type of the Accept header that is offered; 406 when none is."""
    accept = request.headers.get("accept", "") or "*/*"
    for clause in accept.split(","):
        media = negotiate.parse_media(clause)[0]
        if media in offered:
            return media
    raise status.not_acceptable((negotiate.JSON,))


def _tagged(body: bytes, media: str, request: Request) -> Response:
    """With an entity tag, so that a client that has the document need not read it again."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32].upper()}"'
    headers = (("Etag", tag), ("Vary", "Accept"))
    if request.headers.get("if-none-match") == tag:
        return Response(304, b"", media, headers)
    return Response(200, body, media, headers)
