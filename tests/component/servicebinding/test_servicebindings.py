"""ServiceBindings against a real API server: bound at once, bound later, released, refused."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from eventing import main as eventing
from hearth.cluster.apiserver.testing import running_apiserver
from hearth.kube import install as installing
from hearth.kube.client import KubeClient
from hearth.kube.conditions import Conditions
from hearth.kube.errors import Forbidden, NotFound
from hearth.kube.meta import Object
from hearth.kube.resources import (
    CRDS,
    CRONJOBS,
    DAEMONSETS,
    DEPLOYMENTS,
    JOBS,
    STATEFULSETS,
    Resource,
)
from hearth.servicebinding.hook import ServiceBindings
from hearth.servicebinding.keys import MAPPINGS, SERVICEBINDINGS
from hearth.timeouts import time_limit

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = {"apiVersion": "v1", "kind": "Secret", "name": "creds"}
DATABASES = Resource("db.example.com", "v1", "databases", "Database")
PODS: Any = {
    "metadata": {"labels": {"a": "b"}},
    "spec": {"containers": [{"name": "c", "image": "it"}, {"name": "side", "image": "it"}]},
}
SELECTED = {"selector": {"matchLabels": {"a": "b"}}, "template": PODS}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KubeClient]:
    """A client of an API server whose control plane keeps ServiceBindings."""
    ready = asyncio.Event()
    async with running_apiserver(tmp_path_factory.mktemp("api")) as server:
        config = eventing.EventingConfig(
            server.kubeconfig, broker_url="http://127.0.0.1:9", tenants=[ServiceBindings()]
        )
        control = asyncio.create_task(eventing.run(config, ready.set), name="control")
        try:
            async with time_limit(30):
                await ready.wait()
            async with KubeClient.from_kubeconfig(server.kubeconfig, user_agent="test") as client:
                yield client
        finally:
            control.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await control


async def make(
    client: KubeClient, resource: Resource, name: str, spec: Any, **metadata: Any
) -> Object:
    where = {"namespace": "default"} if resource.namespaced else {}
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    return await client.create(
        resource, {**head, "metadata": {"name": name, **where, **metadata}, "spec": spec}
    )


async def bind(
    client: KubeClient, title: str, resource: Resource, to: Any = SECRET, **workload: Any
) -> None:
    about = {"apiVersion": resource.api_version, "kind": resource.kind, **workload}
    await make(client, SERVICEBINDINGS, title, {"service": to, "workload": about})


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with time_limit(20):
        while not await condition():
            await asyncio.sleep(0.02)


async def ready(client: KubeClient, name: str, reason: str = "ServiceBound") -> None:
    """Until a binding tells this of its present spec."""

    async def is_told() -> bool:
        found = Conditions.of(await client.get(SERVICEBINDINGS, name, "default"))
        return found.reason("Ready") == reason

    await until(is_told)


async def roots(client: KubeClient, resource: Resource, name: str, *at: str) -> list[str]:
    """The mounts of bindings in each container."""
    found: Any = await client.get(resource, name, "default")
    for step in at or ("spec", "template"):
        found = found[step]
    return [
        mount["mountPath"]
        for container in found["spec"]["containers"]
        for mount in container.get("volumeMounts") or ()
    ]


async def gone(client: KubeClient, name: str) -> None:
    await client.delete(SERVICEBINDINGS, name, "default")

    async def is_gone() -> bool:
        try:
            await client.get(SERVICEBINDINGS, name, "default")
        except NotFound:
            return True
        return False

    await until(is_gone)


@pytest.mark.parametrize(
    "resource", [DEPLOYMENTS, STATEFULSETS, DAEMONSETS], ids=lambda r: r.plural
)
async def test_a_workload_that_is_there_is_bound_and_released(
    client: KubeClient, resource: Resource
) -> None:
    spec = {**SELECTED, **({"serviceName": "s"} if resource is STATEFULSETS else {})}
    before = await make(client, resource, "there", spec)
    await bind(client, f"there-{resource.plural}", resource, name="there")
    await ready(client, f"there-{resource.plural}")
    path = f"/bindings/there-{resource.plural}"
    assert await roots(client, resource, "there") == [path, path]
    await gone(client, f"there-{resource.plural}")
    after = await client.get(resource, "there", "default")
    assert after["spec"] == before["spec"]
    assert after["metadata"].get("annotations") == before["metadata"].get("annotations")


async def test_a_workload_that_comes_is_bound_as_it_is_written(client: KubeClient) -> None:
    """A Job, whose template nobody can change later, and what is applied again."""
    labels = {"matchLabels": {"bound": "yes"}}
    await bind(client, "jobs", JOBS, selector=labels)
    await ready(client, "jobs")
    template = PODS | {"spec": {**PODS["spec"], "restartPolicy": "Never"}}
    made = await make(client, JOBS, "one", {"template": template}, labels={"bound": "yes"})
    assert made["spec"]["template"]["spec"]["volumes"][0]["name"].startswith("servicebinding-")
    other = await make(client, JOBS, "two", {"template": template})
    assert "volumes" not in other["spec"]["template"]["spec"]
    assert await roots(client, JOBS, "one") == ["/bindings/jobs"] * 2
    await gone(client, "jobs")


async def test_what_a_writer_takes_out_is_put_in_again_without_a_fight(client: KubeClient) -> None:
    await make(client, DEPLOYMENTS, "fought", SELECTED)
    await bind(client, "fought", DEPLOYMENTS, name="fought")
    await ready(client, "fought")
    bound = await client.get(DEPLOYMENTS, "fought", "default")
    containers = [{"name": "c", "image": "it"}, {"name": "side", "image": "it"}]
    change = {"spec": {"template": {"spec": {"containers": containers, "volumes": None}}}}
    after = await client.patch(DEPLOYMENTS, "fought", "default", change)
    assert after["spec"] == bound["spec"]
    assert after["metadata"]["generation"] == bound["metadata"]["generation"]


async def test_a_cron_job_is_bound_within_its_template(client: KubeClient) -> None:
    template = {"spec": {"template": PODS | {"spec": {**PODS["spec"], "restartPolicy": "Never"}}}}
    await make(client, CRONJOBS, "c", {"schedule": "0 0 1 1 *", "jobTemplate": template})
    await bind(client, "cron", CRONJOBS, name="c", containers=["side"])
    await ready(client, "cron")
    at = ("spec", "jobTemplate", "spec", "template")
    assert await roots(client, CRONJOBS, "c", *at) == ["/bindings/cron"]


async def test_a_service_that_is_provisioned_and_its_next_secret(client: KubeClient) -> None:
    await serve(client, "databases", "Database")
    await make(client, DEPLOYMENTS, "app", SELECTED)
    to = {"apiVersion": DATABASES.api_version, "kind": DATABASES.kind, "name": "d"}
    await bind(client, "db", DEPLOYMENTS, to=to, name="app")
    await ready(client, "db", "ServiceNotFound")
    await make(client, DATABASES, "d", {})
    await ready(client, "db", "ServiceMissingBinding")
    for secret in ("first", "second"):
        status = {"status": {"binding": {"name": secret}}}
        await client.patch(DATABASES, "d", "default", status)

        async def has_it(secret: str = secret) -> bool:
            found = await client.get(DEPLOYMENTS, "app", "default")
            return f"'name': '{secret}'" in str(found["spec"]["template"])

        await until(has_it)
    await ready(client, "db")
    told = await client.get(SERVICEBINDINGS, "db", "default")
    assert told["status"]["binding"] == {"name": "second"}


async def test_a_mapping_that_changes_moves_what_is_bound(client: KubeClient) -> None:
    """A kind that is no PodSpecable, and is bound by what a ClusterWorkloadResourceMapping says."""
    apps = Resource("db.example.com", "v1", "apps", "App")
    await serve(client, "apps", "App")
    await make(client, apps, "a", {"runs": [{"name": "c"}]})
    await bind(client, "app", apps, name="a")
    container = {"path": ".spec.runs[*]", "env": ".variables", "volumeMounts": ".mounts"}
    version = {"version": "*", "annotations": ".spec.notes", "volumes": ".spec.vols"}
    versions = [{**version, "containers": [container]}]
    await make(client, MAPPINGS, "apps.db.example.com", {"versions": versions})

    async def is_bound(field: str) -> bool:
        spec = (await client.get(apps, "a", "default"))["spec"]
        return bool(spec["runs"][0].get(field)) and "vols" in spec and "notes" in spec

    await until(lambda: is_bound("variables"))
    versions = [{**version, "containers": [{**container, "env": ".other"}]}]
    change = {"spec": {"versions": versions}}
    await client.patch(MAPPINGS, "apps.db.example.com", None, change)
    await until(lambda: is_bound("other"))
    spec = (await client.get(apps, "a", "default"))["spec"]
    assert "variables" not in spec["runs"][0]
    await gone(client, "app")
    assert (await client.get(apps, "a", "default"))["spec"] == {"runs": [{"name": "c"}]}


@pytest.mark.parametrize(
    ("resource", "spec", "words"),
    [
        (
            SERVICEBINDINGS,
            {"service": SECRET, "workload": {"apiVersion": "apps/v1", "kind": "Deployment"}},
            r"expected exactly one, got neither",
        ),
        (MAPPINGS, {"versions": [{"version": "*", "volumes": ".a[*]"}]}, r"unsupported node"),
    ],
    ids=["binding", "mapping"],
)
async def test_what_cannot_be_is_refused(
    client: KubeClient, resource: Resource, spec: Any, words: str
) -> None:
    with pytest.raises(Forbidden, match=words):
        await make(client, resource, "bad", spec)


async def serve(client: KubeClient, plural: str, kind: str) -> None:
    """A kind of somebody else."""
    definitions = [a_kind(plural, kind)]
    await installing.install(client, definitions=definitions, objects=(), manager="test")


def a_kind(plural: str, kind: str) -> Object:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    return {
        "apiVersion": CRDS.api_version,
        "kind": CRDS.kind,
        "metadata": {"name": f"{plural}.db.example.com"},
        "spec": {
            "group": "db.example.com",
            "names": names,
            "scope": "Namespaced",
            "versions": [version],
        },
    }
