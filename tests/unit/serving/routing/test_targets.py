from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.kube.meta import Object
from serving.api import keys
from serving.api.views import TrafficTarget
from serving.routing.targets import Problem, Target, Traffic, resolve_targets


def a_revision(name: str, *, ready: str = "True", service: str = "hello", port: str = "") -> Object:
    ports = [{"containerPort": 8080, "name": port}] if port else []
    return {
        "metadata": {"name": name, "generation": 1, "labels": {keys.SERVICE: service}},
        "spec": {"containers": [{"image": "i", "ports": ports}]},
        "status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": ready}]},
    }


def a_configuration(name: str, latest: str = "", *, ready: str = "True") -> Object:
    status: dict[str, Any] = {"conditions": [{"type": "Ready", "status": ready}]}
    if latest:
        status["latestReadyRevisionName"] = latest
    return {"metadata": {"name": name}, "status": status}


WORLD = {r["metadata"]["name"]: r for r in (a_revision("one"), a_revision("two"))}
LATEST = {"configurationName": "hello", "latestRevision": True}


def resolved(
    *traffic: dict[str, Any],
    configurations: tuple[Object, ...] = (a_configuration("hello", "two"),),
    revisions: dict[str, Object] | None = None,
    service: str = "hello",
) -> Traffic:
    return resolve_targets(
        map(TrafficTarget, traffic),
        service=service,
        configurations={c["metadata"]["name"]: c for c in configurations},
        revisions=WORLD if revisions is None else revisions,
    )


def test_latest_and_named() -> None:
    traffic = resolved(
        {"revisionName": "one", "percent": 90, "latestRevision": False}, {**LATEST, "percent": 10}
    )
    assert traffic.by_tag[""] == (
        Target("one", 90, latest=False),
        Target("two", 10, latest=True, configuration="hello"),
    )
    assert traffic.listed == traffic.by_tag[""]


def test_a_tag_gets_everything_of_its_own_and_counts_for_the_default() -> None:
    traffic = resolved(
        {"revisionName": "one", "percent": 90, "latestRevision": False},
        {**LATEST, "percent": 10, "tag": "next"},
        {"revisionName": "one", "percent": 0, "tag": "old", "latestRevision": False},
    )
    assert traffic.tags == ["", "next", "old"]
    assert [t.percent for t in traffic.by_tag["next"]] == [100]
    assert [(t.revision, t.percent) for t in traffic.by_tag[""]] == [("one", 90), ("two", 10)]
    assert [(t.revision, t.percent, t.tag) for t in traffic.listed] == [
        ("one", 90, ""),
        ("two", 10, "next"),
        ("one", 0, "old"),
    ]


def test_the_protocol_is_the_ports_name() -> None:
    revisions = {"one": a_revision("one", port="h2c")}
    traffic = resolved({"revisionName": "one", "percent": 100}, revisions=revisions)
    assert traffic.by_tag[""][0].protocol == "h2c"


def only(status: str, reason: str, message: str) -> Traffic:
    return Traffic({}, (), Problem(status, reason, message))


@pytest.mark.parametrize(
    ("target", "configurations", "revisions", "expected"),
    [
        pytest.param(
            {"revisionName": "lost"},
            (),
            {},
            only("False", "RevisionMissing", 'Revision "lost" referenced in traffic not found.'),
            id="missing revision",
        ),
        pytest.param(
            LATEST,
            (),
            {},
            only(
                "False",
                "ConfigurationMissing",
                'Configuration "hello" referenced in traffic not found.',
            ),
            id="missing configuration",
        ),
        pytest.param(
            LATEST,
            (a_configuration("hello", ready="Unknown"),),
            {},
            only(
                "Unknown",
                "RevisionMissing",
                'Configuration "hello" is waiting for a Revision to become ready.',
            ),
            id="configuration not ready yet",
        ),
        pytest.param(
            LATEST,
            (a_configuration("hello", ready="False"),),
            {},
            only(
                "False",
                "RevisionMissing",
                'Configuration "hello" does not have any ready Revision.',
            ),
            id="configuration failed",
        ),
        pytest.param(
            {"revisionName": "bad"},
            (),
            {"bad": a_revision("bad", ready="False")},
            only("False", "RevisionMissing", 'Revision "bad" failed to become ready.'),
            id="revision failed",
        ),
        pytest.param(
            {"revisionName": "slow"},
            (),
            {"slow": a_revision("slow", ready="Unknown")},
            only("Unknown", "RevisionMissing", 'Revision "slow" is not yet ready.'),
            id="revision not ready yet",
        ),
        pytest.param(
            {"revisionName": "theirs"},
            (),
            {"theirs": a_revision("theirs", service="other")},
            only(
                "False",
                "RevisionNotOwned",
                'Revision "theirs" belongs to Service "other", not Service "hello".',
            ),
            id="another service's revision",
        ),
        pytest.param(
            {"revisionName": "lone"},
            (),
            {"lone": a_revision("lone", service="")},
            only(
                "False",
                "RevisionNotOwned",
                'Revision "lone" does not belong to Service "hello".',
            ),
            id="revision of no service",
        ),
    ],
)
def test_problems(
    target: dict[str, Any],
    configurations: tuple[Object, ...],
    revisions: dict[str, Object],
    expected: Traffic,
) -> None:
    found = resolved({**target, "percent": 100}, configurations=configurations, revisions=revisions)
    assert found == expected


def test_a_failure_is_told_before_a_wait() -> None:
    revisions = {"slow": a_revision("slow", ready="Unknown")}
    traffic = resolved({"revisionName": "slow"}, {"revisionName": "lost"}, revisions=revisions)
    assert traffic.problem is not None
    assert traffic.problem.is_failure


def test_a_route_of_no_service_may_use_any_revision() -> None:
    assert resolved({"revisionName": "one", "percent": 100}, service="").problem is None


targets = st.lists(
    st.tuples(st.sampled_from(["one", "two"]), st.integers(0, 50), st.sampled_from(["", "a", "b"])),
    min_size=1,
    max_size=6,
)


@given(targets)
def test_percentages_add_up_for_each_tag(wanted: list[tuple[str, int, str]]) -> None:
    total = sum(percent for _, percent, _ in wanted)
    rows = [{"revisionName": r, "percent": p, "tag": t} for r, p, t in wanted]
    rows.append({"revisionName": "one", "percent": max(0, 100 - total), "tag": ""})
    traffic = resolved(*rows)
    if total <= 100:
        assert sum(t.percent for t in traffic.by_tag[""]) == 100
    assert sum(t.percent for t in traffic.listed) == max(total, 100)
