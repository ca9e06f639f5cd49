"""Which pods are given up: those with least to do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.kube.meta import Object, name
from hearth.kube.plan import Patch
from hearth.kube.views import DELETION_COST
from serving.kinds.podautoscaler.deletioncost import cost_patches


def a_pod(title: str, *, ready: bool = True, cost: str | None = None, **about: Any) -> Object:
    annotations = {} if cost is None else {DELETION_COST: cost}
    age = {"creationTimestamp": f"2026-01-01T00:00:0{title[-1]}Z"}
    return {
        "metadata": {"name": title, "namespace": "ns", "annotations": annotations} | age | about,
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
        },
    }


def costs(patches: tuple[Patch, ...]) -> dict[str, str | None]:
    return {p.name: p.patch["metadata"]["annotations"][DELETION_COST] for p in patches}


CREATED = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("pods", "busy", "keep", "written"),
    [
        pytest.param(
            [a_pod("p1"), a_pod("p2"), a_pod("p3")], {"p1": 5, "p3": 2}, 2, {"p2": "-1"}, id="idle"
        ),
        pytest.param(
            [a_pod("p1"), a_pod("p2"), a_pod("p3")],
            {"p1": 1, "p2": 9, "p3": 2},
            1,
            {"p1": "-1", "p3": "-1"},
            id="the least busy",
        ),
        pytest.param([a_pod("p1"), a_pod("p2")], {}, 1, {"p2": "-1"}, id="the younger of equals"),
        pytest.param(
            [a_pod("p1"), a_pod("p2", ready=False), a_pod("p3")],
            {"p1": 1, "p3": 1},
            2,
            {},
            id="one that is not ready goes anyway",
        ),
        pytest.param(
            [a_pod("p1"), a_pod("p2", deletionTimestamp=CREATED), a_pod("p3")],
            {"p3": 1},
            2,
            {},
            id="goes already",
        ),
        pytest.param(
            [a_pod("p1", cost="-1"), a_pod("p2"), a_pod("p3")],
            {"p1": 4, "p2": 1},
            2,
            {"p1": None, "p3": "-1"},
            id="a step that never came is taken back",
        ),
        pytest.param([a_pod("p1", cost="-1"), a_pod("p2")], {"p2": 1}, 1, {}, id="said already"),
        pytest.param([a_pod("p1")], {}, 3, {}, id="fewer than are to stay"),
        pytest.param(
            [a_pod("p1", cost="7"), a_pod("p2")], {}, 1, {"p2": "-1"}, id="a cost of the user's"
        ),
    ],
)
def test_what_is_written(
    pods: list[Object], busy: dict[str, int], keep: int, written: dict[str, str | None]
) -> None:
    assert costs(cost_patches(pods, busy, keep=keep)) == written


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([None, "-1"]), st.integers(0, 3)), max_size=8
    ),
    st.integers(1, 8),
)
def test_after_the_writes_nobody_busier_goes_and_nothing_is_left_to_write(
    drawn: list[tuple[bool, str | None, int]], keep: int
) -> None:
    pods = [a_pod(f"p{i}", ready=r, cost=c) for i, (r, c, _) in enumerate(drawn)]
    busy = {f"p{i}": n for i, (_, _, n) in enumerate(drawn)}
    written = costs(cost_patches(pods, busy, keep=keep))
    for pod in pods:
        if name(pod) in written:
            pod["metadata"]["annotations"] = {
                k: v for k, v in {DELETION_COST: written[name(pod)]}.items() if v is not None
            }
    assert cost_patches(pods, busy, keep=keep) == ()
    ready = [pod for pod, (is_ready, _, _) in zip(pods, drawn, strict=True) if is_ready]
    marked = [busy[name(p)] for p in ready if DELETION_COST in p["metadata"]["annotations"]]
    others = [busy[name(p)] for p in ready if DELETION_COST not in p["metadata"]["annotations"]]
    assert len(marked) == max(0, len(ready) - keep)
    assert max(marked, default=0) <= min(others, default=99)
