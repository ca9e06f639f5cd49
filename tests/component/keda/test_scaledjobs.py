"""The operator and ScaledJobs: Jobs as there is work, old ones gone, rollouts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from hearth.keda.api import keys
from hearth.kube import meta
from hearth.kube.meta import Object, labels, name
from hearth.kube.resources import JOBS
from tests.component.keda.operator import NS, TRIGGER, Keda, cluster, condition

TEMPLATE = {"template": {"spec": {"containers": [{"name": "a", "image": "true"}]}}}
EACH = TRIGGER | {"metadata": {"podSelector": "app=work", "value": "1"}}


async def scaledjob(keda: Keda, **members: Any) -> Object:
    spec = {"jobTargetRef": TEMPLATE, "triggers": [EACH], "pollingInterval": 1}
    return await keda.create(keys.SCALEDJOBS, "batch", spec=spec | members)


async def jobs(keda: Keda, number: int) -> list[Object]:
    """Wait for so many Jobs."""
    async with asyncio.timeout(60):
        while len(found := (await keda.client.list(JOBS, NS))[0]) != number:
            await asyncio.sleep(0.01)
    return found


async def end(keda: Keda, job: Object, kind: str = "Complete") -> None:
    condition = {"type": kind, "status": "True"}
    times = {"startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:00:01Z"}
    status = {"conditions": [condition], **(times if kind == "Complete" else {})}
    await keda.client.patch(JOBS, name(job), NS, {"status": status}, subresource="status")


async def test_jobs_as_there_is_work(tmp_path: Path) -> None:
    async with cluster(tmp_path) as keda, keda.operator():
        await keda.work("work-0", "work-1", "work-2")
        await scaledjob(keda, maxReplicaCount=2, successfulJobsHistoryLimit=1)
        first = await jobs(keda, 2)
        assert labels(first[0])["scaledjob.keda.sh/name"] == "batch"
        assert meta.annotations(first[0])["scaledjob.keda.sh/generation"] == "1"
        assert first[0]["metadata"]["ownerReferences"][0]["kind"] == "ScaledJob"
        assert first[0]["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure"
        assert (await keda.event("KEDAJobsCreated"))["message"] == "Created 2 jobs"
        await keda.until(
            keys.SCALEDJOBS,
            "batch",
            lambda found: (
                {each["type"]: each["status"] for each in found["status"]["conditions"]}
                == {"Ready": "True", "Active": "True", "Fallback": "Unknown", "Paused": "False"}
            ),
        )
        await keda.done("work-0", "work-1", "work-2")
        for job in first:
            await end(keda, job)
        await jobs(keda, 1)
        await keda.event("ScaledJobInactive")
        await keda.client.delete(keys.SCALEDJOBS, "batch", NS)
        await keda.gone(keys.SCALEDJOBS, "batch")


async def test_a_changed_template_ends_the_old_jobs(tmp_path: Path) -> None:
    async with cluster(tmp_path) as keda, keda.operator():
        await keda.work("work-0")
        await scaledjob(keda)
        (old,) = await jobs(keda, 1)
        await keda.client.patch(
            keys.SCALEDJOBS, "batch", NS, {"spec": {"successfulJobsHistoryLimit": 3}}
        )
        await keda.gone(JOBS, name(old))
        await keda.event("ScaledJobRolloutCleanupCompleted")
        (new,) = await jobs(keda, 1)
        assert meta.annotations(new)["scaledjob.keda.sh/generation"] == "2"


async def test_a_paused_scaledjob_starts_nothing(tmp_path: Path) -> None:
    async with cluster(tmp_path) as keda, keda.operator():
        await keda.work("work-0")
        paused = {"metadata": {"annotations": {"autoscaling.keda.sh/paused": "true"}}}
        await scaledjob(keda)
        await jobs(keda, 1)
        await keda.client.patch(keys.SCALEDJOBS, "batch", NS, paused)
        await keda.event("ScaledJobPaused")
        (job,) = await jobs(keda, 1)
        await end(keda, job)
        again = {"metadata": {"annotations": {"autoscaling.keda.sh/paused": None}}}
        assert len(await jobs(keda, 1)) == 1
        await keda.client.patch(keys.SCALEDJOBS, "batch", NS, again)
        await keda.event("ScaledJobUnpaused")
        await jobs(keda, 2)


async def test_what_is_told_of_one_that_starts_nothing(tmp_path: Path) -> None:
    async with cluster(tmp_path) as keda, keda.operator():
        wrong = {"type": "kubernetes-workload", "metadata": {"podSelector": "app=work"}}
        await scaledjob(keda, triggers=[wrong])
        said = "Failed to ensure ScaledJob is correctly created: error parsing kubernetes workload"
        await keda.event("ScaledJobCheckFailed", said)
        found = await keda.until(
            keys.SCALEDJOBS, "batch", lambda each: condition(each, "Ready")["status"] == "False"
        )
        assert condition(found, "Ready")["message"].startswith(said)
        paused = {"metadata": {"annotations": {"autoscaling.keda.sh/paused": "true"}}}
        await keda.client.patch(keys.SCALEDJOBS, "batch", NS, paused)
        found = await keda.until(
            keys.SCALEDJOBS, "batch", lambda each: condition(each, "Ready")["status"] == "True"
        )
        assert (
            condition(found, "Ready")["message"] == "ScaledJob is paused, skipping reconcile loop"
        )
