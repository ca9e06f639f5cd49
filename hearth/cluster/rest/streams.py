"""Exec, attach and port-forward: who asks for what, and how the connection goes on. Pure.

The API server allows, finds the container and chooses the protocol; the node, asked over a socket
in the data folder (``ask``), does the rest. What is refused is in the words of kube-apiserver
(a Status) or of kubelet (a plain text), whoever says it there.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.cluster.codec import paths
from hearth.cluster.model import status
from hearth.cluster.model.objects import Object
from hearth.cluster.rest.requests import Request, Response, text_response

EXEC, ATTACH, PORT_FORWARD = "exec", "attach", "portforward"
_STREAMS = ("stdin", "stdout", "stderr", "tty")
_COMMANDS = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
_PORTS = ("portforward.k8s.io",)
_CHANNELS = ("channel.k8s.io", "base64.channel.k8s.io")
_NUMBERED = ("v4.channel.k8s.io", "v4.base64.channel.k8s.io")
_CLOSING = "v5.channel.k8s.io"
_TUNNEL = "SPDY/3.1+"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PROTOCOLS = "sec-websocket-protocol"
VERSIONS = "x-stream-protocol-version"


class Refusal(Exception):
    """What kubelet would answer instead of an upgrade."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def _refuse(text: str, code: int = 400, headers: Sequence[tuple[str, str]] = ()) -> Refusal:
    plain = text_response(text, code)
    return Refusal(Response(code, plain.body, plain.content_type, tuple(headers)))


@dataclass(frozen=True, slots=True)
class Upgrade:
    """How a connection goes on after the answer 101, which has these header fields."""

    transport: str
    protocol: str
    headers: tuple[tuple[str, str], ...]


# -- the container -----------------------------------------------------------------------------


def container_of(pod: Object, asked: str) -> str:
    """The container that is meant; 400 where that is not clear."""
    name, spec = pod["metadata"]["name"], pod.get("spec") or {}
    kinds = ("initContainers", "containers", "ephemeralContainers")
    names = [each["name"] for kind in kinds for each in spec.get(kind) or ()]
    if asked:
        if asked not in names:
            raise status.bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    main: Sequence[Object] = spec.get("containers") or []
    if len(main) == 1:
        return str(main[0]["name"])
    problem = f"a container name must be specified for pod {name}"
    raise status.bad_request(f"{problem}, choose one of: [{' '.join(names)}]" if main else problem)


def ask(
    request: Request, pod: Object, container: str, *, verb: str, upgrade: Upgrade
) -> dict[str, Any]:
    """What the node is asked; a refusal where the request is not clear."""
    query, metadata = request.query, pod["metadata"]
    asked: dict[str, Any] = {
        "verb": verb,
        "namespace": metadata["namespace"],
        "pod": metadata["name"],
        "uid": metadata["uid"],
        "transport": upgrade.transport,
        "protocol": upgrade.protocol,
    }
    if verb == PORT_FORWARD:
        is_named = upgrade.transport == "websocket"
        return asked | {"ports": _ports(request.raw_query) if is_named else []}
    streams = [each for each in _STREAMS if paths.flag(query, each)]
    if "tty" in streams and "stderr" in streams:
        streams.remove("stderr")  # a terminal has one output
    if not set(streams) - {"tty"}:
        raise _refuse("you must specify at least 1 of stdin, stdout, stderr")
    return asked | {
        "container": container,
        "command": paths.all_values(request.raw_query, "command"),
        "streams": streams,
    }


def _ports(query: str) -> list[int]:
    """The ports that a client of channels names, one or several in each parameter."""
    given = paths.all_values(query, "ports")
    if not given:
        raise _refuse('query parameter "port" is required')
    ports = []
    for text in (part for value in given for part in value.split(",")):
        if not text.isascii() or not text.isdigit() or len(text) > 5 or int(text) > 65535:
            raise _refuse(f'unable to parse "{text}" as a port')
        if int(text) < 1:
            raise _refuse(f'port "{text}" must be > 0')
        ports.append(int(text))
    if len(ports) > 127:
        raise _refuse("more ports than there are channels")
    return ports


# -- the protocol ------------------------------------------------------------------------------


def upgrade_of(request: Request, verb: str) -> Upgrade:
    """The protocol that a client and this server have in common."""
    headers = request.headers
    if "upgrade" not in headers.get("connection", "").lower():
        raise status.bad_request("Upgrade request required")
    wanted = headers.get("upgrade", "").lower()
    if wanted == "websocket":
        return _websocket(request, verb)
    if "spdy/3.1" in wanted:
        return _spdy(headers, verb)
    raise _refuse("unable to upgrade: missing upgrade headers in request")


def _listed(headers: Mapping[str, str], name: str) -> list[str]:
    return [part.strip() for part in headers.get(name, "").split(",") if part.strip()]


def _spdy(headers: Mapping[str, str], verb: str) -> Upgrade:
    server = _PORTS if verb == PORT_FORWARD else _COMMANDS
    if VERSIONS not in headers:
        name, count = "X-Stream-Protocol-Version", len(headers)
        problem = f"header {name} does not exist in request with {count} headers"
        raise _refuse(f"unable to upgrade: {problem}\n")
    client = _listed(headers, VERSIONS)
    protocol = next((each for each in client if each in server), None)
    if protocol is None:
        problem = f"client supports [{' '.join(client)}], server accepts [{' '.join(server)}]"
        accepted = [("x-accepted-stream-protocol-versions", each) for each in server]
        text = f"unable to upgrade: unable to negotiate protocol: {problem}\n"
        raise _refuse(text, 403, accepted)
    fields = (("upgrade", "SPDY/3.1"), (VERSIONS, protocol))
    return Upgrade("spdy", protocol, fields)


def _websocket(request: Request, verb: str) -> Upgrade:
    headers = request.headers
    key = headers.get("sec-websocket-key", "")
    if request.method != "GET":
        raise _refuse("a WebSocket begins with GET", 405)
    if not key or headers.get("sec-websocket-version") != "13":
        raise _refuse("not a WebSocket handshake of version 13")
    protocol = _common(_listed(headers, PROTOCOLS), verb)
    fields = [("upgrade", "websocket"), ("sec-websocket-accept", _accept(key))]
    if protocol:
        fields.append((PROTOCOLS, protocol))
    if protocol.startswith(_TUNNEL):
        return Upgrade("tunnel", protocol.removeprefix(_TUNNEL), tuple(fields))
    return Upgrade("websocket", protocol, tuple(fields))


def _common(client: Sequence[str], verb: str) -> str:
    """The protocol to speak; none where the client names none: that of plain channels."""
    if verb == PORT_FORWARD:
        server = (*(f"{_TUNNEL}{each}" for each in _PORTS), *_NUMBERED)
    else:
        server = (_CLOSING, *_NUMBERED, *_CHANNELS)
    if not client:
        return ""
    protocol = next((each for each in client if each in server), None)
    if protocol is None:
        problem = f"[{' '.join(client)}]; supports [{' '.join(server)}]"
        raise _refuse(f"requested protocol(s) are not supported: {problem}", 403)
    return protocol


def _accept(key: str) -> str:
    """The value of Sec-WebSocket-Accept (RFC 6455, section 4.2.2)."""
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()
