"""A new revision that fails too often loses its traffic again, by the real controllers."""

from hearth.knative import resources as knative
from hearth.kube import resources as kinds
from hearth.observability.histogram import BOUNDS
from serving.api import keys
from serving.api.stats import Stat, encode_frame
from serving.autoscaler.outcomes import BUCKETS
from tests.component.serving.test_autoscaling import (
    NAMESPACE,
    Cluster,
    a_service,
    cluster,
    connect,
    eventually,
)
from tests.component.serving.test_rollout_surge import NEW, Played

__all__ = ["cluster"]
OLD = "hello-00001"
WHY = (
    f'Revision "{NEW}" was rolled back to "{OLD}": '
    "25.0% of 40 requests failed (10 of them), more than 5%."
)


async def rolling_out(cluster: Cluster) -> Played:
    """A rollout that takes an hour, at its first percent."""
    played = Played(cluster)
    service = a_service()
    service["metadata"]["annotations"] = {
        keys.ROLLBACK: "errors>5% p95>500ms",
        keys.ROLLOUT_DURATION.key: "1h",
    }
    await cluster.client.create(knative.KSERVICES, service)
    await eventually(played.traffic, {OLD: 100})
    change = {"spec": {"template": {"spec": {"containers": [{"name": "x", "image": "app2"}]}}}}
    await cluster.client.patch(knative.KSERVICES, "hello", NAMESPACE, change)
    await eventually(played.traffic, {OLD: 99, NEW: 1})
    return played


async def test_errors_take_traffic_back_and_everybody_is_told_why(cluster: Cluster) -> None:
    played = await rolling_out(cluster)
    writer = await connect(cluster)

    async def told() -> tuple[str, str, dict[str, int]]:
        service = await cluster.get(knative.KSERVICES, "hello")
        conditions = {each["type"]: each for each in service["status"]["conditions"]}
        ready = conditions["Ready"]
        return ready.get("reason", ""), ready.get("message", ""), await played.traffic()

    def report(failed: int, answered: int) -> None:
        place = BOUNDS.index(0.05)
        counts = {place: answered - failed, place + BUCKETS: failed}
        writer.write(encode_frame(1.0, [Stat(NAMESPACE, NEW, 1.0, answered, answered=counts)]))

    report(10, 19)  # more than half, but of too few
    report(0, 0)
    await eventually(played.traffic, {OLD: 99, NEW: 1})
    report(0, 21)
    await eventually(told, ("RolledBack", WHY, {OLD: 100}))
    writer.close()

    async def said() -> list[tuple[str, str]]:
        events, _ = await cluster.client.list(kinds.EVENTS, NAMESPACE)
        mine = [each for each in events if each["reason"] == "RolledBack"]
        return [(each["involvedObject"]["kind"], each["message"]) for each in mine]

    await eventually(said, [("Service", WHY)])
    # A better one takes its way as any.
    change = {"spec": {"template": {"spec": {"containers": [{"name": "x", "image": "app3"}]}}}}
    await cluster.client.patch(knative.KSERVICES, "hello", NAMESPACE, change)
    await eventually(played.traffic, {OLD: 99, "hello-00003": 1})
