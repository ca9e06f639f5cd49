"""KEDA's kinds and webhooks on a real API server: what it says is what KEDA would say."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.keda.admission import webhooks
from hearth.keda.api import keys
from hearth.keda.install import install
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, Invalid
from hearth.kube.leadership import ALONE
from hearth.kube.meta import Object
from hearth.kube.registration import Registration
from hearth.kube.resources import CRDS, DEPLOYMENTS, HPAS, NAMESPACES, Resource
from hearth.kube.webhooks import Endpoint

LIMITRANGES = Resource("", "v1", "limitranges", "LimitRange")
DENIED = 'admission webhook "{}" denied the request: {}'
SO, SJ = "vscaledobject.kb.io", "vscaledjob.kb.io"


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[KubeClient]:
    """An API server with KEDA's kinds and webhooks."""
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_apiserver(folder))
        client = KubeClient.from_kubeconfig(server.kubeconfig, user_agent="test")
        await stack.enter_async_context(client)
        await install(client)
        registration = Registration(client, webhooks.handlers(client), Endpoint(), leadership=ALONE)
        await stack.enter_async_context(registration.serving())
        await registration.register(webhooks.WEBHOOKS)
        yield client


def scaled(name: str = "web", *triggers: Object, **spec: Any) -> Object:
    given = list(triggers) or [redis()]
    return made(
        keys.SCALEDOBJECTS, name, {"scaleTargetRef": {"name": "web"}, "triggers": given} | spec
    )


def redis(**more: Any) -> Object:
    metadata = {"address": "redis:6379", "listName": "jobs", "listLength": "5"}
    return {"type": "redis", "metadata": metadata, **more}


def cpu(**more: Any) -> Object:
    return {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "50"}, **more}


def made(resource: Resource, name: str, spec: Object, **annotations: str) -> Object:
    metadata: Object = {"name": name, "annotations": annotations}
    if resource.namespaced:
        metadata["namespace"] = "default"
    kind = {"apiVersion": resource.api_version, "kind": resource.kind}
    return kind | {"metadata": metadata, "spec": spec}


def deployment(**requests: str) -> Object:
    container = {"name": "main", "image": "worker", "resources": {"requests": requests}}
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return made(DEPLOYMENTS, "web", {"selector": {"matchLabels": labels}, "template": template})


def job(**template: Any) -> Object:
    spec = {"containers": [{"name": "main", "image": "worker"}], "restartPolicy": "Never"}
    return {
        "jobTargetRef": {"template": {"spec": spec | template}},
        "triggers": [redis()],
    }


async def refusal(client: KubeClient, resource: Resource, obj: Object) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await client.create(resource, obj)
    return caught.value


async def test_kinds_are_served_with_kedas_columns(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        await client.create(keys.SCALEDOBJECTS, scaled(minReplicaCount=0, maxReplicaCount=7))
        table = await client.request(
            "GET",
            keys.SCALEDOBJECTS.path("default"),
            fields={"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"},
        )
        names = {crd["metadata"]["name"] for crd in (await client.list(CRDS))[0]}
        assert await client.get(NAMESPACES, "keda")
    columns = [column["name"] for column in table["columnDefinitions"]]
    assert columns[1:5] == ["ScaleTargetKind", "ScaleTargetName", "Min", "Max"]
    assert table["rows"][0]["cells"][:5] == ["web", None, "web", 0, 7]
    assert names >= {f"{each.plural}.{each.group}" for each in keys.RESOURCES}


async def test_what_is_installed_is_left_alone(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        before = {crd["metadata"]["resourceVersion"] for crd in (await client.list(CRDS))[0]}
        await install(client)
        after = {crd["metadata"]["resourceVersion"] for crd in (await client.list(CRDS))[0]}
    assert before == after


async def test_two_scaled_objects_on_one_target(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        await client.create(keys.SCALEDOBJECTS, scaled("first"))
        error = await refusal(client, keys.SCALEDOBJECTS, scaled("second"))
        mine = await client.get(keys.SCALEDOBJECTS, "first", "default")
        mine["spec"]["pollingInterval"] = 5
        await client.update(keys.SCALEDOBJECTS, mine)
    assert (error.code, error.reason) == (403, "Forbidden")
    assert error.message == DENIED.format(
        SO,
        "the workload 'web' of type 'apps/v1.Deployment' is already managed by the ScaledObject "
        "'first'",
    )


async def test_an_hpa_of_somebody_else(tmp_path: Path) -> None:
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    async with running(tmp_path) as client:
        await client.create(
            HPAS, made(HPAS, "old", {"scaleTargetRef": ref, "maxReplicas": 3, "metrics": []})
        )
        error = await refusal(client, keys.SCALEDOBJECTS, scaled())
        named = scaled(advanced={"horizontalPodAutoscalerConfig": {"name": "old"}})
        named["metadata"]["annotations"] = {keys.TRANSFER_HPA_ANNOTATION: "true"}
        await client.create(keys.SCALEDOBJECTS, named)
    assert error.message == DENIED.format(
        SO, "the workload 'web' of type 'apps/v1.Deployment' is already managed by the hpa 'old'"
    )


async def test_cpu_asks_for_requests(tmp_path: Path) -> None:
    own = scaled("web", cpu(), minReplicaCount=1)
    async with running(tmp_path) as client:
        gone = await refusal(client, keys.SCALEDOBJECTS, own)
        await client.create(keys.SCALEDOBJECTS, own, dry_run=True)
        await client.create(DEPLOYMENTS, deployment(memory="1Gi"))
        without = await refusal(client, keys.SCALEDOBJECTS, own)
        limits = {"limits": [{"type": "Container", "defaultRequest": {"cpu": "100m"}}]}
        await client.create(LIMITRANGES, made(LIMITRANGES, "defaults", limits))
        zero = await refusal(client, keys.SCALEDOBJECTS, scaled("web", cpu()))
        await client.create(keys.SCALEDOBJECTS, own)
    assert gone.message == DENIED.format(SO, 'Deployment.apps "web" not found')
    assert without.message == DENIED.format(
        SO,
        "the scaledobject has a cpu trigger but the container main doesn't have the cpu request "
        "defined",
    )
    assert "scaledobject has only cpu/memory triggers AND minReplica is 0" in zero.message


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            {"scaleTargetRef": {"name": "x", "apiVersion": "example.com/v1", "kind": "Machine"}},
            'no matches for kind "Machine" in version "example.com/v1"',
        ),
        (
            {"scaleTargetRef": {"name": "x", "apiVersion": "v1", "kind": "Machine"}},
            'no matches for kind "Machine" in version "v1"',
        ),
        (
            {"triggers": [{"type": "carrier-pigeon", "metadata": {}}]},
            "no scaler found for type: carrier-pigeon; there are: ",
        ),
        (
            {"advanced": {"scalingModifiers": {"formula": "jobs +", "target": "1"}}},
            "error validating formula in ScalingModifiers\n",
        ),
        (
            {"idleReplicaCount": 3, "minReplicaCount": 2},
            "IdleReplicaCount=3 must be less than MinReplicaCount=2",
        ),
        (
            {"fallback": {"failureThreshold": 1, "replicas": 1, "behavior": "scalingModifiers"}},
            "scalingModifiers fallback behavior requires scalingModifiers.formula to be defined",
        ),
    ],
)
async def test_what_keda_refuses(spec: Object, text: str, tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        error = await refusal(client, keys.SCALEDOBJECTS, scaled(**spec))
    assert error.message.startswith(DENIED.format(SO, text))


async def test_bounds_are_the_schemas_business(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        for bounds in ((5, 4), (101, 100)):
            obj = scaled(minReplicaCount=bounds[0], maxReplicaCount=bounds[1])
            error = await refusal(client, keys.SCALEDOBJECTS, obj)
            assert isinstance(error, Invalid)
            assert "minReplicaCount must be less than or equal to maxReplicaCount" in error.message


async def test_what_was_right_once_may_be_labelled_and_go(tmp_path: Path) -> None:
    """An HPA that came later is in the way of a change, and of nothing else."""
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    async with running(tmp_path) as client:
        obj = scaled()
        obj["metadata"]["finalizers"] = [keys.FINALIZER]
        made_ = await client.create(keys.SCALEDOBJECTS, obj)
        await client.create(
            HPAS, made(HPAS, "later", {"scaleTargetRef": ref, "maxReplicas": 3, "metrics": []})
        )
        made_["metadata"]["labels"] = {"team": "x"}
        made_ = await client.update(keys.SCALEDOBJECTS, made_)
        with pytest.raises(ApiError, match="already managed by the hpa 'later'"):
            await client.update(
                keys.SCALEDOBJECTS, {**made_, "spec": {**made_["spec"], "maxReplicaCount": 9}}
            )
        await client.delete(keys.SCALEDOBJECTS, "web", "default")
        going = await client.get(keys.SCALEDOBJECTS, "web", "default")
        going["metadata"]["finalizers"] = []
        await client.update(keys.SCALEDOBJECTS, going)
        assert (await client.list(keys.SCALEDOBJECTS))[0] == []


async def test_a_scaled_job_has_to_be_a_job(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        await client.create(keys.SCALEDJOBS, made(keys.SCALEDJOBS, "right", job()))
        wrong = await refusal(
            client, keys.SCALEDJOBS, made(keys.SCALEDJOBS, "wrong", job(restartPolicy="Always"))
        )
        twice = {**job(), "triggers": [redis(name="a"), redis(name="a")]}
        same = await refusal(client, keys.SCALEDJOBS, made(keys.SCALEDJOBS, "same", twice))
    assert wrong.message.startswith(DENIED.format(SJ, "spec.jobTargetRef: "))
    assert "restartPolicy" in wrong.message
    assert same.message == DENIED.format(
        SJ,
        'triggerName "a" is defined multiple times in the ScaledObject/ScaledJob, but it must be '
        "unique",
    )


async def test_other_kinds_are_asked_about(tmp_path: Path) -> None:
    aws = {"podIdentity": {"provider": "aws", "externalID": "x"}}
    both = {
        "destination": {"http": {"uri": "http://x"}},
        "eventSubscription": {
            f"{how}EventTypes": ["keda.scaledobject.ready.v1"] for how in ("included", "excluded")
        },
    }
    identity = "externalID of PodIdentity requires roleArn to be set"
    types = "setting included types and excluded types at the same time is not supported"
    async with running(tmp_path) as client:
        for resource, name, spec, text in (
            (keys.TRIGGERAUTHENTICATIONS, "vstriggerauthentication.kb.io", aws, identity),
            (
                keys.CLUSTERTRIGGERAUTHENTICATIONS,
                "vsclustertriggerauthentication.kb.io",
                aws,
                identity,
            ),
            (keys.CLOUDEVENTSOURCES, "vcloudeventsource.kb.io", both, types),
            (keys.CLUSTERCLOUDEVENTSOURCES, "vclustercloudeventsource.kb.io", both, types),
        ):
            error = await refusal(client, resource, made(resource, "it", spec))
            assert error.message == DENIED.format(name, text)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"target": {"service": "web"}}, "exactly one of 'port' or 'portName' must be set"),
        (
            {"target": {"service": "web", "port": 80, "portName": "http"}},
            "exactly one of 'port' or 'portName' must be set",
        ),
        ({"scalingMetric": {}}, "at least one of 'concurrency' or 'requestRate' must be set"),
        (
            {"coldStart": {}},
            "at least one of 'fallback', 'placeholder', or 'maxPendingRequests' must be set",
        ),
        (
            {"coldStart": {"maxPendingRequests": 1, "overflow": "Placeholder"}},
            "'placeholder' must be set when 'overflow' is 'Placeholder'",
        ),
        (
            {"coldStart": {"placeholder": {"response": {"body": "a", "bodyFromConfigMap":
             {"name": "b"}}}}},
            "at most one of 'body' or 'bodyFromConfigMap' may be set",
        ),
        ({"staticRoutes": [{"rules": [], "response": {}}]}, "should have at least 1 items"),
        ({"rules": [{"hosts": ["a", "a"]}]}, 'Duplicate value: "a"'),
    ],
)  # fmt: skip
async def test_routes_are_checked_by_their_schema(spec: Object, text: str, tmp_path: Path) -> None:
    whole = {
        "target": {"service": "web", "port": 80},
        "scalingMetric": {"concurrency": {"targetValue": 10}},
    }
    async with running(tmp_path) as client:
        await client.create(keys.INTERCEPTORROUTES, made(keys.INTERCEPTORROUTES, "right", whole))
        error = await refusal(
            client, keys.INTERCEPTORROUTES, made(keys.INTERCEPTORROUTES, "wrong", whole | spec)
        )
    assert isinstance(error, Invalid)
    assert text in error.message
