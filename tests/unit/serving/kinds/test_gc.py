from __future__ import annotations

import pytest

from hearth.kube.clock import rfc3339
from hearth.kube.meta import Object
from hearth.kube.plan import Delete
from serving.api import keys
from serving.api.config.gc import GcConfig
from serving.api.settings import Settings
from serving.kinds.gc import Observed, reconcile

NOW = 1_795_192_800.0
HOUR = 3600.0
CONFIGURATION: Object = {
    "metadata": {"name": "cfg", "namespace": "ns"},
    "status": {"latestReadyRevisionName": "latest"},
}
KEEP_NONE = GcConfig(HOUR, HOUR, 0, None)


def a_revision(
    name: str, hours: float, *, state: str = "reserve", idle: float | None = None, **more: str
) -> Object:
    own = dict(more)
    if idle is not None:
        own[keys.ROUTING_STATE_MODIFIED] = rfc3339(NOW - idle * HOUR)
    return {
        "metadata": {
            "name": name,
            "namespace": "ns",
            "uid": name,
            "creationTimestamp": rfc3339(NOW - hours * HOUR),
            "labels": {keys.ROUTING_STATE: state},
            "annotations": own,
        }
    }


def collected(config: GcConfig, *revisions: Object) -> list[str]:
    plan = reconcile(Observed(CONFIGURATION, revisions), settings=Settings(gc=config), now=NOW)
    return [a.name for a in plan.actions if isinstance(a, Delete)]


def test_stale_ones_go_oldest_first() -> None:
    found = [a_revision("b", 3), a_revision("a", 5), a_revision("young", 0.5)]
    assert collected(KEEP_NONE, *found) == ["a", "b"]


def test_the_time_of_last_use_counts() -> None:
    assert collected(KEEP_NONE, a_revision("used", 9, idle=0.5)) == []
    assert collected(KEEP_NONE, a_revision("unused", 9, idle=2)) == ["unused"]


@pytest.mark.parametrize(
    "revision",
    [
        pytest.param(a_revision("active", 9, state="active"), id="routed"),
        pytest.param(a_revision("pending", 9, state="pending"), id="not looked at yet"),
        pytest.param(a_revision("latest", 9), id="latest ready"),
        pytest.param(a_revision("pinned", 9, idle=None, **{keys.NO_GC: "true"}), id="pinned"),
    ],
)
def test_what_is_in_use_stays(revision: Object) -> None:
    assert collected(KEEP_NONE, revision) == []


def test_the_minimum_is_kept() -> None:
    found = [a_revision(str(n), 10 - n) for n in range(5)]
    assert collected(GcConfig(HOUR, HOUR, 3, None), *found) == ["0", "1"]


def test_the_maximum_holds_for_young_ones_too() -> None:
    found = [a_revision(str(n), 0.5 - n / 100) for n in range(5)]
    assert collected(GcConfig(HOUR, HOUR, 0, 2), *found) == ["0", "1", "2"]


def test_disabled() -> None:
    found = [a_revision(str(n), 100) for n in range(5)]
    assert collected(GcConfig(None, None, 0, None), *found) == []
    assert collected(GcConfig(None, None, 0, 4), *found) == ["0"]


def test_it_looks_again_when_the_next_one_becomes_stale() -> None:
    observed = Observed(CONFIGURATION, (a_revision("young", 0.5),))
    plan = reconcile(observed, settings=Settings(gc=KEEP_NONE), now=NOW)
    assert plan.requeue_after == pytest.approx(HOUR / 2 + 1)
