"""Names from inside a network namespace: real packets, the libc's resolver, a real API server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dns.message
import pytest

from hearth.cluster.apiserver.testing import RunningServer, running_apiserver
from hearth.cluster.node.names.service import Names, NamesConfig
from hearth.cluster.node.names.way import Way
from hearth.kube.client import KubeClient
from hearth.kube.resources import ENDPOINTSLICES, SERVICES
from tests.component.node.names.netns import Namespace, namespace

POD = {"metadata": {"name": "caller", "namespace": "default"}, "spec": {}}


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends what comes back in capitals, and says good-bye once the other side has ended."""
    while told := await reader.read(100):
        writer.write(told.upper())
    writer.write(b"bye")
    writer.close()


@dataclass(slots=True)
class Inside:
    """A container's view, and the cluster that it sees."""

    box: Namespace
    way: Way
    names: Names
    server: RunningServer
    client: KubeClient
    folder: Path

    async def python(self, script: str) -> str:
        resolv_conf = self.folder / "resolv.conf"
        resolv_conf.write_text(self.way.resolv_conf(POD) or "")
        return await self.box.python(script, resolv_conf, **self.way.environment("default"))

    async def say(self, name: str, port: int, text: str = "hello") -> str:
        return await self.python(
            f"import socket\ns = socket.create_connection(({name!r}, {port}), 5)\n"
            f"s.sendall({text!r}.encode()); print(s.recv(100).decode())\n"
            "s.shutdown(socket.SHUT_WR); print(s.makefile().read())"
        )

    async def service(self, name: str, target: int, **spec: Any) -> None:
        """A Service of port 80 and one endpoint on this machine's loopback address."""
        ports = [{"name": "", "port": 80, "targetPort": target}]
        about = {"name": name, "namespace": "default"}
        service = {"metadata": about, "spec": {"ports": ports, **spec}}
        await self.client.create(SERVICES, service)
        labels = {"kubernetes.io/service-name": name}
        item = {
            "metadata": {**about, "labels": labels},
            "addressType": "IPv4",
            "ports": [{"name": "", "port": target, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        }
        await self.client.create(ENDPOINTSLICES, item)


@contextlib.asynccontextmanager
async def attached(names: Names, box: Namespace) -> AsyncIterator[Way]:
    try:
        yield await names.attach(box.bridge, box.gateway)
    finally:
        await names.close()


@pytest.fixture
async def inside(tmp_path: Path) -> AsyncIterator[Inside]:
    with namespace() as box:
        async with (
            running_apiserver(tmp_path) as server,
            KubeClient.from_kubeconfig(server.kubeconfig) as client,
        ):
            url = urlsplit(server.url)
            api = (url.hostname or "", url.port or 0)
            (tmp_path / "machine").write_text("search corp.example\n")
            config = NamesConfig(api, resolv_conf=tmp_path / "machine")
            names = Names(config, client)
            async with attached(names, box) as way:
                yield Inside(box, way, names, server, client, tmp_path)


async def test_a_short_name_reaches_a_service_whose_endpoint_is_on_loopback(inside: Inside) -> None:
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        await inside.service("shout", server.sockets[0].getsockname()[1])
        assert await inside.say("shout", 80) == "HELLO\nbye\n"
        assert await inside.say("shout.default.svc.cluster.local", 80) == "HELLO\nbye\n"


async def test_a_service_that_is_a_name_leads_to_the_one_it_names(inside: Inside) -> None:
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        await inside.service("shout", server.sockets[0].getsockname()[1])
        target = "shout.default.svc.cluster.local"
        alias = {
            "metadata": {"name": "alias", "namespace": "default"},
            "spec": {"type": "ExternalName", "externalName": target},
        }
        await inside.client.create(SERVICES, alias)
        assert await inside.say("alias.default", 80) == "HELLO\nbye\n"


async def test_the_api_server_is_known_by_name_and_shows_it(inside: Inside) -> None:
    script = (
        "import os, ssl, urllib.request\n"
        f"context = ssl.create_default_context(cafile={str(inside.server.ca_cert)!r})\n"
        "hosts = ['kubernetes.default.svc', os.environ['KUBERNETES_SERVICE_HOST']]\n"
        "for host in hosts:\n"
        "    url = f'https://{host}:{os.environ[\"KUBERNETES_SERVICE_PORT\"]}/version'\n"
        "    print(urllib.request.urlopen(url, context=context, timeout=5).status)\n"
    )
    assert await inside.python(script) == "200\n200\n"


async def test_names_and_services_that_are_not_there_fail_at_once(inside: Inside) -> None:
    script = (
        "import socket, time\n"
        "began = time.monotonic()\n"
        "try: socket.getaddrinfo('nobody.default.svc.cluster.local', 80)\n"
        "except socket.gaierror as error: print(error.errno == socket.EAI_NONAME)\n"
        "print(time.monotonic() - began < 5)\n"
    )
    assert (await inside.python(script)).splitlines()[0] == "True"
    await inside.service("gone", 1)
    script = (
        "import socket\n"
        "try: socket.create_connection(('gone', 80), 5).recv(1)\n"
        "except ConnectionError: print('refused')\n"
    )
    assert await inside.python(script) == "refused\n"


async def test_other_names_are_asked_of_the_machines_servers(inside: Inside) -> None:
    class World(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            query = dns.message.from_wire(data)
            reply = dns.message.make_response(query)
            kind = dns.rdatatype.to_text(query.question[0].rdtype)
            if kind == "A":
                name = query.question[0].name
                reply.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "192.0.2.7"))
            self.transport.sendto(reply.to_wire(), addr)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(World, local_addr=("127.0.0.53", 53))
    try:
        (inside.folder / "machine").write_text("nameserver 127.0.0.53\n")
        script = "import socket\nprint(socket.gethostbyname('www.example.com'))"
        assert await inside.python(script) == "192.0.2.7\n"
    finally:
        transport.close()


async def test_rubbish_and_too_much_of_it_leave_the_next_question_answered(inside: Inside) -> None:
    script = (
        "import os, socket\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "for n in range(3000): s.sendto(os.urandom(n % 200), ('10.96.0.10', 53))\n"
        "for n in range(30):\n"
        "    t = socket.create_connection(('10.96.0.10', 53), 5)\n"
        "    t.sendall(b'\\xff\\xff' + os.urandom(20)); t.close()\n"
        "import time; time.sleep(1)\n"
        "print(socket.gethostbyname('kubernetes.default'))"
    )
    assert await inside.python(script) == "10.96.0.1\n"


async def test_two_nodes_on_one_machine_do_not_meet(inside: Inside, tmp_path: Path) -> None:
    other = Names(NamesConfig(("127.0.0.1", 1)), inside.client)
    with namespace() as box:
        async with attached(other, box) as way:
            assert way.resolver == inside.way.resolver
            script = "import socket\nprint(socket.gethostbyname('kubernetes.default'))"
            assert await inside.python(script) == "10.96.0.1\n"


async def test_a_machine_that_allows_no_resolver_gives_proxies(inside: Inside) -> None:
    config = NamesConfig(("127.0.0.1", 6443), ("127.0.0.1", 8081))
    names = Names(config, inside.client)
    try:
        way = await names.attach("", inside.box.gateway)
    finally:
        await names.close()
    env = way.environment("blue")
    assert env["http_proxy"] == f"http://blue:pod@{inside.box.gateway}:8081"
    assert env["KUBERNETES_SERVICE_HOST"] == "kubernetes.default.svc"
    assert f"{inside.box.gateway}\tkubernetes.default.svc" in way.hosts(POD, "10.0.0.2")
    assert way.resolv_conf(POD) is None


async def test_who_cannot_reach_the_machine_gets_no_proxy(inside: Inside) -> None:
    names = Names(NamesConfig(("127.0.0.1", 6443), ("127.0.0.1", 8081)), inside.client)
    try:
        way = await names.attach("", "")
    finally:
        await names.close()
    assert way.environment("blue") == {} and way.resolv_conf(POD) is None
