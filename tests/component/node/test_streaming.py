"""Exec, attach and port-forward through the API server, by all protocols."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import struct
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from kubernetes import client as official
from kubernetes import config as official_config
from kubernetes.stream import portforward, stream

from hearth.cluster.node.runtime.processes.marks import find_marked
from hearth.cluster.node.streaming import server as streaming
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.resources import PODS
from tests.streams import SpdyClient

Cluster = Any
Look = Any
WebSocket = aiohttp.ClientWebSocketResponse
V4, V5 = "v4.channel.k8s.io", "v5.channel.k8s.io"
BASE64 = "v4.base64.channel.k8s.io"
STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)


class Api:
    """A client of the API server for what is no plain request."""

    def __init__(self, cluster: Cluster, session: aiohttp.ClientSession) -> None:
        self.cluster = cluster
        self.session = session
        self.context = ssl.create_default_context(cafile=str(cluster.server.ca_cert))

    def path(self, pod: str, what: str, **query: Any) -> str:
        return f"/api/v1/namespaces/default/pods/{pod}/{what}?{urlencode(query, doseq=True)}"

    @contextlib.asynccontextmanager
    async def websocket(
        self, pod: str, what: str, *protocols: str, **query: Any
    ) -> AsyncIterator[WebSocket]:
        async with self.session.ws_connect(
            self.cluster.server.url + self.path(pod, what, **query),
            protocols=protocols or (V5,),
            headers={"authorization": f"Bearer {self.cluster.server.token}"},
            ssl=self.context,
        ) as opened:
            yield opened

    @contextlib.asynccontextmanager
    async def spdy(
        self, pod: str, what: str, version: str = V4, **query: Any
    ) -> AsyncIterator[SpdyClient]:
        host, port = self.cluster.server.url.removeprefix("https://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), ssl=self.context)
        made = SpdyClient(reader, writer)
        path, token = self.path(pod, what, **query), self.cluster.server.token
        try:
            yield await made.upgrade(path, f"{host}:{port}", token, version)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


@pytest.fixture
async def api(cluster: Cluster) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as session:
        yield Api(cluster, session)


@pytest.fixture
async def pod(cluster: Cluster, look: Look) -> str:
    await cluster.create("p", "exec sleep 1000")
    await cluster.until("p", look.is_ready)
    return "p"


def script(text: str, *streams: str) -> dict[str, Any]:
    """The query of an exec of a shell."""
    return {"command": ["sh", "-c", text], **dict.fromkeys(streams or ("stdout",), "true")}


async def told(opened: WebSocket) -> dict[int, bytes]:
    """All that a server sends until it ends the connection, by channel."""
    channels: dict[int, bytes] = {}
    async for message in opened:
        assert message.type == aiohttp.WSMsgType.BINARY
        channels[message.data[0]] = channels.get(message.data[0], b"") + message.data[1:]
    assert opened.close_code == 1000
    return channels


# -- commands ----------------------------------------------------------------------------------


async def test_our_own_client_has_what_a_command_writes(api: Api, pod: str) -> None:
    async with KubeClient.from_kubeconfig(api.cluster.server.kubeconfig) as client:
        said = client.output(pod, "default", ["sh", "-c", "seq 20000; echo no >&2"])
        pieces = [piece async for piece in said]
        assert b"".join(pieces).split() == [str(n).encode() for n in range(1, 20001)]
        with pytest.raises(ApiError, match=r"^why not$"):
            await anext(client.output(pod, "default", ["sh", "-c", "echo why not >&2; exit 3"]))
        with pytest.raises(NotFound, match="HTTP 404"):
            await anext(client.output("nobody", "default", ["true"]))


@pytest.mark.parametrize("protocol", [V5, V4])
async def test_a_command_by_websocket(api: Api, pod: str, protocol: str) -> None:
    query = script("echo out; echo err >&2; exit 3", "stdout", "stderr")
    async with api.websocket(pod, "exec", protocol, **query) as opened:
        assert opened.protocol == protocol
        channels = await told(opened)
    assert (channels[STDOUT], channels[STDERR]) == (b"out\n", b"err\n")
    outcome = json.loads(channels[ERROR])
    assert outcome["reason"] == "NonZeroExitCode"
    assert outcome["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]


async def test_input_and_its_end(api: Api, pod: str) -> None:
    whole = os.urandom(300_000)
    async with api.websocket(pod, "exec", V5, **script("cat", "stdin", "stdout")) as opened:
        reading = asyncio.create_task(told(opened))
        await opened.send_bytes(b"\x00" + whole)
        await opened.send_bytes(b"\xff\x00")
        channels = await reading
    assert channels[STDOUT] == whole
    assert json.loads(channels[ERROR])["status"] == "Success"


async def test_channels_as_text(api: Api, pod: str) -> None:
    query = script("head -c 5", "stdin", "stdout")
    async with api.websocket(pod, "exec", BASE64, **query) as opened:
        await opened.send_str("0aGVsbG8=")
        sent = [message.data async for message in opened]
    assert sent[0] == "1" and "1aGVsbG8=" in sent  # first an empty one: the connection is there
    assert sent[-1].startswith("3")


async def test_a_terminal_and_its_size(api: Api, pod: str) -> None:
    query = script("read x; stty size; echo $x", "stdin", "stdout", "tty")
    async with api.websocket(pod, "exec", V5, **query) as opened:
        await opened.send_bytes(b'\x04{"Width": 132, "Height": 43}\n')
        await opened.send_bytes(b"\x00typed\r")
        channels = await told(opened)
    assert channels[STDOUT].endswith(b"43 132\r\ntyped\r\n")


async def test_a_command_by_spdy(api: Api, pod: str) -> None:
    query = script("cat; echo err >&2; exit 3", "stdin", "stdout", "stderr")
    async with api.spdy(pod, "exec", **query) as client:
        streams = {name: await client.open(streamtype=name) for name in ("error", "stdin")}
        streams |= {name: await client.open(streamtype=name) for name in ("stdout", "stderr")}
        await client.send(streams["stdin"], b"input", is_last=True)
        told = await client.until_gone()
    assert (told[streams["stdout"]], told[streams["stderr"]]) == (b"input", b"err\n")
    assert json.loads(told[streams["error"]])["details"]["causes"][0]["message"] == "3"


async def test_an_old_version_tells_no_success(api: Api, pod: str) -> None:
    async with api.spdy(pod, "exec", "v2.channel.k8s.io", **script("echo out")) as client:
        error, stdout = (
            await client.open(streamtype="error"),
            await client.open(streamtype="stdout"),
        )
        told = await client.until_gone()
    assert told == {error: b"", stdout: b"out\n"}


# -- what is refused ---------------------------------------------------------------------------


async def refused(api: Api, path: str, **headers: str) -> tuple[int, str]:
    sent = {"authorization": f"Bearer {api.cluster.server.token}"} | headers
    url = api.cluster.server.url + path
    async with api.session.post(url, headers=sent, ssl=api.context) as response:
        return response.status, await response.text()


UPGRADE = {"connection": "Upgrade", "upgrade": "SPDY/3.1", "x-stream-protocol-version": V4}


async def test_what_is_refused(api: Api, pod: str) -> None:
    ls = script("ls")
    code, text = await refused(api, api.path("none", "exec", **ls), **UPGRADE)
    assert code == 404 and json.loads(text)["message"] == 'pods "none" not found'
    code, text = await refused(api, api.path(pod, "exec", container="x", **ls), **UPGRADE)
    assert code == 400 and "container x is not valid for pod p" in text
    assert await refused(api, api.path(pod, "exec"), **UPGRADE) == (
        400,
        "you must specify at least 1 of stdin, stdout, stderr",
    )
    code, text = await refused(api, api.path(pod, "exec", **ls))
    assert code == 400 and "Upgrade request required" in text
    code, text = await refused(api, api.path(pod, "exec", **ls), authorization="", **UPGRADE)
    assert code == 403 and r"cannot create resource \"pods/exec\"" in text
    # A connection that was refused goes on, with what came behind the request.
    code, text = await refused(api, api.path(pod, "portforward"), **UPGRADE)
    assert code == 403 and "server accepts [portforward.k8s.io]" in text


async def test_a_pod_that_does_not_run(api: Api, cluster: Cluster, look: Look) -> None:
    await cluster.create("done", "exit 0")
    await cluster.until("done", lambda pod: look.phase(pod) == "Succeeded")
    path = api.path("done", "exec", **script("ls"))
    assert await refused(api, path, **UPGRADE) == (500, 'container not found ("main")')
    async with api.websocket("done", "exec", V5, **script("ls")) as opened:
        outcome = json.loads((await told(opened))[ERROR])
    problem = 'unable to upgrade connection: container not found ("main")'
    assert outcome["message"] == f"Internal error occurred: {problem}"
    gated = cluster.pod("gated", {"name": "main", "image": "sh"}, schedulingGates=[{"name": "g"}])
    await cluster.client.create(PODS, gated)
    code, text = await refused(api, api.path("gated", "exec", **script("ls")), **UPGRADE)
    assert code == 400 and "pod gated does not have a host assigned" in text


async def test_a_program_that_is_not_there(api: Api, pod: str) -> None:
    async with api.websocket(pod, "exec", V5, command="nope", stdout="true") as opened:
        outcome = json.loads((await told(opened))[ERROR])
    assert outcome["message"].startswith(
        'Internal error occurred: error executing command in container: exec: "nope": not found'
    )


async def test_a_node_that_is_away(api: Api, pod: str) -> None:
    streaming.socket_path(api.cluster.data_dir).unlink()
    code, text = await refused(api, api.path(pod, "exec", **script("ls")), **UPGRADE)
    assert code == 500
    assert json.loads(text)["message"].startswith("error dialing backend: dial unix ")


async def test_no_more_than_so_many(api: Api, pod: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "MOST_SESSIONS", 1)
    async with api.websocket(pod, "exec", V5, **script("cat", "stdin", "stdout")):
        code, text = await refused(api, api.path(pod, "exec", **script("ls")), **UPGRADE)
    assert (code, text) == (429, "maximum number of in-flight requests exceeded")


async def test_a_client_that_opens_no_streams_is_let_go(
    api: Api, pod: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hearth.cluster.node.streaming.commands.CREATION_SECONDS", 0.05)
    async with api.spdy(pod, "exec", **script("ls")) as client:
        error = await client.open(streamtype="error")
        assert await client.until_gone() == {error: b""}


async def test_a_connection_on_which_nothing_happens_ends(
    api: Api, pod: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "PING_SECONDS", 0.02)
    monkeypatch.setattr(streaming, "IDLE_SECONDS", 0.05)
    async with api.spdy(pod, "portforward", "portforward.k8s.io") as client:
        assert await client.until_gone() == {}


async def test_a_stream_without_its_other_half_is_given_up(
    api: Api, pod: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hearth.cluster.node.streaming.forwarding.CREATION_SECONDS", 0.05)
    async with api.spdy(pod, "portforward", "portforward.k8s.io") as client:
        stream = await client.open(streamtype="data", port="1", requestid="7")
        await client.until_reset(stream)


# -- clients that go, or take their time ----------------------------------------------------------


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.005)


async def test_nothing_is_left_of_a_command_whose_client_goes(api: Api, pod: str) -> None:
    endless = script("export MARK=gone; setsid sleep 1000 & exec sleep 1000")
    async with api.websocket(pod, "exec", V5, **endless):
        await until(lambda: len(find_marked("MARK=gone")) == 2)
    await until(lambda: not find_marked("MARK=gone"))


async def test_a_client_that_dies_while_nothing_is_read_of_it(
    api: Api, pod: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "PING_SECONDS", 0.05)
    endless = script("export MARK=dead; exec sleep 1000", "stdin", "stdout")
    async with api.spdy(pod, "exec", **endless) as client:
        names = ("error", "stdin", "stdout")
        streams = {name: await client.open(streamtype=name) for name in names}
        await until(lambda: bool(find_marked("MARK=dead")))
        with pytest.raises(TimeoutError):  # nobody reads: the client waits
            async with asyncio.timeout(0.5):
                for _ in range(1000):
                    await client.send(streams["stdin"], b"x" * 65536)
        client.writer.transport.abort()
    await until(lambda: not find_marked("MARK=dead"))


async def test_a_client_that_does_not_read_makes_the_command_wait(api: Api, pod: str) -> None:
    async with api.spdy(pod, "exec", **script("head -c 5000000 /dev/zero")) as client:
        error = await client.open(streamtype="error")
        stdout = await client.open(streamtype="stdout")
        told = await client.until_gone()  # nothing is read before
    assert len(told[stdout]) == 5_000_000
    assert json.loads(told[error])["status"] == "Success"


async def test_octets_that_are_no_spdy_end_the_connection(api: Api, pod: str) -> None:
    async with api.spdy(pod, "exec", **script("ls")) as client:
        client.writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await client.until_gone() == {}


# -- attachments -------------------------------------------------------------------------------


async def test_a_client_is_attached(api: Api, cluster: Cluster, look: Look) -> None:
    flags = {"stdin": True, "stdinOnce": True}
    await cluster.create("mirror", 'while read x; do echo "got $x"; done', container=flags)
    await cluster.until("mirror", look.is_ready)
    query = {"stdin": "true", "stdout": "true", "stderr": "true"}
    async with api.websocket("mirror", "attach", V5, **query) as opened:
        await opened.send_bytes(b"\x00one\n")
        await opened.send_bytes(b"\xff\x00")
        channels = await told(opened)
    assert channels[STDOUT] == b"got one\n"
    assert json.loads(channels[ERROR])["status"] == "Success"
    await cluster.until("mirror", lambda pod: look.phase(pod) == "Succeeded")


async def test_a_terminal_of_a_container(api: Api, cluster: Cluster, look: Look) -> None:
    await cluster.create("shell", "exec sh", container={"stdin": True, "tty": True})
    await cluster.until("shell", look.is_ready)
    query = {"stdin": "true", "stdout": "true", "tty": "true"}
    async with api.websocket("shell", "attach", V5, **query) as opened:
        await opened.send_bytes(b'\x04{"Width": 100, "Height": 30}')
        await opened.send_bytes(b"\x00stty size; exit 5\r")
        channels = await told(opened)
    assert b"30 100\r\n" in channels[STDOUT]
    done = await cluster.until("shell", lambda pod: look.phase(pod) == "Failed")
    assert look.state(done)["terminated"]["exitCode"] == 5


# -- ports -------------------------------------------------------------------------------------


@pytest.fixture
async def echo(cluster: Cluster, look: Look) -> str:
    """A pod whose declared port 8080 sends back what it gets, until that ends."""
    program = """
import asyncio, os
async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write(b" end")
    writer.close()
async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", int(os.environ["PORT"]))
    await server.serve_forever()
asyncio.run(main())
"""
    ports = [{"containerPort": 8080}]
    probe = {"tcpSocket": {"port": 8080}}
    main = {"name": "main", "image": "python", "args": [program.replace("$", "$$")]}
    pod = cluster.pod("echo", main | {"ports": ports, "readinessProbe": probe})
    await cluster.client.create(PODS, pod)
    await cluster.until("echo", look.is_ready)
    return "echo"


@pytest.mark.parametrize("is_tunnel", [False, True])
async def test_many_connections_to_a_port(api: Api, echo: str, is_tunnel: bool) -> None:
    async with contextlib.AsyncExitStack() as stack:
        if is_tunnel:
            protocol = "SPDY/3.1+portforward.k8s.io"
            opened = await stack.enter_async_context(api.websocket(echo, "portforward", protocol))
            client = SpdyClient.inside(opened)
        else:
            way = api.spdy(echo, "portforward", "portforward.k8s.io")
            client = await stack.enter_async_context(way)
        payloads, streams = [os.urandom(1000 * n) for n in range(30)], []
        for number, payload in enumerate(payloads):
            fields = {"port": "8080", "requestid": str(number)}
            await client.open(streamtype="error", **fields)
            streams.append(await client.open(streamtype="data", **fields))
            await client.send(streams[-1], payload, is_last=True)
        told = await client.until_ended(*streams)
        assert [told[each] for each in streams] == [each + b" end" for each in payloads]


async def test_a_port_where_nobody_listens(api: Api, echo: str) -> None:
    async with api.spdy(echo, "portforward", "portforward.k8s.io") as client:
        error = await client.open(streamtype="error", port="1", requestid="0")
        data = await client.open(streamtype="data", port="1", requestid="0")
        told = await client.until_ended(error)
        assert data in client.reset
        with pytest.raises(ConnectionResetError):  # refused
            await client.open(streamtype="data", port="none", requestid="1")
    assert told[error].startswith(b"error forwarding port 1 to pod echo, uid ")
    assert told[error].endswith(b"connection refused")


async def test_a_port_by_channels(api: Api, echo: str) -> None:
    query = {"ports": ["8080", "1"]}
    async with api.websocket(echo, "portforward", V4, **query) as opened:
        first = [(await opened.receive_bytes()) for _ in range(4)]
        port, other = struct.pack("<H", 8080), struct.pack("<H", 1)
        assert sorted(first) == [b"\0" + port, b"\1" + port, b"\2" + other, b"\3" + other]
        assert (await opened.receive_bytes()).startswith(b"\3error forwarding port 1")
        await opened.send_bytes(b"\x00hello")
        assert await opened.receive_bytes() == b"\x00hello"


# -- the official client of Python ---------------------------------------------------------------


async def test_the_official_client(cluster: Cluster, pod: str, echo: str) -> None:
    """It blocks, so it runs in a thread."""
    output, code, answer = await asyncio.to_thread(_official, str(cluster.server.kubeconfig))
    assert (output, code, answer) == ("typed\n", 3, b"hello")


def _official(kubeconfig: str) -> tuple[str, int, bytes]:
    with official_config.new_client_from_config(kubeconfig) as made:
        core = official.CoreV1Api(made)
        command = ["sh", "-c", "read x; echo $x; exit 3"]
        opened = stream(
            core.connect_get_namespaced_pod_exec,
            "p",
            "default",
            command=command,
            stdin=True,
            stdout=True,
            stderr=True,
            _preload_content=False,
        )
        opened.write_stdin("typed\n")
        opened.run_forever(timeout=60)
        output, code = opened.read_stdout(), opened.returncode
        opened.sock.shutdown()  # its ``close`` thinks that the end is enough
        forward = portforward(
            core.connect_get_namespaced_pod_portforward, "echo", "default", ports="8080"
        )
        with contextlib.closing(forward.socket(8080)) as connection:
            connection.settimeout(10)
            connection.sendall(b"hello")
            answer = connection.recv(5)
        while forward.websocket.sock is not None:  # its own thread closes it
            time.sleep(0.005)
        return output, code, answer
