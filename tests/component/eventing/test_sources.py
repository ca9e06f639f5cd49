"""Sources against a real API server: what is bound, made and told, and what is undone."""

import asyncio

from hearth.cluster.controllers.main import ControllersConfig
from hearth.cluster.controllers.main import run as run_controllers
from hearth.knative.resources import CONTAINERSOURCES, SINKBINDINGS
from hearth.kube.errors import NotFound
from hearth.kube.resources import (
    CRONJOBS,
    DEPLOYMENTS,
    JOBS,
    MUTATING_WEBHOOKS,
    NAMESPACES,
    SERVICES,
)
from tests.component.eventing.cluster import cluster, condition, running

SINK = {"ref": {"apiVersion": "v1", "kind": "Service", "name": "sink"}}
URL = {"name": "K_SINK", "value": "http://sink.default.svc.cluster.local"}
OVERRIDES = {"name": "K_CE_OVERRIDES", "value": '{"extensions":{"x":"y"}}'}
HOOK = "sinkbindings.webhook.sources.knative.dev"


def deployment_spec(**labels):
    return {
        "selector": {"matchLabels": {"app": "it"}},
        "template": {
            "metadata": {"labels": {"app": "it", **labels}},
            "spec": {"containers": [{"name": "c", "image": "it"}]},
        },
    }


def subject(resource, **by):
    return {"apiVersion": resource.api_version, "kind": resource.kind, **by}


async def make_sink(found):
    await found.create(SERVICES, "sink", ports=[{"port": 80}])


def env_of(obj):
    [container] = obj["spec"]["template"]["spec"]["containers"]
    return container.get("env")


def is_bound(obj):
    return env_of(obj) == [URL, OVERRIDES]


async def bind(found, title="b", **by):
    spec = {"sink": SINK, "subject": by, "ceOverrides": {"extensions": {"x": "y"}}}
    await found.create(SINKBINDINGS, title, **spec)


async def asked_about(found):
    hook = await found.client.get(MUTATING_WEBHOOKS, HOOK)
    return [rule["resources"] for rule in hook["webhooks"][0].get("rules") or ()]


async def until_asked_about(found, wanted):
    async with asyncio.timeout(60):
        while await asked_about(found) != wanted:
            await asyncio.sleep(0.02)


async def until_gone(found, resource, name):
    async with asyncio.timeout(60):
        while True:
            try:
                await found.client.get(resource, name, "default")
            except NotFound:
                return
            await asyncio.sleep(0.02)


async def test_what_is_there_is_bound_and_released(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found:
        assert await asked_about(found) == []
        await found.create(DEPLOYMENTS, "d", **deployment_spec())
        await bind(found, **subject(DEPLOYMENTS, name="d"))
        await found.until(
            SINKBINDINGS, "b", lambda obj: condition(obj, "SinkProvided")[0] == "False"
        )
        assert env_of(await found.client.get(DEPLOYMENTS, "d", "default")) is None
        await make_sink(found)
        await found.until_ready(SINKBINDINGS, "b")
        await found.until(DEPLOYMENTS, "d", is_bound)
        where = await found.client.get(NAMESPACES, "default")
        assert where["metadata"]["labels"]["bindings.knative.dev/include"] == "true"
        # Somebody who takes it away does not get far: the webhook is asked.
        await until_asked_about(found, [["deployments"]])
        pod = {"containers": [{"name": "c", "image": "it", "env": None}]}
        change = {"spec": {"template": {"spec": pod}}}
        changed = await found.client.patch(DEPLOYMENTS, "d", "default", change)
        assert is_bound(changed)
        await found.client.delete(SINKBINDINGS, "b", "default")
        await until_gone(found, SINKBINDINGS, "b")
        await found.until(DEPLOYMENTS, "d", lambda obj: env_of(obj) is None)
        await until_asked_about(found, [])


async def test_what_comes_is_bound_as_it_is_written(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found:
        await make_sink(found)
        labelled = {"selector": {"matchLabels": {"events": "yes"}}}
        await bind(found, "jobs", **subject(JOBS, **labelled))
        await found.until_ready(SINKBINDINGS, "jobs")
        await until_asked_about(found, [["jobs"]])
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "j", "namespace": "default", "labels": {"events": "yes"}},
            "spec": {
                "template": {
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [{"name": "c", "image": "it"}],
                    }
                }
            },
        }
        assert is_bound(await found.client.create(JOBS, job))
        other = {**job, "metadata": {"name": "other", "namespace": "default"}}
        assert env_of(await found.client.create(JOBS, other)) is None
        # A second kind is asked about as well.
        await bind(found, "all", **subject(DEPLOYMENTS, selector={}))
        await until_asked_about(found, [["deployments"], ["jobs"]])
        await found.until_ready(SINKBINDINGS, "all")
        assert is_bound(await found.create(DEPLOYMENTS, "d", **deployment_spec()))


async def test_jobs_of_a_cron_job_are_bound(tmp_path):
    """Knative's sample of a SinkBinding: heartbeats that a CronJob makes."""
    async with cluster(tmp_path, with_broker=False) as found:
        controllers = ControllersConfig(found.kubeconfig)
        async with running(lambda ready: run_controllers(controllers, ready)):
            await make_sink(found)
            await bind(found, **subject(JOBS, selector={"matchLabels": {"app": "beat"}}))
            await found.until_ready(SINKBINDINGS, "b")
            await until_asked_about(found, [["jobs"]])
            pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "it"}]}
            template = {
                "metadata": {"labels": {"app": "beat"}},
                "spec": {"template": {"spec": pod}},
            }
            await found.create(CRONJOBS, "beat", schedule="@every 1s", jobTemplate=template)
            beat = await found.until(
                CRONJOBS, "beat", lambda each: (each.get("status") or {}).get("active")
            )
            [running_job, *_] = beat["status"]["active"]
            job = await found.client.get(JOBS, running_job["name"], "default")
            assert is_bound(job)
            assert job["metadata"]["uid"] == running_job["uid"]
            assert beat["status"]["lastScheduleTime"]
            await found.client.delete(CRONJOBS, "beat", "default")
            await until_gone(found, JOBS, running_job["name"])


async def test_a_subject_that_is_not_there_is_told_until_it_comes(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found:
        await make_sink(found)
        await bind(found, **subject(DEPLOYMENTS, name="d"))
        told = ("False", "SubjectMissing", 'deployments.apps "d" not found')
        await found.until(
            SINKBINDINGS, "b", lambda obj: condition(obj, "SinkBindingAvailable") == told
        )
        await found.create(DEPLOYMENTS, "d", **deployment_spec())
        await found.until_ready(SINKBINDINGS, "b")
        await found.until(DEPLOYMENTS, "d", is_bound)
        await bind(found, "unknown", apiVersion="x.example/v1", kind="Unknown", name="u")
        await found.until(
            SINKBINDINGS,
            "unknown",
            lambda obj: condition(obj, "SinkBindingAvailable")[1] == "SubjectUnavailable",
        )


async def test_a_container_source_makes_both_parts(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found:
        containers = {"spec": {"containers": [{"image": "it"}]}}
        await found.create(CONTAINERSOURCES, "c", sink=SINK, template=containers)
        await found.until(
            CONTAINERSOURCES, "c", lambda obj: condition(obj, "SinkBindingReady")[0] == "False"
        )
        await make_sink(found)
        made = await found.until(DEPLOYMENTS, "c-deployment", lambda obj: env_of(obj))
        assert env_of(made)[0] == URL
        # What a kubelet and a controller of Deployments would say.
        available = {"type": "Available", "status": "True"}
        await found.client.patch(
            DEPLOYMENTS,
            "c-deployment",
            "default",
            {"status": {"conditions": [available]}},
            subresource="status",
        )
        source = await found.until_ready(CONTAINERSOURCES, "c")
        assert source["status"]["sinkUri"] == URL["value"]
        again = await found.client.get(DEPLOYMENTS, "c-deployment", "default")
        assert again["metadata"]["generation"] == 1, "its pods start once"
