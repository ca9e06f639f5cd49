"""Who asks for which streams by which protocol, and what is refused in whose words."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.model.status import ApiStatus
from hearth.cluster.model.user import ANONYMOUS
from hearth.cluster.rest.requests import Request
from hearth.cluster.rest.streams import (
    ATTACH,
    EXEC,
    PORT_FORWARD,
    Refusal,
    ask,
    container_of,
    upgrade_of,
)

POD: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "d", "uid": "u"},
    "spec": {"containers": [{"name": "main"}], "initContainers": [{"name": "init"}]},
}
SPDY = {"connection": "Upgrade", "upgrade": "SPDY/3.1"}
WEBSOCKET = {
    "connection": "keep-alive, Upgrade",
    "upgrade": "websocket",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version": "13",
}


def request(headers: dict[str, str], query: str = "", method: str = "GET") -> Request:
    return Request(method, "/", query, headers, b"", ANONYMOUS)


def by_spdy(versions: str, query: str = "") -> Request:
    return request(SPDY | {"x-stream-protocol-version": versions}, query, "POST")


def by_websocket(protocols: str, query: str = "", **more: str) -> Request:
    return request(WEBSOCKET | {"sec-websocket-protocol": protocols} | more, query)


@pytest.mark.parametrize(
    ("asked", "verb", "transport", "protocol"),
    [
        (by_spdy("v5.channel.k8s.io,v4.channel.k8s.io"), EXEC, "spdy", "v4.channel.k8s.io"),
        (by_spdy("channel.k8s.io"), ATTACH, "spdy", "channel.k8s.io"),
        (by_spdy("portforward.k8s.io"), PORT_FORWARD, "spdy", "portforward.k8s.io"),
        (by_websocket("v5.channel.k8s.io"), EXEC, "websocket", "v5.channel.k8s.io"),
        (
            by_websocket("x, base64.channel.k8s.io"),
            EXEC,
            "websocket",
            "base64.channel.k8s.io",
        ),
        (by_websocket(""), EXEC, "websocket", ""),
        (
            by_websocket("SPDY/3.1+portforward.k8s.io"),
            PORT_FORWARD,
            "tunnel",
            "portforward.k8s.io",
        ),
        (by_websocket("v4.channel.k8s.io"), PORT_FORWARD, "websocket", "v4.channel.k8s.io"),
    ],
)
def test_what_both_speak(asked: Request, verb: str, transport: str, protocol: str) -> None:
    upgrade = upgrade_of(asked, verb)
    assert (upgrade.transport, upgrade.protocol) == (transport, protocol)


def test_what_an_upgrade_is_answered() -> None:
    assert upgrade_of(by_spdy("v4.channel.k8s.io"), EXEC).headers == (
        ("upgrade", "SPDY/3.1"),
        ("x-stream-protocol-version", "v4.channel.k8s.io"),
    )
    tunnel = upgrade_of(by_websocket("SPDY/3.1+portforward.k8s.io"), PORT_FORWARD)
    assert dict(tunnel.headers) == {
        "upgrade": "websocket",
        "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",  # of RFC 6455, section 1.3
        "sec-websocket-protocol": "SPDY/3.1+portforward.k8s.io",
    }
    assert "sec-websocket-protocol" not in dict(upgrade_of(by_websocket(""), EXEC).headers)


def test_a_request_that_is_none_for_a_connection() -> None:
    with pytest.raises(ApiStatus, match="Upgrade request required"):
        upgrade_of(request({}), EXEC)


@pytest.mark.parametrize(
    ("asked", "verb", "code", "text"),
    [
        (request(SPDY), EXEC, 400, "header X-Stream-Protocol-Version does not exist in request"),
        (by_spdy("v9.channel.k8s.io"), EXEC, 403, "client supports [v9.channel.k8s.io], server"),
        (by_websocket("v9.channel.k8s.io"), EXEC, 403, "requested protocol(s) are not supported"),
        (by_websocket("v5.channel.k8s.io"), PORT_FORWARD, 403, "are not supported"),
        (by_websocket("", **{"sec-websocket-version": "8"}), EXEC, 400, "version 13"),
        (request(WEBSOCKET, method="POST"), EXEC, 405, "GET"),
        (request(SPDY | {"upgrade": "h2c"}), EXEC, 400, "missing upgrade headers"),
    ],
)
def test_what_is_refused_as_by_kubelet(asked: Request, verb: str, code: int, text: str) -> None:
    with pytest.raises(Refusal) as caught:
        upgrade_of(asked, verb)
    response = caught.value.response
    assert response.status == code and isinstance(response.body, bytes)
    assert text in response.body.decode()


def test_who_speaks_no_common_version_is_told_which_there_are() -> None:
    with pytest.raises(Refusal) as caught:
        upgrade_of(by_spdy("x"), PORT_FORWARD)
    accepted = ("x-accepted-stream-protocol-versions", "portforward.k8s.io")
    assert caught.value.response.headers == (accepted,)


def asked_of(query: str, verb: str = EXEC, **pod: Any) -> dict[str, Any]:
    made = by_spdy("v4.channel.k8s.io, portforward.k8s.io", query)
    whole = POD | pod
    container = container_of(whole, made.query.get("container", ""))
    return ask(made, whole, container, verb=verb, upgrade=upgrade_of(made, verb))


def test_what_the_node_is_asked() -> None:
    assert asked_of("command=sh&command=-c&command=a%26+b&stdin=true&stdout=1&stderr=true") == {
        "verb": "exec",
        "namespace": "d",
        "pod": "p",
        "uid": "u",
        "transport": "spdy",
        "protocol": "v4.channel.k8s.io",
        "container": "main",
        "command": ["sh", "-c", "a& b"],
        "streams": ["stdin", "stdout", "stderr"],
    }
    terminal = asked_of("container=init&stdout=true&stderr=true&tty=true", ATTACH)
    assert (terminal["container"], terminal["streams"]) == ("init", ["stdout", "tty"])
    assert asked_of("", PORT_FORWARD)["ports"] == []


def test_ports_of_channels() -> None:
    made = by_websocket("v4.channel.k8s.io", "ports=80,443&ports=8080")
    asked = ask(made, POD, "", verb=PORT_FORWARD, upgrade=upgrade_of(made, PORT_FORWARD))
    assert asked["ports"] == [80, 443, 8080]


@pytest.mark.parametrize("query", ["", "ports=", "ports=0", "ports=x", "ports=65536", "ports=-1"])
def test_ports_that_are_none(query: str) -> None:
    made = by_websocket("v4.channel.k8s.io", query)
    with pytest.raises(Refusal):
        ask(made, POD, "", verb=PORT_FORWARD, upgrade=upgrade_of(made, PORT_FORWARD))


def test_more_ports_than_channels() -> None:
    made = by_websocket("v4.channel.k8s.io", "&".join(f"ports={n}" for n in range(1, 130)))
    with pytest.raises(Refusal):
        ask(made, POD, "", verb=PORT_FORWARD, upgrade=upgrade_of(made, PORT_FORWARD))


@pytest.mark.parametrize("query", ["", "tty=true", "stdin=false&stdout=0", "tty=1&stderr=1"])
def test_without_a_stream(query: str) -> None:
    with pytest.raises(Refusal) as caught:
        asked_of(query)
    assert caught.value.response.body == b"you must specify at least 1 of stdin, stdout, stderr"


@pytest.mark.parametrize(
    ("query", "containers", "problem"),
    [
        ("container=x", ["main"], "container x is not valid for pod p"),
        (
            "",
            ["a", "b"],
            "a container name must be specified for pod p, choose one of: [init a b]",
        ),
        ("", [], "a container name must be specified for pod p"),
    ],
)
def test_containers_that_are_not_clear(query: str, containers: list[str], problem: str) -> None:
    spec = {**POD["spec"], "containers": [{"name": name} for name in containers]}
    with pytest.raises(ApiStatus) as caught:
        asked_of(f"stdout=true&{query}", spec=spec)
    assert caught.value.message == problem
