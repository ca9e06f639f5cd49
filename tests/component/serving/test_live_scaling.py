"""Scale that changes without a new revision, and revisions that begin where the last one is."""

from typing import Any

from hearth.knative import resources as knative
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object, annotations
from serving.api import keys
from tests.component.serving.test_autoscaling import (
    NAMESPACE,
    REVISION,
    Cluster,
    came_up,
    cluster,
    eventually,
)

__all__ = ["cluster"]
MIN, MAX = "autoscaling.hearth.dev/min-scale", "autoscaling.hearth.dev/max-scale"


async def annotate(cluster: Cluster, **own: str | None) -> Object:
    named = {f"autoscaling.hearth.dev/{key}_scale".replace("_", "-"): own[key] for key in own}
    change: dict[str, Any] = {"metadata": {"annotations": named}}
    return await cluster.client.patch(knative.KSERVICES, "hello", NAMESPACE, change)


async def of_podautoscaler(cluster: Cluster) -> tuple[str, str]:
    own = annotations(await cluster.get(knative.PODAUTOSCALERS, REVISION))
    return keys.MIN_SCALE.value(own), keys.MAX_SCALE.value(own)


async def test_min_and_max_change_without_a_revision_and_go_back(cluster: Cluster) -> None:
    await came_up(cluster, **{keys.MIN_SCALE.key: "1"})
    service = await annotate(cluster, min="3", max="4")
    await eventually(cluster.replicas, 3)
    assert await of_podautoscaler(cluster) == ("3", "4")
    await annotate(cluster, min=None, max=None)
    await eventually(lambda: of_podautoscaler(cluster), ("1", ""))
    revisions, _ = await cluster.client.list(knative.REVISIONS, NAMESPACE)
    assert [each["metadata"]["name"] for each in revisions] == [REVISION]
    assert service["metadata"]["generation"] == 1


async def test_a_new_revision_begins_with_as_many_pods_as_the_one_it_replaces(
    cluster: Cluster,
) -> None:
    await came_up(cluster, **{keys.MIN_SCALE.key: "1"})
    await annotate(cluster, min="3")
    await eventually(cluster.replicas, 3)
    template = {
        "metadata": {"annotations": {keys.INITIAL_SCALE.key: keys.CURRENT}},
        "spec": {"containers": [{"name": "user-container", "image": "app2"}]},
    }
    change: dict[str, Any] = {"spec": {"template": template}}
    await cluster.client.patch(knative.KSERVICES, "hello", NAMESPACE, change)

    async def begins() -> str:
        try:
            found = await cluster.get(knative.PODAUTOSCALERS, "hello-00002")
        except ApiError:
            return ""
        return keys.INITIAL_SCALE.value(annotations(found))

    await eventually(begins, "3")
