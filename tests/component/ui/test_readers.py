"""What a reader's page may do in a cluster is what it does, and nothing else.

The API server holds it to the rules of ``config/base`` and records what it asks for.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from eventing import install as eventing
from hearth.cli.page.cluster import There
from hearth.cluster.apiserver.testing import running_apiserver
from hearth.cluster.rest import http
from hearth.install.bundle import Choice, objects_of
from hearth.knative.resources import BROKERS
from hearth.kube.client import KubeClient
from hearth.kube.install import config_folder
from hearth.kube.kubeconfig import access_of
from hearth.kube.meta import Object
from hearth.kube.resources import CRDS, NAMESPACES, PODS, SERVICEACCOUNTS
from hearth.ui.logs import Asked, follow
from hearth.ui.tables import Tables
from hearth.ui.watching import Watching
from serving import install as serving
from tests.component.install.rbac import Recorder, grants_of
from tests.waiting import until

READER, SERVING = "hearth-page-reader", "knative-serving"
TOKEN = f"/api/v1/namespaces/{SERVING}/serviceaccounts/{READER}/token"
OTHERS = (
    ("keda.sh", "scaledobjects", "ScaledObject"),
    ("keda.sh", "scaledjobs", "ScaledJob"),
    ("pipelines.hearth.dev", "pipelineruns", "PipelineRun"),
)
NOT_SERVED = {
    ("get", "", "pods/proxy", SERVING, ""),
    ("get", "", "pods/proxy", "knative-eventing", "hearth-broker-0:9092"),
}
"""The one-machine API server hands nothing on to pods."""


def a_kind(group: str, plural: str, kind: str) -> Object:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    return {
        "apiVersion": CRDS.api_version,
        "kind": CRDS.kind,
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]},
    }


async def prepare(client: KubeClient) -> str:
    """What there is to look at; the reader's token."""
    await serving.install(client)
    await eventing.install(client)
    for kind in OTHERS:
        await client.apply(CRDS, a_kind(*kind), field_manager="test")
    for space in (SERVING, "knative-eventing"):
        obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}
        await client.apply(NAMESPACES, obj, field_manager="test")
    await client.create(SERVICEACCOUNTS, {"metadata": {"name": READER, "namespace": SERVING}})
    labels = {"app.kubernetes.io/name": "hearth-activator"}
    spec = {"containers": [{"name": "activator", "image": "app"}]}
    pod = {"metadata": {"name": "a", "namespace": SERVING, "labels": labels}, "spec": spec}
    await client.create(PODS, pod)
    broker = {"apiVersion": BROKERS.api_version, "kind": "Broker", "spec": {}}
    await client.create(BROKERS, {**broker, "metadata": {"name": "b", "namespace": "default"}})
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    return str((await client.request("POST", TOKEN, body=request))["status"]["token"])


async def test_a_reader_may_do_what_its_page_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(grants_of(objects_of(config_folder(), Choice())))
    monkeypatch.setattr(http, "handle_resource", recorder.handle)
    async with running_apiserver(tmp_path) as server:
        admin = access_of(server.kubeconfig)
        async with KubeClient(admin) as client:
            token = await prepare(client)
        reader = replace(admin, token=token)
        async with KubeClient(reader) as client:
            there = There(client, reader, is_reader=True)
            watching = asyncio.create_task(Watching(client, there, Tables()).run())
            async for _ in follow(client, Asked("default", pod="none")):
                pass
            try:
                await until(lambda: unneeded(recorder) <= NOT_SERVED)
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
                assert (unneeded(recorder), recorder.refused) == (NOT_SERVED, set())


def unneeded(recorder: Recorder) -> set[tuple[str, ...]]:
    return {each[1:] for each in recorder.unused() if READER in each.user}
