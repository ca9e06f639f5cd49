"""The canonical form of objects, as Go would write them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.model.roundtrip import parse_time, round_trip
from hearth.cluster.model.typetable import struct


def canonical(path: str, name: str, value: dict[str, Any]) -> dict[str, Any]:
    round_trip(value, struct(path, name))
    return value


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param(
            "PodCondition",
            {"type": "Ready", "status": "True"},
            {"type": "Ready", "status": "True", "lastProbeTime": None, "lastTransitionTime": None},
            id="times without omitempty are null",
        ),
        pytest.param(
            "Container",
            {"name": "c", "image": "", "args": [], "stdin": False, "env": None},
            {"name": "c", "resources": {}},
            id="empty values vanish, structs appear",
        ),
        pytest.param(
            "PodSpec",
            {"containers": None, "enableServiceLinks": False, "hostNetwork": False},
            {"containers": None, "enableServiceLinks": False},
            id="pointers keep false",
        ),
        pytest.param(
            "ResourceRequirements",
            {"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": 0.1}},
            {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}},
            id="quantities",
        ),
        pytest.param(
            "ServicePort",
            {"port": 80},
            {"port": 80, "targetPort": 0},
            id="a number or name is never left out",
        ),
        pytest.param(
            "EmptyDirVolumeSource", {"medium": "", "sizeLimit": "1.5Gi"}, {"sizeLimit": "1536Mi"}
        ),
    ],
)
def test_core_values(name: str, value: dict[str, Any], expected: dict[str, Any]) -> None:
    assert canonical("core/v1", name, value) == expected


def test_times_are_utc_and_whole_seconds() -> None:
    owner = {"creationTimestamp": "2026-01-02T03:04:05.678+02:00"}
    assert canonical("meta/v1", "ObjectMeta", owner) == {
        "creationTimestamp": "2026-01-02T01:04:05Z"
    }
    lease = {"renewTime": "2026-01-02T03:04:05Z"}
    assert canonical("coordination/v1", "LeaseSpec", lease) == {
        "renewTime": "2026-01-02T03:04:05.000000Z"
    }


def test_a_time_with_a_zone_only() -> None:
    assert parse_time("2026-01-02T03:04:05") is None
    assert parse_time("2026-01-02") is None
    assert parse_time("soon") is None


def test_values_of_a_wrong_type_are_left_alone() -> None:
    wrong = {"containers": 3, "volumes": {"a": 1}, "nodeSelector": "x"}
    assert canonical("core/v1", "PodSpec", dict(wrong)) == wrong


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "1", "10m"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=5,
)
container = st.dictionaries(
    st.sampled_from(["name", "image", "args", "env", "resources", "ports", "livenessProbe", "tty"]),
    json_values,
)


@given(st.fixed_dictionaries({"containers": st.lists(container, max_size=2)}))
def test_a_canonical_value_stays_as_it_is(spec: dict[str, Any]) -> None:
    once = canonical("core/v1", "PodSpec", spec)
    copy = {"containers": [dict(c) if isinstance(c, dict) else c for c in once["containers"]]}
    assert canonical("core/v1", "PodSpec", copy) == once


@pytest.mark.parametrize(
    "text",
    [
        "2020-W01-1T00:00:00Z", "20200101T000000Z", "2020-01-01T00:00Z", "2020-01-01T00:00:00",
        "2020-01-01T00:00:00+0200", "2020-01-01T00:00:00+02:00:01", "2020-13-01T00:00:00Z",
        "0001-01-01T00:00:00+10:00",
    ],
)  # fmt: skip
def test_times_of_iso_8601_that_rfc_3339_does_not_know(text: str) -> None:
    assert parse_time(text) is None


def test_times_are_in_utc() -> None:
    moment = parse_time("2020-01-01T00:00:00.5+02:00")
    assert moment is not None
    assert moment.isoformat() == "2019-12-31T22:00:00.500000+00:00"


CONTAINERS = st.fixed_dictionaries(
    {"name": st.sampled_from("ab")},
    optional={
        "args": st.lists(st.just("x"), max_size=1) | st.none(),
        "resources": st.sampled_from([{}, {"limits": {"cpu": "1000m"}}, {"limits": {"cpu": "1"}}]),
        "securityContext": st.sampled_from([{}, None, {"runAsUser": 0}]),
    },
)
SPECS = st.fixed_dictionaries(
    {"containers": st.lists(CONTAINERS, max_size=2)},
    optional={
        "hostNetwork": st.booleans(),
        "securityContext": st.sampled_from([{}, {"sysctls": []}, {"fsGroup": 1}]),
        "nodeSelector": st.sampled_from([{}, {"a": "b"}, None]),
    },
)


@given(SPECS, SPECS)
def test_what_is_known_already_makes_no_difference(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    known = canonical("core/v1", "PodSpec", old)
    whole = canonical("core/v1", "PodSpec", copy.deepcopy(new))
    round_trip(new, struct("core/v1", "PodSpec"), known)
    assert new == whole
    assert canonical("core/v1", "PodSpec", copy.deepcopy(known)) == known
