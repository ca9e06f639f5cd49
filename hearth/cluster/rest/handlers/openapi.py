"""The OpenAPI documents over HTTP; each is built when first asked for, and kept as bytes.

A document is built in a thread of its own: the largest takes a good part of a second, which other
requests shall not wait for.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping

import orjson

from hearth.cluster.codec.negotiate import JSON
from hearth.cluster.model import status
from hearth.cluster.model.kind import Kind
from hearth.cluster.operations.api import Api
from hearth.cluster.rest import openapi
from hearth.cluster.rest.aggregation import documents
from hearth.cluster.rest.openapi_proto import encode_document
from hearth.cluster.rest.requests import Request, Response

_V2 = "/openapi/v2"
_V3 = "/openapi/v3"
_V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
_V2_PROTOBUF_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_V3_PROTOBUF = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf"


class OpenApiDocuments:
    """The documents of one server, as long as its kinds stay the same."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._generation = (-1, -1)
        self._documents: dict[str, bytes] = {}
        self._building = asyncio.Lock()

    async def answer(self, api: Api, request: Request) -> Response | None:
        """The document of a path; None where there is none."""
        accept = request.headers.get("accept", "")
        kinds = [served.kind for served in api.kinds.all()]
        path = request.path.rstrip("/")
        if path == _V2:
            return await self._swagger(api, kinds, accept)
        if path == _V3:
            build = lambda: self._index(kinds, documents(api.aggregates))
            return _answer(await self._built(api, path, build), JSON, request)
        if _V3_PROTOBUF in accept and JSON not in accept and "*/*" not in accept:
            raise status.not_acceptable((JSON,))
        place = path.removeprefix(_V3 + "/")
        listed = [kind for kind in kinds if openapi.document_path(kind) == place]
        if not listed:
            return None
        build = lambda: orjson.dumps(openapi.group_version(listed, self._version))
        return _answer(await self._built(api, path, build), JSON, request)

    async def _swagger(self, api: Api, kinds: list[Kind], accept: str) -> Response:
        def build() -> bytes:
            document = openapi.swagger(kinds, self._version)
            return encode_document(document) if is_protobuf else orjson.dumps(document)

        is_protobuf = _V2_PROTOBUF in accept
        media = _V2_PROTOBUF_TYPE if is_protobuf else JSON
        return Response(200, await self._built(api, f"{_V2} {media}", build), media)

    def _index(self, kinds: list[Kind], elsewhere: Mapping[str, str]) -> bytes:
        index = openapi.index(kinds, self._version)
        for path, url in elsewhere.items():
            index["paths"].setdefault(path, {"serverRelativeURL": url})
        return orjson.dumps(index)

    async def _built(self, api: Api, name: str, build: Callable[[], bytes]) -> bytes:
        async with self._building:
            generation = api.kinds.generation, api.aggregates.generation
            if self._generation != generation:
                self._generation = generation
                self._documents.clear()
            if name not in self._documents:
                self._documents[name] = await asyncio.to_thread(build)
            return self._documents[name]


def _answer(body: bytes, media: str, request: Request) -> Response:
    """With an ETag, so that clients keep what they have."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32].upper()}"'
    headers = (("etag", tag), ("vary", "Accept"))
    if request.headers.get("if-none-match") == tag:
        return Response(304, b"", media, headers)
    return Response(200, body, media, headers)
