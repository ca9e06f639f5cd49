"""The rights of KEDA's operator in a cluster are those that it uses.

The component runs as its pod does, with the token of its account; the API server holds its requests
to the roles of ``config/components/keda``.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.cluster.rest import http
from hearth.install.bundle import Choice, objects_of
from hearth.install.cluster import Cluster
from hearth.install.installer import Installer
from hearth.keda.api import keys
from hearth.kube.client import KubeClient
from hearth.kube.errors import Forbidden
from hearth.kube.install import config_folder
from hearth.kube.meta import Object, name, namespace
from hearth.kube.resources import (
    DEPLOYMENTS,
    ENDPOINTSLICES,
    HPAS,
    JOBS,
    SECRETS,
    STATEFULSETS,
    VALIDATING_WEBHOOKS,
)
from tests.component.foreign.conftest import Kubelet, kubernetes_controllers
from tests.component.install.rbac import Recorder, grants_of
from tests.component.install.test_rights import Hearth, _cancelled, _lines

AUTH_READER: Object = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "Role",
    "metadata": {
        "name": "extension-apiserver-authentication-reader",
        "namespace": "kube-system",
    },
    "rules": [
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": ["extension-apiserver-authentication"],
            "verbs": ["get", "list", "watch"],
        }
    ],
}
"""Kubernetes brings it along."""


NOT_ASKED = {
    # An admission plugin that the one-machine API server does not have asks for these.
    ("update", "keda.sh", "scaledobjects/finalizers"),
    ("update", "keda.sh", "scaledjobs/finalizers"),
    ("update", "http.keda.sh", "httpscaledobjects/finalizers"),
    # Cases that do not come about here: other kinds of targets, clouds' identities, endpoints of a
    # Service, Jobs of an older generation, what changes while it is scaled, another replica.
    ("get", "", "pods"),
    ("get", "", "serviceaccounts"),
    ("get", "", "configmaps"),
    ("get", "apps", "replicasets"),
    ("get", "apps", "statefulsets"),
    ("get", "argoproj.io", "rollouts"),
    ("get", "autoscaling.internal.knative.dev", "podautoscalers"),
    ("get", "coordination.k8s.io", "leases"),
    ("get", "keda.sh", "clustertriggerauthentications"),
    ("get", "keda.sh", "scaledjobs"),
    ("get", "keda.sh", "scaledobjects"),
    ("get", "serving.knative.dev", "revisions"),
    ("get", "serving.knative.dev", "services"),
    ("list", "discovery.k8s.io", "endpointslices"),
    ("patch", "discovery.k8s.io", "endpointslices"),
    ("delete", "batch", "jobs"),
    ("delete", "keda.sh", "scaledobjects"),
    ("update", "keda.sh", "scaledobjects"),
    ("update", "autoscaling", "horizontalpodautoscalers"),
}
"""What is granted for cases that do not come about here, by verb, group and resource."""


@asynccontextmanager
async def running(folder: Path, recorder: Recorder, objects: list[Object]) -> AsyncIterator[Hearth]:
    """A cluster with the overlay, and the operator as a process beside it."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_apiserver(folder / "api"))
        client = await stack.enter_async_context(
            KubeClient.from_kubeconfig(server.kubeconfig, user_agent="test")
        )
        await Installer(Cluster(client), objects, say=lambda _: None, chosen={}).apply(seconds=60)
        for resource in (DEPLOYMENTS, STATEFULSETS):
            for obj in (await client.list(resource))[0]:
                await client.delete(resource, name(obj), namespace(obj))
        kubelet = Kubelet(client)
        kubelet.ready.set()
        for main in (kubelet.run(), kubernetes_controllers(client)):
            stack.push_async_callback(_cancelled, asyncio.ensure_future(main))
        hearth = Hearth(server, client, folder, recorder)
        await _lead_webhooks_here(hearth)
        # What control makes: the token by which activators are known.
        token = {"data": {"token": base64.b64encode(b"token").decode()}}
        await client.patch(SECRETS, "hearth-stats", "knative-serving", token)
        await hearth.start(stack, "keda", keys.NAMESPACE, account="keda-operator")
        yield hearth


async def _lead_webhooks_here(hearth: Hearth) -> None:
    labels = {"kubernetes.io/service-name": "keda-admission-webhooks"}
    metadata = {"name": "keda-admission-webhooks", "namespace": keys.NAMESPACE, "labels": labels}
    slice_ = {
        "apiVersion": ENDPOINTSLICES.api_version,
        "kind": ENDPOINTSLICES.kind,
        "metadata": metadata,
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": hearth.ports["WEBHOOK"]}],
    }
    await hearth.client.create(ENDPOINTSLICES, slice_)


def pods(app: str, replicas: int = 1) -> dict[str, Any]:
    labels = {"app": app}
    requests = {"cpu": "100m"}
    container = {"name": "c", "image": "x", "resources": {"requests": requests}}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}


WORKLOAD: Object = {
    "type": "kubernetes-workload",
    "metadata": {"podSelector": "app=work", "value": "1"},
}


async def _scale(hearth: Hearth) -> None:
    """From zero, by an HPA, held, and gone, with a secret on the way."""
    await hearth.make(DEPLOYMENTS, "work", pods("work", 2))
    await hearth.make(DEPLOYMENTS, "web", pods("web", 0))
    secret = {"token": base64.b64encode(b"x").decode()}
    await hearth.client.create(
        SECRETS, {"metadata": {"name": "s", "namespace": "default"}, "data": secret}
    )
    ref = {"parameter": "token", "name": "s", "key": "token"}
    await hearth.make(keys.TRIGGERAUTHENTICATIONS, "ta", {"secretTargetRef": [ref]})
    env = {"parameter": "x", "name": "X", "containerName": "c"}
    await hearth.make(keys.CLUSTERTRIGGERAUTHENTICATIONS, "all", {"env": [env]})
    counting = WORKLOAD | {
        "authenticationRef": {"name": "all", "kind": "ClusterTriggerAuthentication"}
    }
    asking = {
        "type": "metrics-api",
        "metadata": {"url": "http://127.0.0.1:9/", "valueLocation": "x", "targetValue": "1"},
        "authenticationRef": {"name": "ta"},
    }
    cpu = {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "50"}}
    spec = {
        "scaleTargetRef": {"name": "web"},
        "pollingInterval": 1,
        "cooldownPeriod": 1,
        "triggers": [counting, asking, cpu],
    }
    nowhere = {"destination": {"http": {"uri": "http://127.0.0.1:9"}}}
    await hearth.make(keys.CLOUDEVENTSOURCES, "told", nowhere)
    await hearth.make(keys.CLUSTERCLOUDEVENTSOURCES, "told", nowhere)
    await hearth.make(keys.SCALEDOBJECTS, "web", spec)
    await hearth.until(lambda: hearth.there(HPAS, "keda-hpa-web"))
    await hearth.until(lambda: _replicas(hearth, "web", 2))
    await hearth.until(lambda: _lists(hearth, "all", "web"))
    await hearth.change(
        keys.SCALEDOBJECTS, "web", metadata={"annotations": {keys.PAUSED_REPLICAS_ANNOTATION: "3"}}
    )
    await hearth.until(lambda: _replicas(hearth, "web", 3))
    await hearth.client.delete(keys.SCALEDOBJECTS, "web", "default")
    await hearth.until(lambda: hearth.gone(keys.SCALEDOBJECTS, "web"))


async def _lists(hearth: Hearth, title: str, users: str) -> bool:
    found = await hearth.client.get(keys.CLUSTERTRIGGERAUTHENTICATIONS, title)
    return bool((found.get("status") or {}).get("scaledobjects") == users)


async def _replicas(hearth: Hearth, title: str, wanted: int) -> bool:
    found = await hearth.client.get(DEPLOYMENTS, title, "default")
    return bool(found["spec"]["replicas"] == wanted)


async def _start_jobs(hearth: Hearth) -> None:
    template = {"spec": {"containers": [{"name": "c", "image": "x"}], "restartPolicy": "Never"}}
    spec = {
        "jobTargetRef": {"template": template},
        "pollingInterval": 1,
        "maxReplicaCount": 1,
        "triggers": [WORKLOAD],
    }
    await hearth.make(keys.SCALEDJOBS, "batch", spec)

    async def is_started() -> bool:
        return bool((await hearth.client.list(JOBS, "default"))[0])

    await hearth.until(is_started)
    await hearth.client.delete(keys.SCALEDJOBS, "batch", "default")
    await hearth.until(lambda: hearth.gone(keys.SCALEDJOBS, "batch"))


async def _route(hearth: Hearth) -> None:
    target = {"name": "web", "service": "web", "port": 80}
    await hearth.make(
        keys.HTTPSCALEDOBJECTS, "old", {"hosts": ["old.example"], "scaleTargetRef": target}
    )
    await hearth.until(lambda: hearth.there(keys.SCALEDOBJECTS, "old"))
    await hearth.client.delete(keys.HTTPSCALEDOBJECTS, "old", "default")
    await hearth.until(lambda: hearth.gone(keys.SCALEDOBJECTS, "old"))


async def _refuse(hearth: Hearth) -> None:
    """The webhooks are registered, with their rules, and answer."""

    async def is_registered() -> bool:
        found = await hearth.client.get(VALIDATING_WEBHOOKS, "vscaledobject.kb.io")
        return bool(found["webhooks"][0].get("rules"))

    await hearth.until(is_registered)
    spec = {"scaleTargetRef": {"name": "web"}, "triggers": [{"type": "pigeon", "metadata": {}}]}
    with pytest.raises(Forbidden, match="no scaler found for type: pigeon"):
        await hearth.make(keys.SCALEDOBJECTS, "wrong", spec)


async def test_rules_are_what_the_operator_does(tmp_path: Path, monkeypatch: Any) -> None:
    objects = objects_of(config_folder(), Choice(("keda",)))
    of_keda = [obj for obj in grants_of([*objects, AUTH_READER]) if ":keda:" in obj.user]
    recorder = Recorder(of_keda)
    monkeypatch.setattr(http, "handle_resource", recorder.handle)
    async with running(tmp_path, recorder, objects) as hearth:
        try:
            await _refuse(hearth)
            await _scale(hearth)
            await _start_jobs(hearth)
            await _route(hearth)
        finally:
            assert _lines(recorder.refused) == "", "rules are missing"
    unused = [each for each in recorder.unused() if each[1:4] not in NOT_ASKED]
    assert _lines(unused) == "", "rules that nothing needs"
