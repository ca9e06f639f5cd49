"""Warnings about accepted objects."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.kinds import catalog, warnings

KINDS = {kind.kind: kind for kind in reversed(catalog.KINDS)}


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {"containers": list(containers), **spec}}


def port(number: int, **more: Any) -> dict[str, Any]:
    return {"containerPort": number, "protocol": "TCP", **more}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        pytest.param(pod({"env": [{"name": "A", "value": "1"}]}), [], id="nothing odd"),
        pytest.param(
            pod({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}),
            [
                'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped '
                "when using apply"
            ],
            id="variable twice",
        ),
        pytest.param(
            pod({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}]}),
            [],
            id="variable extended",
        ),
        pytest.param(
            pod({"ports": [port(80), port(80)]}),
            [
                "spec.containers[0].ports[1]: duplicate port definition with "
                "spec.containers[0].ports[0]"
            ],
            id="port twice",
        ),
        pytest.param(
            pod({"ports": [port(80), port(80, hostPort=80)]}),
            [
                "spec.containers[0].ports[1]: overlapping port definition with "
                "spec.containers[0].ports[0]"
            ],
            id="port overlaps",
        ),
        pytest.param(
            pod({"resources": {"limits": {"memory": "1500m"}}}),
            [
                'spec.containers[0].resources.limits[memory]: fractional byte value "1500m" is '
                "invalid, must be an integer"
            ],
            id="part of a byte",
        ),
        pytest.param(
            pod({}, terminationGracePeriodSeconds=-1),
            [
                "spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and "
                "will be treated as 1"
            ],
            id="negative grace",
        ),
    ],
)
def test_of_pods(obj: dict[str, Any], expected: list[str]) -> None:
    assert warnings.of_pod(obj) == expected


def test_of_names_that_make_poor_host_names() -> None:
    obj = {"metadata": {"name": "a.b"}, "spec": {}}
    assert warnings.of_workload(obj) == [
        "metadata.name: this is used in Pod names and hostnames, which can result in surprising "
        "behavior; a DNS label is recommended: [must not contain dots]"
    ]
    assert warnings.of_pod(obj)[0].startswith("metadata.name: this is used in the Pod's hostname")


def test_of_templates_by_their_path() -> None:
    twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    template = {"spec": {"containers": [{"env": twice}]}}
    obj = {"metadata": {"name": "x"}, "spec": {"template": template}}
    assert warnings.of_daemon_set(obj)[0].startswith("spec.template.spec.containers[0].env[1]:")
    cron = {"metadata": {"name": "x"}, "spec": {"jobTemplate": {"spec": {"template": template}}}}
    path = "spec.jobTemplate.spec.template.spec.containers[0].env[1]:"
    assert warnings.of_cron_job(cron)[0].startswith(path)


def test_of_services() -> None:
    spec = {"type": "ClusterIP", "sessionAffinity": "None", "externalName": "e.com"}
    expected = ['spec.externalName is ignored when spec.type is not "ExternalName"']
    assert warnings.of_service({"spec": spec}) == expected


def test_finalizers_of_built_in_kinds_have_a_domain() -> None:
    obj = {"metadata": {"name": "x", "finalizers": ["kubernetes", "e.com/f", "mine"]}}
    found = [str(error) for error in KINDS["ConfigMap"].strategy.validate(obj)]
    assert found == [
        'metadata.finalizers[2]: Invalid value: "mine": name is neither a standard finalizer name '
        "nor is it fully qualified"
    ]


@pytest.mark.parametrize("is_same", [True, False])
def test_an_update_repeats_no_warning_about_what_it_leaves_alone(is_same: bool) -> None:
    spec = {"template": pod({"env": [{"name": "A"}, {"name": "A"}]})}
    old = {"metadata": {"name": "a.b"}, "spec": spec if is_same else {}}
    new = {"metadata": {"name": "a.b", "labels": {"x": "y"}}, "spec": spec}
    assert len(warnings.of_workload(new)) == 2  # the name and the variable
    assert len(warnings.of_workload(new, old)) == (0 if is_same else 1)
    assert warnings.of_pod(pod({"env": [{"name": "A"}, {"name": "A"}]}), old) == []


def test_who_writes_a_network_policy_is_told_once_that_nothing_enforces_it() -> None:
    policy = {"metadata": {"name": "deny"}, "spec": {"podSelector": {}}}
    warn = KINDS["NetworkPolicy"].strategy.warnings
    assert warn is not None
    (text,) = warn(policy, None)
    assert "not enforced" in text
    assert warn(policy, policy) == []
