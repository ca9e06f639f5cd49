"""What the handlers share: a request joined with the resource it is about."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from hearth.cluster.codec.negotiate import PLAIN
from hearth.cluster.codec.paths import Target
from hearth.cluster.model import fielderrors, status
from hearth.cluster.model.kind import Kind
from hearth.cluster.model.objects import Entry, Key, Object
from hearth.cluster.model.served import Served
from hearth.cluster.operations import options
from hearth.cluster.operations.api import Api
from hearth.cluster.operations.options import WriteOptions
from hearth.cluster.operations.writes import Write, Written
from hearth.cluster.rest import shapes
from hearth.cluster.rest.requests import Request, Response, json_response


class Call(NamedTuple):
    """One request for one resource."""

    api: Api
    request: Request
    target: Target
    served: Served

    @property
    def kind(self) -> Kind:
        """The kind that the path names."""
        return self.served.kind

    @property
    def key(self) -> Key:
        """Where the object that the path names is in the store."""
        namespace = self.target.namespace if self.kind.namespaced else ""
        return Key(self.served.resource, namespace, self.target.name)

    @property
    def include(self) -> str:
        """The includeObject parameter of Tables."""
        given = self.request.query.get("includeObject", "")
        if given not in ("", "Metadata", "Object", "None"):
            problem = "must be 'Metadata', 'Object', 'None', or empty"
            error = fielderrors.invalid("includeObject", given, problem)
            raise status.bad_request(f"Unable to convert to Table as requested: {error}")
        return given or "Metadata"

    def write(self, write_options: WriteOptions, *, name: str | None = None) -> Write:
        """The write this request asks for; ``name`` where the path has none."""
        return Write(
            api=self.api,
            served=self.served,
            namespace=self.key.namespace,
            name=self.target.name if name is None else name,
            subresource=self.target.subresource,
            options=write_options,
            manager=self.request.manager,
            user=self.request.user,
            warnings=self.request.warnings,
        )

    def write_options(self, kind: str) -> WriteOptions:
        """The options of a write; ``kind`` is CreateOptions, UpdateOptions or PatchOptions."""
        return options.write_options(self.request.query, self.request.raw_query, kind)


def entry_response(call: Call, entry: Entry, code: int = 200) -> Response:
    """One stored object in the form asked for; its bytes as they are where that is enough."""
    output = call.request.output
    if output is PLAIN or (not output.shape and output.media == PLAIN.media):
        return Response(code, call.served.full(entry))
    return object_response(call, call.served.parse(entry), code)


def object_response(call: Call, obj: Object, code: int = 200) -> Response:
    """An object that is not stored, in the form that was asked for."""
    output = call.request.output
    if output.shape == shapes.PARTIAL_LIST:
        raise status.wrong_shape(output.shape, f"is not a list ({shapes.go_type(call.kind)})")
    include = call.include if output.shape == shapes.TABLE else "Metadata"
    shaped = shapes.shaped(call.kind, obj, output, call.api.clock(), include=include)
    return value_response(call.request, shaped, code)


def value_response(request: Request, value: Any, code: int = 200) -> Response:
    """Any value as JSON, or as YAML where that was asked for."""
    if request.output.media == PLAIN.media:
        return json_response(value, code)
    import yaml

    text = yaml.safe_dump(orjson.loads(orjson.dumps(value)), sort_keys=True)
    return Response(code, text.encode(), request.output.media)


def written_response(call: Call, written: Written) -> Response:
    """The outcome of a write: 201 for what is new, else 200."""
    code = 201 if written.created else 200
    if written.entry is not None:
        return entry_response(call, written.entry, code)
    assert written.obj is not None
    return object_response(call, written.obj, code)
