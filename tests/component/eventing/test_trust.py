"""Authorities of trust bundles: for subscribers with TLS, workloads, issuers of tokens."""

import asyncio
import contextlib
import datetime
import ssl

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec

from eventing.api import keys
from eventing.api.trust import LABEL
from eventing.engines.seam import Refused
from eventing.runtime.access.keys import Denied, TokenKeys
from hearth.knative.resources import BROKERS, CONTAINERSOURCES, SINKBINDINGS, TRIGGERS
from hearth.kube.certificates import renewed
from hearth.kube.resources import CONFIGMAPS, DEPLOYMENTS
from tests.component.eventing.cluster import cluster
from tests.component.eventing.test_sources import SINK, deployment_spec, make_sink, subject
from tests.waiting import until


@contextlib.asynccontextmanager
async def secure_server(folder, handle):
    """A server with TLS, of an authority of its own: its URL and the authority."""
    files = renewed({}, ["127.0.0.1", "localhost"], datetime.datetime.now(datetime.UTC))
    assert files is not None
    for name in ("tls.crt", "tls.key"):
        (folder / name).write_bytes(files[SERVER[name]])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield f"https://127.0.0.1:{runner.addresses[0][1]}", files["ca-cert.pem"].decode()
    finally:
        await runner.cleanup()


SERVER = {"tls.crt": "server-cert.pem", "tls.key": "server-key.pem"}


async def create_bundle(found, pem, name="ours"):
    metadata = {"name": name, "namespace": keys.SYSTEM_NAMESPACE, "labels": {LABEL: "true"}}
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": pem}}
    await found.client.create(CONFIGMAPS, obj)


async def test_subscribers_are_trusted_by_the_bundles_of_the_system(tmp_path):
    got: asyncio.Queue[str] = asyncio.Queue()

    async def take(request):
        await request.read()
        got.put_nowait(request.headers["ce-id"])
        return web.Response()

    async with cluster(tmp_path) as found, secure_server(tmp_path, take) as (url, authority):
        await found.create_broker()
        to = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
        delivery = {"retry": 1000, "backoffPolicy": "linear", "backoffDelay": "PT0.05S"}
        await found.create_trigger("t", {"uri": url}, delivery=delivery)
        await found.until_ready(TRIGGERS, "t")
        assert await found.send(to) == 202
        await create_bundle(found, authority)
        assert await asyncio.wait_for(got.get(), 60) == "1"


async def test_workloads_of_a_binding_find_the_bundles(tmp_path):
    files = renewed({}, ["localhost"], datetime.datetime.now(datetime.UTC))
    assert files is not None
    pem = files["ca-cert.pem"].decode()
    async with cluster(tmp_path, with_broker=False) as found:
        await make_sink(found)
        await found.create(DEPLOYMENTS, "d", **deployment_spec())
        await found.create(SINKBINDINGS, "b", sink=SINK, subject=subject(DEPLOYMENTS, name="d"))
        await found.until_ready(SINKBINDINGS, "b")
        await create_bundle(found, pem)

        def sources_of(obj):
            volumes = obj["spec"]["template"]["spec"].get("volumes") or ()
            return [
                source["configMap"]["name"]
                for each in volumes
                for source in each["projected"]["sources"]
            ]

        bound = await found.until(DEPLOYMENTS, "d", lambda obj: len(sources_of(obj)) == 2)
        [container] = bound["spec"]["template"]["spec"]["containers"]
        assert [each["mountPath"] for each in container["volumeMounts"]] == [
            "/knative-custom-certs"
        ]
        for name in sources_of(bound):
            copy = await found.client.get(CONFIGMAPS, name, "default")
            assert list(copy["data"].values()) == [pem]
        await found.until_ready(SINKBINDINGS, "b")
        # So do those of a ContainerSource, which nobody takes from them again.
        pods = {"spec": {"containers": [{"name": "c", "image": "it"}]}}
        await found.create(CONTAINERSOURCES, "s", sink=SINK, template=pods)
        await found.until(DEPLOYMENTS, "s-deployment", lambda obj: len(sources_of(obj)) == 2)
        bound = await found.client.get(DEPLOYMENTS, "s-deployment", "default")
        for text in ("one", "two", "three"):
            change = {"data": {"ca.crt": f"{pem}{text}"}}
            await found.client.patch(CONFIGMAPS, "ours", keys.SYSTEM_NAMESPACE, change)
            await found.until(
                CONFIGMAPS, "ourskne-bundle", lambda obj, text=text: text in obj["data"]["ca.crt"]
            )
        after = await found.client.get(DEPLOYMENTS, "s-deployment", "default")
        assert after["metadata"]["generation"] == bound["metadata"]["generation"]
        await found.client.delete(CONFIGMAPS, "ours", keys.SYSTEM_NAMESPACE)
        for name in ("d", "s-deployment"):
            await found.until(DEPLOYMENTS, name, lambda obj: not sources_of(obj))


async def test_tokens_are_checked_by_the_issuer_that_is_named(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    public = jwt.get_algorithm_by_name("ES256").to_jwk(key.public_key(), as_dict=True)

    async def tell(request):
        if request.path == "/id/.well-known/openid-configuration":
            base = f"https://{request.host}"
            return web.json_response({"issuer": "https://issuer", "jwks_uri": f"{base}/keys"})
        assert request.path == "/keys"
        return web.json_response({"keys": [{**public, "kid": "one"}]})

    async with secure_server(tmp_path, tell) as (url, authority):
        nobody: TokenKeys = TokenKeys(None, clock=lambda: 150.0)  # type: ignore[arg-type]
        trusting = TokenKeys(
            None,  # type: ignore[arg-type]
            clock=lambda: 150.0,
            trusted=lambda: authority,
        )
        claims = {"iss": "https://issuer", "sub": "who", "aud": ["here"], "nbf": 100, "exp": 200}
        token = jwt.encode(claims, key, algorithm="ES256", headers={"kid": "one"})
        shown = [(b"authorization", f"Bearer {token}".encode())]

        def asked(by):
            try:
                return by.subject(shown, "here")
            except (Refused, Denied):
                return ""

        for each in (nobody, trusting):
            each.ask_at(f"{url}/id/")
        await until(lambda: asked(trusting) == "who")
        assert asked(nobody) == ""
        await until(lambda: all(each.get_name() != "token-keys" for each in asyncio.all_tasks()))
