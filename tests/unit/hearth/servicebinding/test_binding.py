"""What a ServiceBinding is about, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.kube.meta import Object
from hearth.servicebinding.binding import known_secret, problems, projection_of, workloads_of

SERVICE = {"apiVersion": "v1", "kind": "Secret", "name": "creds"}
WORKLOAD = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"}


def a_binding(name: str = "b", status: Any = None, **spec: Any) -> Object:
    return {
        "metadata": {"name": name, "namespace": "default", "uid": "u"},
        "spec": {"service": SERVICE, "workload": WORKLOAD} | spec,
        "status": status or {},
    }


def test_the_name_is_the_bindings_unless_it_says_another() -> None:
    assert projection_of(a_binding(), "s").name == "b"
    assert projection_of(a_binding(name="x.y"), "s").name == "x.y"


def test_a_secret_is_known_at_once_and_that_of_a_service_once_it_was_found() -> None:
    assert known_secret(a_binding()) == "creds"
    service = {"apiVersion": "db.example.com/v1", "kind": "Db", "name": "d"}
    assert known_secret(a_binding(service=service)) == ""
    assert known_secret(a_binding(status={"binding": {"name": "s"}}, service=service)) == "s"


def test_workloads_by_name_and_by_labels() -> None:
    labelled = {"metadata": {"name": "other", "labels": {"app": "x"}}}
    assert not workloads_of(a_binding()).are(labelled)
    assert workloads_of(a_binding()).are({"metadata": {"name": "app"}})
    selector = {"matchLabels": {"app": "x"}}
    by_labels = {"apiVersion": "apps/v1", "kind": "Deployment", "selector": selector}
    assert workloads_of(a_binding(workload=by_labels)).are(labelled)


@pytest.mark.parametrize(
    "workload",
    [
        {},
        {"apiVersion": "v1", "kind": "Pod/../x", "name": "a"},
        {"apiVersion": "../v1", "kind": "Pod", "name": "a"},
        {"apiVersion": "v1", "kind": "Pod", "selector": {"matchExpressions": [{"key": "a"}]}},
    ],
)
def test_what_cannot_be_asked_for_is_no_workload(workload: Any) -> None:
    with pytest.raises(ValueError, match=r"kind|selector"):
        workloads_of(a_binding(workload=workload))


@pytest.mark.parametrize(
    ("binding", "words"),
    [
        (a_binding("Upper"), 'spec.name: Invalid value: "Upper": must consist of lower case'),
        (a_binding(".."), 'must not be "." or ".."'),
        (a_binding(service={}), 'spec.service.apiVersion: Required value: ""'),
        (a_binding(workload=WORKLOAD | {"name": ""}), "expected exactly one, got neither"),
        (a_binding(workload=WORKLOAD | {"selector": {}}), "expected exactly one, got both"),
        (a_binding(env=[{"name": "A"}]), 'spec.env[0].key: Required value: ""'),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_the_reference(binding: Object, words: str) -> None:
    assert words in "\n".join(problems(binding))


def test_a_good_binding_is_taken_and_its_kind_of_workload_stays() -> None:
    assert list(problems(a_binding())) == []
    changed = a_binding(workload=WORKLOAD | {"kind": "StatefulSet"})
    [problem] = problems(changed, a_binding())
    assert problem.startswith("spec.workload.kind: Forbidden: Workload kind is immutable.")


def test_a_name_from_before_the_rule_keeps_no_binding_from_going() -> None:
    assert list(problems(a_binding("Upper"), a_binding("Upper"))) == []
