"""ApiServerSources: the adapter against a real API server, and what its account may see."""

import asyncio
import contextlib
import json
import os
import sys

from aiohttp import ClientSession, TCPConnector, web

from eventing.api.apiserveradapter import AdapterConfig, Watched
from eventing.kinds import apiserversource, permissions
from hearth.knative.resources import APISERVERSOURCES, EVENTTYPES
from hearth.kube.kubeconfig import access_of
from hearth.kube.meta import owner_reference
from hearth.kube.resources import CONFIGMAPS, DEPLOYMENTS, NAMESPACES, SERVICES
from tests.component.eventing.cluster import cluster, condition, next_of, sink
from tests.ports import free_port
from tests.waiting import is_ready

LABELS = {"watch": "yes"}


@contextlib.asynccontextmanager
async def adapter(found, to, config, **environment):
    """The adapter as its pod runs it."""
    health, metrics = free_port(), free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hearth.cli",
        "run",
        "apiserversource",
        env={
            **os.environ,
            "KUBECONFIG": str(found.kubeconfig),
            "POD_NAME": "adapter",
            "POD_IP": "127.0.0.1",
            "HEARTH_HOST": "127.0.0.1",
            "HEARTH_HEALTH_PORT": str(health),
            "HEARTH_METRICS_PORT": str(metrics),
            "K_SINK": to["uri"],
            "K_SOURCE_CONFIG": config.to_json(),
            **environment,
        },
    )
    try:
        async with asyncio.timeout(30):
            while not await is_ready(health):
                assert process.returncode is None, "the adapter has ended"
                await asyncio.sleep(0.05)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(60):
            assert await process.wait() == 0, "an orderly end"


def config_map(name, where="default", labels=LABELS):
    metadata = {"name": name, "namespace": where, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


async def test_what_happens_to_labelled_objects_is_told(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found, sink() as (to, got):
        client = found.client
        await client.create(CONFIGMAPS, config_map("before"))
        config = AdapterConfig(
            "https://api", [Watched("", "v1", "configmaps", "watch=yes")], ["default"], whole=True
        )
        overrides = '{"extensions":{"team":"one"}}'
        async with adapter(found, to, config, K_CE_OVERRIDES=overrides):
            await client.create(CONFIGMAPS, config_map("other", labels={}))
            await client.create(CONFIGMAPS, config_map("c"))
            await client.patch(CONFIGMAPS, "c", "default", {"data": {"a": "b"}})
            await client.delete(CONFIGMAPS, "c", "default")
            told = [await next_of(got) for _ in range(3)]
            kinds = [each["ce-type"].rpartition(".")[2] for each in told]
            assert kinds == ["add", "update", "delete"]
            assert {each["ce-name"] for each in told} == {"c"}
            assert told[0]["ce-type"] == "dev.knative.apiserver.resource.add"
            assert told[0]["ce-source"] == "https://api"
            assert told[0]["ce-team"] == "one"
            await client.patch(CONFIGMAPS, "before", "default", {"data": {"a": "b"}})
            changed = await next_of(got)
            assert (changed["ce-name"], changed["ce-type"].rpartition(".")[2]) == (
                "before",
                "update",
            )
        assert got.empty()


async def test_all_namespaces_an_owner_and_filters(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found, sink() as (to, got):
        client = found.client
        config = AdapterConfig(
            "https://api",
            [Watched("", "v1", "configmaps")],
            all_namespaces=True,
            owner={"kind": "ConfigMap"},
            filters=[{"suffix": {"type": ".add"}}],
        )
        async with adapter(found, to, config):
            where = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "later"}}
            await client.create(NAMESPACES, where)
            parent = await client.create(CONFIGMAPS, config_map("stray", "later"))
            owned = config_map("owned", "later")
            owned["metadata"]["ownerReferences"] = [owner_reference(parent)]
            await client.create(CONFIGMAPS, owned)
            await client.patch(CONFIGMAPS, "owned", "later", {"data": {"a": "b"}})
            told = await next_of(got)
            assert (told["ce-type"], told["ce-name"], told["ce-namespace"]) == (
                "dev.knative.apiserver.ref.add",
                "owned",
                "later",
            )
        assert got.empty()


class Cut:
    """Stands before an API server, and cuts watches off for a while: their places are forgotten."""

    def __init__(self, access, session):
        self.is_cut = False
        self._server = access.server
        self._session = session
        self._open = set()

    def cut(self):
        self.is_cut = True
        for each in list(self._open):
            each.cancel()

    async def answer(self, request):
        if "watch" in request.query:
            return await self._watch(request)
        method, path = request.method, request.path_qs
        async with self._session.request(method, f"{self._server}{path}") as answer:
            body = await answer.read()
            return web.Response(body=body, status=answer.status, content_type=answer.content_type)

    async def _watch(self, request):
        told = web.StreamResponse(headers={"content-type": "application/json"})
        await told.prepare(request)
        if self.is_cut:
            # What the server says of a version that it does not know any more.
            status = {"kind": "Status", "apiVersion": "v1", "code": 410, "reason": "Expired"}
            await told.write(json.dumps({"type": "ERROR", "object": status}).encode() + b"\n")
            return told
        task = asyncio.current_task()
        self._open.add(task)
        try:
            async with self._session.get(f"{self._server}{request.path_qs}") as answer:
                async for line in answer.content:
                    await told.write(line)
        except asyncio.CancelledError:
            if not self.is_cut:
                raise
        finally:
            self._open.discard(task)
        return told


@contextlib.asynccontextmanager
async def cut_off(found):
    """A kubeconfig of that, for the adapter alone."""
    access, port = access_of(found.kubeconfig), free_port()
    async with ClientSession(
        connector=TCPConnector(ssl=access.ssl_context(), limit=0),
        headers={"Authorization": f"Bearer {access.token}"},
    ) as session:
        cut = Cut(access, session)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", cut.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        kubeconfig = found.folder / "cut.kubeconfig"
        cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        user = {"name": "u", "user": {"token": "none"}}
        config = {"clusters": [cluster], "users": [user], "contexts": [context]}
        kubeconfig.write_text(json.dumps({**config, "current-context": "c"}))
        try:
            yield cut, kubeconfig
        finally:
            cut.cut()
            await runner.cleanup()


async def test_what_is_deleted_while_the_watch_is_cut_is_told(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found, sink() as (to, got):
        client = found.client
        await client.create(CONFIGMAPS, config_map("kept"))
        await client.create(CONFIGMAPS, config_map("gone"))
        config = AdapterConfig(
            "https://api", [Watched("", "v1", "configmaps", "watch=yes")], ["default"], whole=True
        )
        async with (
            cut_off(found) as (cut, kubeconfig),
            adapter(found, to, config, KUBECONFIG=str(kubeconfig)),
        ):
            cut.cut()
            await client.delete(CONFIGMAPS, "gone", "default")
            told = [await next_of(got, 30)]
            cut.is_cut = False
            await client.delete(CONFIGMAPS, "kept", "default")
            told.append(await next_of(got, 30))
        kinds = {(each["ce-name"], each["ce-type"].rpartition(".")[2]) for each in told}
        assert kinds == {("gone", "delete"), ("kept", "delete")}
        assert got.empty()


async def test_an_adapter_that_is_told_nothing_says_so(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hearth.cli", "run", "apiserversource"),
            env={
                **os.environ,
                "KUBECONFIG": str(found.kubeconfig),
                "POD_NAME": "adapter",
                "POD_IP": "127.0.0.1",
                "HEARTH_HOST": "127.0.0.1",
                "HEARTH_HEALTH_PORT": str(free_port()),
                "HEARTH_METRICS_PORT": str(free_port()),
            },
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 78
        assert b"K_SOURCE_CONFIG cannot be read" in said


async def test_a_source_becomes_an_adapter_once_its_account_may_see(tmp_path, monkeypatch):
    allowed = {"get", "list"}

    async def is_allowed(self, user, access):
        assert user == "system:serviceaccount:default:who"
        return access.verb in allowed

    monkeypatch.setattr(permissions.Permissions, "_is_allowed", is_allowed)
    monkeypatch.setattr(permissions, "_AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(apiserversource, "_AGAIN_SECONDS", 0.2)
    async with cluster(tmp_path, with_broker=False) as found:
        await found.create(SERVICES, "sink", ports=[{"port": 80}])
        await found.create(
            APISERVERSOURCES,
            "a",
            resources=[{"apiVersion": "v1", "kind": "ConfigMap"}],
            serviceAccountName="who",
            sink={"ref": {"apiVersion": "v1", "kind": "Service", "name": "sink"}},
        )
        text = (
            'User system:serviceaccount:default:who cannot watch resource "configmaps" '
            'in API group "" in Namespace "default"'
        )
        told = ("False", None, text)
        await found.until(
            APISERVERSOURCES, "a", lambda obj: condition(obj, "SufficientPermissions") == told
        )
        assert not (await found.client.list(DEPLOYMENTS, "default"))[0]
        allowed.add("watch")
        source = await found.until(
            APISERVERSOURCES,
            "a",
            lambda obj: condition(obj, "SufficientPermissions")[0] == "True",
        )
        assert source["status"]["namespaces"] == ["default"]
        async with asyncio.timeout(60):
            while not (await found.client.list(DEPLOYMENTS, "default"))[0]:
                await asyncio.sleep(0.02)
            while len((await found.client.list(EVENTTYPES, "default"))[0]) < 3:
                await asyncio.sleep(0.02)
