"""The verbs over real HTTPS, looked at with our own client and with bare requests."""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from hearth.cluster.apiserver.testing import RunningServer, running_apiserver
from hearth.kube.client import KubeClient
from hearth.kube.errors import AlreadyExists, ApiError, Conflict, Gone, Invalid, NotFound
from hearth.kube.patch import JSON_PATCH, STRATEGIC_PATCH
from hearth.kube.resources import (
    CONFIGMAPS,
    CRDS,
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    SECRETS,
    SERVICEACCOUNTS,
    Resource,
)

Object = dict[str, Any]
WIDGETS = Resource("x.example.com", "v1", "widgets", "Widget")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with running_apiserver(tmp_path) as running:
        yield running


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[KubeClient]:
    async with KubeClient.from_kubeconfig(server.kubeconfig) as found:
        yield found


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[aiohttp.ClientSession]:
    context = ssl.create_default_context(cafile=str(server.ca_cert))
    headers = {"Authorization": f"Bearer {server.token}"}
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(server.url, headers=headers, connector=connector) as session:
        yield session


async def read(http: aiohttp.ClientSession, path: str, **options: Any) -> tuple[int, Any]:
    """Status and body of a GET; the body parsed where it is JSON."""
    async with http.get(path, **options) as answer:
        body = await answer.read()
        return answer.status, orjson.loads(body) if "json" in answer.content_type else body.decode()


async def post(http: aiohttp.ClientSession, path: str, body: Object) -> int:
    async with http.post(path, json=body) as answer:
        await answer.read()
        return answer.status


def a_config_map(name: str, namespace: str = "default", **data: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


def a_deployment(name: str) -> Object:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
    }


async def until_gone(
    client: KubeClient, resource: Resource, name: str, namespace: str | None
) -> None:
    """Waits for an object to go; the controllers inside the server need a moment."""
    async with asyncio.timeout(60):
        while True:
            try:
                await client.get(resource, name, namespace)
            except NotFound:
                return
            await asyncio.sleep(0.01)


async def test_what_is_created_can_be_read_changed_and_deleted(client: KubeClient) -> None:
    created = await client.create(CONFIGMAPS, a_config_map("a", x="1"))
    assert created["metadata"]["uid"]
    created["data"]["x"] = "2"
    updated = await client.update(CONFIGMAPS, created)
    assert (await client.get(CONFIGMAPS, "a", "default"))["data"] == {"x": "2"}
    assert updated["metadata"]["resourceVersion"] != created["metadata"]["resourceVersion"]
    await client.delete(CONFIGMAPS, "a", "default")
    with pytest.raises(NotFound):
        await client.get(CONFIGMAPS, "a", "default")


async def test_a_name_is_taken_once(client: KubeClient) -> None:
    await client.create(CONFIGMAPS, a_config_map("a"))
    with pytest.raises(AlreadyExists):
        await client.create(CONFIGMAPS, a_config_map("a"))


async def test_of_many_at_once_one_creates(client: KubeClient) -> None:
    results = await asyncio.gather(
        *(client.create(CONFIGMAPS, a_config_map("a")) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(result, dict) for result in results) == 1
    assert sum(isinstance(result, AlreadyExists) for result in results) == 19


async def test_generated_names_differ(client: KubeClient) -> None:
    obj = a_config_map("")
    obj["metadata"] = {"generateName": "g-", "namespace": "default"}
    names = {(await client.create(CONFIGMAPS, obj))["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("g-") and len(name) == 7 for name in names)


async def test_an_old_version_is_not_overwritten(client: KubeClient) -> None:
    old = await client.create(CONFIGMAPS, a_config_map("a", x="1"))
    await client.update(CONFIGMAPS, old | {"data": {"x": "2"}})
    with pytest.raises(Conflict):
        await client.update(CONFIGMAPS, old | {"data": {"x": "3"}})


async def test_an_update_that_changes_nothing_is_no_write(client: KubeClient) -> None:
    first = await client.create(CONFIGMAPS, a_config_map("a", x="1"))
    again = await client.update(CONFIGMAPS, a_config_map("a", x="1"))
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_concurrent_patches_are_all_there(client: KubeClient) -> None:
    await client.create(CONFIGMAPS, a_config_map("a"))
    await asyncio.gather(
        *(client.patch(CONFIGMAPS, "a", "default", {"data": {f"k{n}": "v"}}) for n in range(5))
    )
    assert len((await client.get(CONFIGMAPS, "a", "default"))["data"]) == 5


async def test_every_patch_type(client: KubeClient) -> None:
    await client.create(DEPLOYMENTS, a_deployment("d"))
    strategic = {"spec": {"template": {"spec": {"containers": [{"name": "s", "image": "j"}]}}}}
    await client.patch(DEPLOYMENTS, "d", "default", strategic, content_type=STRATEGIC_PATCH)
    operations = [{"op": "replace", "path": "/spec/replicas", "value": 4}]
    found = await client.patch(DEPLOYMENTS, "d", "default", operations, content_type=JSON_PATCH)
    assert [c["name"] for c in found["spec"]["template"]["spec"]["containers"]] == ["s", "c"]
    assert found["spec"]["replicas"] == 4
    assert found["metadata"]["generation"] == 3


async def test_applying_with_two_managers_conflicts(client: KubeClient) -> None:
    await client.apply(CONFIGMAPS, a_config_map("a", x="1"), field_manager="one")
    with pytest.raises(Conflict, match='conflict with "one"'):
        await client.apply(CONFIGMAPS, a_config_map("a", x="2"), field_manager="two", force=False)
    found = await client.apply(CONFIGMAPS, a_config_map("a", x="2"), field_manager="two")
    assert found["data"] == {"x": "2"}


async def test_a_dry_run_leaves_nothing_behind(client: KubeClient) -> None:
    found = await client.create(CONFIGMAPS, a_config_map("a"), dry_run=True)
    assert found["metadata"]["uid"]
    with pytest.raises(NotFound):
        await client.get(CONFIGMAPS, "a", "default")


async def test_status_and_the_rest_are_written_apart(client: KubeClient) -> None:
    await client.create(DEPLOYMENTS, a_deployment("d"))
    patch = {"spec": {"replicas": 9}, "status": {"replicas": 3}}
    found = await client.patch(DEPLOYMENTS, "d", "default", patch, subresource="status")
    assert (found["spec"]["replicas"], found["status"]["replicas"]) == (1, 3)
    found = await client.patch(DEPLOYMENTS, "d", "default", {"status": {"replicas": 7}})
    assert found["status"]["replicas"] == 3


async def test_invalid_objects_say_what_is_wrong(client: KubeClient) -> None:
    bad = a_deployment("d")
    bad["spec"]["replicas"] = -1
    with pytest.raises(Invalid) as refusal:
        await client.create(DEPLOYMENTS, bad)
    assert refusal.value.details["causes"][0]["field"] == "spec.replicas"


async def test_finalizers_hold_an_object(client: KubeClient) -> None:
    held = a_config_map("a")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await client.create(CONFIGMAPS, held)
    await client.delete(CONFIGMAPS, "a", "default")
    waiting = await client.get(CONFIGMAPS, "a", "default")
    assert waiting["metadata"]["deletionTimestamp"]
    await client.patch(CONFIGMAPS, "a", "default", {"metadata": {"finalizers": None}})
    with pytest.raises(NotFound):
        await client.get(CONFIGMAPS, "a", "default")


async def test_a_deletion_with_another_uid_is_refused(client: KubeClient) -> None:
    await client.create(CONFIGMAPS, a_config_map("a"))
    with pytest.raises(Conflict, match="the UID in the precondition"):
        await client.delete(CONFIGMAPS, "a", "default", uid="other")


# Lists


async def test_pages_show_one_moment(client: KubeClient, http: aiohttp.ClientSession) -> None:
    for n in range(5):
        await client.create(CONFIGMAPS, a_config_map(f"c{n}", "kube-public"))
    path = "/api/v1/namespaces/kube-public/configmaps"
    _, first = await read(http, path, params={"limit": 3})
    assert first["metadata"]["remainingItemCount"] == 3
    await client.delete(CONFIGMAPS, "c4", "kube-public")
    await client.create(CONFIGMAPS, a_config_map("c9", "kube-public"))
    token = first["metadata"]["continue"]
    _, second = await read(http, path, params={"limit": 9, "continue": token})
    names = [item["metadata"]["name"] for item in first["items"] + second["items"]]
    assert names == ["c0", "c1", "c2", "c3", "c4", "kube-root-ca.crt"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_list_of_an_exact_version_is_of_then(
    client: KubeClient, http: aiohttp.ClientSession
) -> None:
    then = await client.create(CONFIGMAPS, a_config_map("a", "kube-public", x="1"))
    await client.patch(CONFIGMAPS, "a", "kube-public", {"data": {"x": "2"}})
    version = then["metadata"]["resourceVersion"]
    params = {"resourceVersion": version, "resourceVersionMatch": "Exact"}
    found = await (
        await http.get("/api/v1/namespaces/kube-public/configmaps", params=params)
    ).json()
    assert found["items"][0]["data"] == {"x": "1"}


async def test_a_page_of_a_forgotten_moment_offers_how_to_go_on(
    server: RunningServer, client: KubeClient, http: aiohttp.ClientSession
) -> None:
    for n in range(3):
        await client.create(CONFIGMAPS, a_config_map(f"c{n}", "kube-public"))
    path = "/api/v1/namespaces/kube-public/configmaps"
    _, first = await read(http, path, params={"limit": 1})
    await client.delete(CONFIGMAPS, "c1", "kube-public")
    await server.api.store.compact(server.api.clock() + 1)
    token = first["metadata"]["continue"]
    code, gone = await read(http, path, params={"limit": 9, "continue": token})
    assert code == 410
    token = gone["metadata"]["continue"]
    _, rest = await read(http, path, params={"limit": 9, "continue": token})
    assert [i["metadata"]["name"] for i in rest["items"]] == ["c2", "kube-root-ca.crt"]


async def test_a_version_of_the_future_is_to_be_tried_later(http: aiohttp.ClientSession) -> None:
    code, found = await read(http, "/api/v1/configmaps", params={"resourceVersion": "999999"})
    assert code == 504
    assert "Too large resource version" in found["message"]


async def test_tables_metadata_and_yaml(client: KubeClient, http: aiohttp.ClientSession) -> None:
    await client.create(CONFIGMAPS, a_config_map("a", x="1"))
    path = "/api/v1/namespaces/default/configmaps/a"
    table = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    _, found = await read(http, path, headers=table)
    assert found["rows"][0]["cells"][:2] == ["a", 1]
    partial = {"Accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"}
    _, found = await read(http, path, headers=partial)
    assert found.keys() == {"kind", "apiVersion", "metadata"}
    _, text = await read(http, path, headers={"Accept": "application/yaml"})
    assert "kind: ConfigMap" in text


async def test_large_answers_are_compressed(
    client: KubeClient, http: aiohttp.ClientSession
) -> None:
    await client.create(CONFIGMAPS, a_config_map("a", x="y" * 200_000))
    path = "/api/v1/namespaces/default/configmaps/a"
    async with http.get(path, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len((await answer.json())["data"]["x"]) == 200_000


# Bodies


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        pytest.param(
            "POST", "/api/v1/namespaces/default/configmaps", b"x" * 3_200_000, 413, id="size"
        ),
        pytest.param("PUT", "/api/v1/namespaces/default/configmaps", b"{}", 405, id="method"),
        pytest.param("POST", "/api/v1/configmaps", b"{}", 405, id="no namespace"),
        pytest.param("GET", "/api/v1/namespaces/default/nothings", b"", 404, id="resource"),
        pytest.param("GET", "/apis/none.example.com/v1/things", b"", 404, id="group"),
        pytest.param("GET", "/apis/apps/v9/deployments", b"", 404, id="version"),
        pytest.param("POST", "/api/v1/namespaces/none/configmaps", b"{}", 404, id="namespace"),
    ],
)
async def test_requests_that_cannot_be(
    http: aiohttp.ClientSession, method: str, path: str, body: bytes, code: int
) -> None:
    if path.endswith("none/configmaps"):
        body = orjson.dumps(a_config_map("a", "none"))
    headers = {"Content-Type": "application/json"}
    async with http.request(method, path, data=io.BytesIO(body), headers=headers) as answer:
        await answer.read()
        assert answer.status == code


@pytest.mark.parametrize(
    ("query", "shape", "code", "complaint"),
    [
        ("", "PartialObjectMetadata", 406, "the requested object is a list (*core.ConfigMapList)"),
        ("/shown", "PartialObjectMetadataList", 406, "is not a list (*core.ConfigMap)"),
        ("?includeObject=Some", "Table", 400, "must be 'Metadata', 'Object', 'None', or empty"),
        ("?labelSelector=a%20in%20b", "Table", 400, "found 'b' expected: '('"),
    ],
)
async def test_shapes_that_cannot_be(
    client: KubeClient,
    http: aiohttp.ClientSession,
    query: str,
    shape: str,
    code: int,
    complaint: str,
) -> None:
    await client.create(CONFIGMAPS, a_config_map("shown"))
    headers = {"Accept": f"application/json;as={shape};v=v1;g=meta.k8s.io"}
    path = f"/api/v1/namespaces/default/configmaps{query}"
    async with http.get(path, headers=headers) as answer:
        body = await answer.json()
    assert (answer.status, body["code"]) == (code, code)
    assert complaint in body["message"]


async def test_replicas_are_applied_through_scale(
    client: KubeClient, http: aiohttp.ClientSession
) -> None:
    await client.create(DEPLOYMENTS, a_deployment("d"), field_manager="maker")
    path = "/apis/apps/v1/namespaces/default/deployments/d/scale?fieldManager=scaler"
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 3}}
    headers = {"Content-Type": "application/apply-patch+yaml"}
    async with http.patch(path, data=orjson.dumps(scale), headers=headers) as answer:
        assert answer.status == 409
        assert 'conflict with "maker"' in (await answer.json())["message"]
    async with http.patch(
        f"{path}&force=true", data=orjson.dumps(scale), headers=headers
    ) as answer:
        assert (await answer.json())["spec"] == {"replicas": 3}
    found = await client.get(DEPLOYMENTS, "d", "default")
    owner = next(m for m in found["metadata"]["managedFields"] if m["manager"] == "scaler")
    assert (owner["operation"], owner["subresource"]) == ("Apply", "scale")
    assert owner["fieldsV1"] == {"f:spec": {"f:replicas": {}}}


# Owners


async def test_dependents_go_with_their_owner(client: KubeClient) -> None:
    owner = await client.create(CONFIGMAPS, a_config_map("owner"))
    child = a_config_map("child")
    child["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    ]
    await client.create(CONFIGMAPS, child)
    await client.delete(CONFIGMAPS, "owner", "default")
    await until_gone(client, CONFIGMAPS, "child", "default")


async def test_foreground_deletion_waits_for_the_dependents(client: KubeClient) -> None:
    owner = await client.create(CONFIGMAPS, a_config_map("owner"))
    child = a_config_map("child")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner"}
    reference |= {"uid": owner["metadata"]["uid"]}
    child["metadata"]["ownerReferences"] = [reference | {"blockOwnerDeletion": True}]
    child["metadata"]["finalizers"] = ["example.com/hold"]
    await client.create(CONFIGMAPS, child)
    await client.delete(CONFIGMAPS, "owner", "default", propagation="Foreground")
    async with asyncio.timeout(60):
        while (
            "deletionTimestamp"
            not in (await client.get(CONFIGMAPS, "child", "default"))["metadata"]
        ):
            await asyncio.sleep(0.01)
    assert (await client.get(CONFIGMAPS, "owner", "default"))["metadata"]["finalizers"]
    await client.patch(CONFIGMAPS, "child", "default", {"metadata": {"finalizers": None}})
    await until_gone(client, CONFIGMAPS, "owner", "default")


async def test_orphans_stay(client: KubeClient) -> None:
    owner = await client.create(CONFIGMAPS, a_config_map("owner"))
    child = a_config_map("child")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner"}
    child["metadata"]["ownerReferences"] = [reference | {"uid": owner["metadata"]["uid"]}]
    await client.create(CONFIGMAPS, child)
    await client.delete(CONFIGMAPS, "owner", "default", propagation="Orphan")
    await until_gone(client, CONFIGMAPS, "owner", "default")
    found = await client.get(CONFIGMAPS, "child", "default")
    assert "ownerReferences" not in found["metadata"]


async def test_an_owner_that_never_was_takes_its_dependents(client: KubeClient) -> None:
    child = a_config_map("child")
    child["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "never"}
    ]
    await client.create(CONFIGMAPS, child)
    await until_gone(client, CONFIGMAPS, "child", "default")


# Namespaces


async def test_a_namespace_takes_its_content_along(client: KubeClient) -> None:
    await client.create(
        NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
    )
    held = a_config_map("held", "n")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await client.create(CONFIGMAPS, held)
    await client.delete(NAMESPACES, "n")
    with pytest.raises(ApiError, match="because it is being terminated"):
        await client.create(CONFIGMAPS, a_config_map("late", "n"))
    await client.patch(CONFIGMAPS, "held", "n", {"metadata": {"finalizers": None}})
    await until_gone(client, NAMESPACES, "n", None)
    assert (await client.list(SECRETS, "n"))[0] == []


async def test_every_namespace_has_an_account_and_the_root_certificate(client: KubeClient) -> None:
    await client.create(
        NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
    )
    async with asyncio.timeout(60):
        while True:
            try:
                await client.get(SERVICEACCOUNTS, "default", "n")
                found = await client.get(CONFIGMAPS, "kube-root-ca.crt", "n")
                break
            except NotFound:
                await asyncio.sleep(0.01)
    assert "BEGIN CERTIFICATE" in found["data"]["ca.crt"]


# Custom resources


def a_definition() -> Object:
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "size": {"type": "integer", "minimum": 1},
                    "color": {"type": "string", "default": "red"},
                },
            },
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
    version = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.x.example.com"},
        "spec": {
            "group": "x.example.com",
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [version | {"schema": {"openAPIV3Schema": schema}}],
        },
    }


def a_widget(name: str, **spec: Any) -> Object:
    return {
        "apiVersion": "x.example.com/v1",
        "kind": "Widget",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


async def until_served(client: KubeClient) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await client.list(WIDGETS, "default")
                return
            except NotFound:
                await asyncio.sleep(0.01)


async def test_custom_resources_are_defaulted_and_validated(client: KubeClient) -> None:
    await client.create(CRDS, a_definition())
    await until_served(client)
    assert (await client.create(WIDGETS, a_widget("w", size=1)))["spec"]["color"] == "red"
    with pytest.raises(Invalid, match="should be greater than or equal to 1"):
        await client.create(WIDGETS, a_widget("bad", size=0))


async def test_a_definition_takes_its_objects_along(client: KubeClient) -> None:
    await client.create(CRDS, a_definition())
    await until_served(client)
    for n in range(3):
        await client.create(WIDGETS, a_widget(f"w{n}", size=1))
    held = a_widget("held", size=1)
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await client.create(WIDGETS, held)
    await client.delete(CRDS, "widgets.x.example.com")
    with pytest.raises(ApiError, match="custom resource definition is terminating"):
        await client.create(WIDGETS, a_widget("late", size=1))
    await client.patch(WIDGETS, "held", "default", {"metadata": {"finalizers": None}})
    await until_gone(client, CRDS, "widgets.x.example.com", None)
    with pytest.raises(NotFound):
        await client.list(WIDGETS, "default")


async def test_custom_resources_are_there_after_a_restart(tmp_path: Path) -> None:
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        await client.create(CRDS, a_definition())
        await until_served(client)
        await client.create(WIDGETS, a_widget("w", size=1))
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        assert (await client.get(WIDGETS, "w", "default"))["spec"]["size"] == 1


# Pods


def a_pod(name: str, node: str = "") -> Object:
    spec: Object = {"containers": [{"name": "c", "image": "i"}]}
    if node:
        spec["nodeName"] = node
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


async def test_a_pod_on_a_node_waits_for_it(client: KubeClient) -> None:
    await client.create(PODS, a_pod("p", "n"))
    await client.delete(PODS, "p", "default")
    waiting = await client.get(PODS, "p", "default")
    assert waiting["metadata"]["deletionGracePeriodSeconds"] == 30
    await client.delete(PODS, "p", "default", grace_period_seconds=0)
    with pytest.raises(NotFound):
        await client.get(PODS, "p", "default")


async def test_a_pod_is_bound_once(client: KubeClient, http: aiohttp.ClientSession) -> None:
    await client.create(PODS, a_pod("p"))
    binding = {"apiVersion": "v1", "kind": "Binding", "target": {"kind": "Node", "name": "n"}}
    path = "/api/v1/namespaces/default/pods/p/binding"
    assert await post(http, path, binding) == 201
    assert (await client.get(PODS, "p", "default"))["spec"]["nodeName"] == "n"
    assert await post(http, path, binding) == 409


async def test_an_evicted_pod_is_deleted(client: KubeClient, http: aiohttp.ClientSession) -> None:
    await client.create(PODS, a_pod("p"))
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    assert await post(http, "/api/v1/namespaces/default/pods/p/eviction", eviction) == 201
    with pytest.raises(NotFound):
        await client.get(PODS, "p", "default")


async def test_logs_are_read_and_followed(
    server: RunningServer, client: KubeClient, http: aiohttp.ClientSession
) -> None:
    pod = await client.create(PODS, a_pod("p", "n"))
    folder = server.data_dir / "pods" / f"default_p_{pod['metadata']['uid']}" / "c"
    folder.mkdir(parents=True)
    log = folder / "0.log"
    log.write_text("".join(f"2026-01-01T00:00:0{n}.0Z stdout F line {n}\n" for n in range(5)))
    path = "/api/v1/namespaces/default/pods/p/log"
    _, text = await read(http, path, params={"tailLines": "2"})
    assert text == "line 3\nline 4\n"
    async with http.get(path, params={"tailLines": "1", "follow": "1"}) as follow:
        assert await follow.content.readline() == b"line 4\n"
        with log.open("a") as file:
            file.write("2026-01-01T00:00:06.0Z stdout F more\n")
        assert await follow.content.readline() == b"more\n"
        await client.delete(PODS, "p", "default", grace_period_seconds=0)
        assert await follow.content.read() == b""


async def test_a_log_that_is_not_there_yet(client: KubeClient, http: aiohttp.ClientSession) -> None:
    await client.create(PODS, a_pod("p", "n"))
    path = "/api/v1/namespaces/default/pods/p/log"
    code, found = await read(http, path)
    assert code == 400
    assert "is waiting to start" in found["message"]
    running = {
        "name": "c",
        "restartCount": 0,
        "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
    }
    await client.patch(
        PODS, "p", "default", {"status": {"containerStatuses": [running]}}, subresource="status"
    )
    assert await read(http, path) == (200, "")
    _, found = await read(http, path, params={"previous": "1"})
    assert "previous terminated container" in found["message"]


# Growing old


async def test_a_watch_of_forgotten_changes_is_told_so(
    server: RunningServer, client: KubeClient
) -> None:
    first = await client.create(CONFIGMAPS, a_config_map("a", x="1"))
    await client.patch(CONFIGMAPS, "a", "default", {"data": {"x": "2"}})
    await server.api.store.compact(server.api.clock() + 1)
    with pytest.raises(Gone, match="too old resource version"):
        version = first["metadata"]["resourceVersion"]
        async for _ in client.watch(CONFIGMAPS, "default", resource_version=version):
            pass


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"priorityClassName": "none"}, "no PriorityClass with name none was found"),
        ({"priority": 5}, "the integer value of priority (5) must not be provided in pod spec"),
    ],
)
async def test_the_priority_of_a_pod_comes_from_its_class(
    client: KubeClient, spec: Object, complaint: str
) -> None:
    classes = Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", False)
    head = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
    await client.create(classes, {**head, "metadata": {"name": "high"}, "value": 7})
    pod = {"containers": [{"name": "c", "image": "i"}]}
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"}}
    with pytest.raises(ApiError) as refusal:
        await client.create(PODS, {**obj, "spec": {**pod, **spec}})
    assert refusal.value.code == 403
    assert complaint in refusal.value.message
    made = await client.create(PODS, {**obj, "spec": {**pod, "priorityClassName": "high"}})
    assert made["spec"]["priority"] == 7


RUNTIME_CLASSES = Resource("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", False)


async def a_runtime_class(client: KubeClient, name: str, **fields: Any) -> Object:
    head = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}}
    return await client.create(RUNTIME_CLASSES, {**head, "handler": "vm", **fields})


async def a_pod_of(client: KubeClient, **spec: Any) -> Object:
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"}}
    containers = [{"name": "c", "image": "i"}]
    return await client.create(PODS, {**obj, "spec": {"containers": containers, **spec}})


async def test_a_pod_gets_what_its_runtime_class_says(client: KubeClient) -> None:
    taint = {"key": "vm", "operator": "Exists", "effect": "NoSchedule"}
    await a_runtime_class(
        client,
        "vm",
        overhead={"podFixed": {"memory": "64Mi"}},
        scheduling={"nodeSelector": {"vm": "yes"}, "tolerations": [taint]},
    )
    selected = {"disk": "ssd"}
    pod = await a_pod_of(client, runtimeClassName="vm", nodeSelector=selected, tolerations=[taint])
    assert pod["spec"]["overhead"] == {"memory": "64Mi"}
    assert pod["spec"]["nodeSelector"] == {"disk": "ssd", "vm": "yes"}
    assert [each for each in pod["spec"]["tolerations"] if each["key"] == "vm"] == [taint]


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"runtimeClassName": "none"}, 'pod rejected: RuntimeClass "none" not found'),
        (
            {"runtimeClassName": "vm", "overhead": {"memory": "1Mi"}},
            "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
        ),
        (
            {"overhead": {"memory": "1Mi"}},
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
        (
            {"runtimeClassName": "vm", "nodeSelector": {"vm": "no"}},
            "conflict: runtimeClass.scheduling.nodeSelector[vm] = yes; "
            "pod.spec.nodeSelector[vm] = no",
        ),
    ],
)
async def test_a_pod_that_its_runtime_class_forbids_is_refused(
    client: KubeClient, spec: Object, complaint: str
) -> None:
    scheduling = {"nodeSelector": {"vm": "yes"}}
    overhead = {"podFixed": {"memory": "2Mi"}}
    await a_runtime_class(client, "vm", overhead=overhead, scheduling=scheduling)
    with pytest.raises(ApiError) as refusal:
        await a_pod_of(client, **spec)
    assert refusal.value.code == 403
    assert refusal.value.message == f'pods "p" is forbidden: {complaint}'


async def test_what_is_wrong_in_a_runtime_class_is_refused(client: KubeClient) -> None:
    for fields, complaint in (
        ({"handler": "Not a label"}, "handler: Invalid value"),
        ({"overhead": {"podFixed": {"memory": "-1"}}}, "overhead.limits[memory]: Invalid value"),
        ({"scheduling": {"nodeSelector": {"a b": ""}}}, "scheduling.nodeSelector: Invalid value"),
    ):
        with pytest.raises(ApiError) as refusal:
            await a_runtime_class(client, "wrong", **fields)
        assert refusal.value.code == 422 and complaint in refusal.value.message
    await a_runtime_class(client, "vm")
    with pytest.raises(ApiError, match=r"handler: Invalid value: .*field is immutable"):
        await client.patch(RUNTIME_CLASSES, "vm", None, {"handler": "other"})


@pytest.mark.parametrize("body", [{"kind": "ConfigMap"}, {"gracePeriodSeconds": "x"}, []])
async def test_a_body_that_is_no_options_deletes_nothing(
    client: KubeClient, http: aiohttp.ClientSession, body: Any
) -> None:
    await client.create(CONFIGMAPS, a_config_map("a"))
    path = "/api/v1/namespaces/default/configmaps/a"
    async with http.delete(path, json=body) as answer:
        assert answer.status == 400
    assert await client.get(CONFIGMAPS, "a", "default")
