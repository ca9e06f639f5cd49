"""Shares of requests: they add up, keep proportions, and say what cannot be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.functions.deploying.traffic import (
    TrafficError,
    back,
    canary,
    current,
    moved,
    percent,
    promoted,
    tagged,
    to_tag,
    untagged,
)

Object = dict[str, Any]


def service(shares: dict[str, int], latest: str) -> Object:
    traffic = [{"revisionName": name, "percent": share} for name, share in shares.items()]
    return {"status": {"latestReadyRevisionName": latest, "traffic": traffic}}


@st.composite
def splits(draw: st.DrawFn) -> dict[str, int]:
    """Shares of one to five revisions that add up to 100."""
    count = draw(st.integers(1, 5))
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=count - 1, max_size=count - 1)))
    edges = [0, *cuts, 100]
    return {f"r{n}": edges[n + 1] - edges[n] for n in range(count)}


@given(splits(), st.integers(0, 100))
def test_a_canary_leaves_the_others_their_proportions(shares: dict[str, int], share: int) -> None:
    traffic = canary(service(shares, "r0"), share)
    assert sum(each["percent"] for each in traffic) == 100
    *others, mine = traffic
    assert mine == {"latestRevision": True, "percent": share, "tag": "candidate"}
    for each in others:
        exact = shares[each["revisionName"]] * (100 - share) / 100
        assert abs(each["percent"] - exact) < 1


@given(splits(), st.integers(0, 100))
def test_moving_gives_the_latest_its_share(shares: dict[str, int], share: int) -> None:
    here = service(shares, "r0")
    if share < 100 and shares["r0"] == 100:
        with pytest.raises(TrafficError, match="nobody to take"):
            moved(here, share)
        return
    traffic = moved(here, share)
    assert sum(each["percent"] for each in traffic) == 100
    assert traffic[-1]["percent"] == share and traffic[-1]["latestRevision"]
    assert "r0" not in {each.get("revisionName") for each in traffic}


def test_all_is_the_way_it_is_without_a_canary() -> None:
    assert moved(service({"a": 90, "b": 10}, "b"), 100) == promoted()


def test_back_goes_to_those_beside_it() -> None:
    assert back(service({"a": 60, "b": 30, "c": 10}, "c"), []) == [
        {"revisionName": "a", "percent": 67},
        {"revisionName": "b", "percent": 33},
    ]


def revision(name: str, generation: int, ready: str = "True") -> Object:
    labels = {"serving.knative.dev/configurationGeneration": str(generation)}
    conditions = [{"type": "Ready", "status": ready}]
    return {"metadata": {"name": name, "labels": labels}, "status": {"conditions": conditions}}


def test_back_goes_to_the_last_one_that_was_ready() -> None:
    revisions = [revision("a", 2), revision("b", 10), revision("c", 11, "False"), revision("d", 12)]
    here = service({"d": 100}, "d")
    assert back(here, revisions) == [{"revisionName": "b", "percent": 100}]
    with pytest.raises(TrafficError, match="no earlier revision"):
        back(here, revisions[2:])
    assert back(here, revisions, "a") == [{"revisionName": "a", "percent": 100}]
    with pytest.raises(TrafficError, match="c is no revision that is ready; there are a, b, d"):
        back(here, revisions, "c")


def test_nobody_to_share_with() -> None:
    with pytest.raises(TrafficError, match="a new service"):
        canary({}, 10)


@pytest.mark.parametrize(("text", "share"), [("10%", 10), ("0", 0), (" 100% ", 100)])
def test_shares(text: str, share: int) -> None:
    assert percent(text) == share


@pytest.mark.parametrize("text", ["101%", "-1", "ten", "", "1.5%", "%"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(TrafficError, match="0% to 100%"):
        percent(text)


def test_a_tag_is_given_and_others_stay() -> None:
    """It is taken from who had it, whose requests stay; a canary's goes with the canary."""
    there = [
        {"revisionName": "r1", "percent": 100, "tag": "green"},
        {"revisionName": "r2", "percent": 0, "tag": "blue"},
        {"latestRevision": True, "percent": 0, "tag": "candidate"},
    ]
    here = {"spec": {"traffic": there}}
    blue = {"revisionName": "r2", "percent": 0, "tag": "blue"}
    assert tagged(here, current(here), "green", "r3") == [
        {"revisionName": "r1", "percent": 100},
        blue,
        {"latestRevision": True, "percent": 0, "tag": "candidate"},
        {"revisionName": "r3", "percent": 0, "tag": "green"},
    ]
    assert tagged(here, promoted()) == [
        {"latestRevision": True, "percent": 100},
        {"revisionName": "r1", "percent": 0, "tag": "green"},
        blue,
    ]
    assert tagged({"spec": {}}, current({"spec": {}}), "a", "r1")[-1]["tag"] == "a"


def test_the_revision_with_a_tag_gets_a_share_and_a_tag_ends() -> None:
    here = service({"r1": 100}, "r1")
    named = {"revisionName": "r2", "percent": 0, "tag": "green"}
    here["status"]["traffic"].append(named)
    here["spec"] = {"traffic": [{"latestRevision": True, "percent": 100}, named]}
    assert to_tag(here, "green", 10) == [
        {"revisionName": "r1", "percent": 90},
        {"revisionName": "r2", "percent": 10},
    ]
    assert to_tag(here, "green", 100) == [{"revisionName": "r2", "percent": 100}]
    assert untagged(here, "green") == [{"latestRevision": True, "percent": 100}]
    with pytest.raises(TrafficError, match="no revision has the tag 'red': there are green"):
        untagged(here, "red")
    with pytest.raises(TrafficError, match="nobody to take 50%"):
        here["status"]["traffic"] = [{**named, "percent": 100}]
        to_tag(here, "green", 50)
