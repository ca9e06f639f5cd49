"""In-cluster names with TLS where nothing resolves them: through the gateway, end to end."""

import asyncio
import contextlib
import datetime
import ssl
from dataclasses import replace

from aiohttp import web

from activator import failures
from activator.dataplane import DataPlane
from activator.tunnels import Tunnels, way_to
from eventing.codec import Event
from eventing.runtime.client import DeliveryClient
from eventing.runtime.config import ClientLimits
from eventing.runtime.request import post
from eventing.runtime.target import parse_target
from eventing.sources.sender import Sender
from hearth.kube.certificates import AUTHORITIES, CERTIFICATE, KEY, renewed

HOST = "sink.ns.svc.cluster.local"
EVENT = Event({"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}, b"x")


class Sink:
    """A receiver that speaks TLS and nothing else, by the name of its Service."""

    def __init__(self, folder):
        files = renewed({}, [HOST], datetime.datetime.now(datetime.UTC))
        assert files is not None
        chain, key = folder / "chain.pem", folder / "key.pem"
        chain.write_bytes(files[CERTIFICATE])
        key.write_bytes(files[KEY])
        self.authority = files[AUTHORITIES].decode()
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.tls.load_cert_chain(chain, key)
        self.got = []

    async def take(self, request):
        headers = request.headers
        self.got.append((headers["host"], headers.get("kn-namespace"), request.path))
        return web.Response(status=202)


@contextlib.asynccontextmanager
async def gateway_to(sink):
    """The in-cluster listener, and the sink as the endpoint of ``ns/sink``'s port 443."""
    app = web.Application()
    app.router.add_post("/{path:.*}", sink.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=sink.tls).start()
    there = runner.addresses[0][:2]

    def address_of(namespace, name, port):
        if (namespace, name) != ("ns", "sink"):
            return failures.UNKNOWN_HOST
        return there if port == 443 else failures.NO_ENDPOINTS

    tunnels = Tunnels(
        lambda host, asking: way_to(host, address_of, cluster_domain=b"cluster.local")
    )
    plane = DataPlane()
    try:
        yield await plane.listen("127.0.0.1", 0, internal=True, door=tunnels.door)
    finally:
        await tunnels.close()
        await plane.drain(delay_seconds=0, drain_seconds=1)
        await runner.cleanup()


async def deliver(client, target):
    answered = asyncio.get_running_loop().create_future()
    client.send(target, post(target, (), b"x"), answered.set_result, timeout_seconds=5)
    return await answered


async def test_deliveries_reach_a_service_by_its_name(tmp_path):
    sink = Sink(tmp_path)
    async with gateway_to(sink) as gateway:
        client = DeliveryClient(ClientLimits())
        try:
            target = parse_target(f"https://{HOST}/a", gateway)
            trusting = replace(target, ca_certs=sink.authority)
            for _ in range(2):
                assert (await deliver(client, trusting)).status == 202
            assert sink.got == [(HOST, None, "/a")] * 2
            untrusted = await deliver(client, target)
            assert untrusted.status == 0 and "CERTIFICATE_VERIFY_FAILED" in untrusted.error
            for url, why in (
                ("https://other.ns.svc/", "no way to other.ns.svc:443: 404 Not Found"),
                (f"https://{HOST}:444/", f"no way to {HOST}:444: 503 Service Unavailable"),
            ):
                answer = await deliver(client, parse_target(url, gateway))
                assert (answer.status, answer.error) == (0, why)
        finally:
            await client.close()


async def test_sources_and_the_command_reach_a_service_by_its_name(tmp_path, monkeypatch):
    sink = Sink(tmp_path)
    async with gateway_to(sink) as gateway:
        async with Sender(gateway=gateway, ca_certs=sink.authority) as sender:
            sent = await sender.send(f"https://{HOST}/b", EVENT, namespace="ns")
        assert sent.accepted, sent
        # Pods are told of the way by their environment.
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{gateway[1]}")
        async with Sender(ca_certs=sink.authority) as sender:
            assert (await sender.send(f"https://{HOST}/c", EVENT)).accepted
        assert sink.got == [(HOST, "ns", "/b"), (HOST, None, "/c")]


async def test_a_proxy_that_is_not_there_is_said():
    client = DeliveryClient(ClientLimits())
    try:
        answer = await deliver(client, parse_target(f"https://{HOST}/", ("127.0.0.1", 1)))
        assert answer.status == 0 and "127.0.0.1" in answer.error
    finally:
        await client.close()
