"""What speaks against an installation, and that each says what to do."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.install.preflight import (
    Facts,
    Right,
    installed_version,
    missing_rights,
    needed_rights,
    refusals,
)
from hearth.kube.resources import CONFIGMAPS, DEPLOYMENTS, NAMESPACES

OURS = {"app.kubernetes.io/part-of": "hearth"}


def definition(title: str = "services.serving.knative.dev", **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": title, "labels": labels}}


def workload(version: str, *, namespace: str = "knative-serving", **more: Any) -> dict[str, Any]:
    labels = {**OURS, "app.kubernetes.io/version": version}
    return {"metadata": {"name": "c", "namespace": namespace, "labels": labels, **more}}


def asked(facts: Facts, *, version: str = "0.2.0", upgrade: bool = False) -> list[str]:
    return list(refusals(facts, namespaces=["knative-serving"], version=version, upgrade=upgrade))


def test_an_empty_cluster_is_fine() -> None:
    assert asked(Facts(30, (), ())) == []


def test_an_old_cluster_is_refused() -> None:
    [text] = asked(Facts(29, (), ()))
    assert "Kubernetes 1.29" in text and "1.30" in text


def test_definitions_of_a_real_knative_are_refused_with_its_version() -> None:
    foreign = definition(**{"app.kubernetes.io/version": "1.22.0"})
    [text] = asked(Facts(36, [foreign, definition()], ()))
    assert "services.serving.knative.dev and 1 more" in text
    assert "Knative 1.22.0" in text and "Nothing was changed" in text


def test_a_cluster_that_runs_keda_keeps_it() -> None:
    foreign = definition("scaledobjects.keda.sh", **{"app.kubernetes.io/version": "2.18.0"})
    own = definition("scaledjobs.keda.sh", **OURS)
    [text] = asked(Facts(36, [foreign, own], ()))
    assert text.startswith(
        "the CustomResourceDefinition scaledobjects.keda.sh is there and did not come with Hearth "
        "(KEDA 2.18.0). Nothing was changed: two operators would scale the same workloads."
    )
    assert "Leave out the overlay keda" in text
    assert len(asked(Facts(36, [foreign, definition()], ()))) == 2


def test_the_api_of_one_machine_is_told_apart_from_a_real_knative() -> None:
    own = definition()
    own["metadata"]["managedFields"] = [{"manager": "hearth-serving"}]
    [text] = asked(Facts(36, [own], ()))
    assert "on one machine" in text and "--kubeconfig" in text and "Knative" not in text


def test_what_a_keda_took_over_from_an_installation_is_that_kedas() -> None:
    taken = definition("scaledobjects.keda.sh")
    taken["metadata"]["managedFields"] = [{"manager": "hearth-install"}, {"manager": "helm"}]
    [text] = asked(Facts(36, [taken], ()))
    assert text.startswith("the CustomResourceDefinition scaledobjects.keda.sh is there")


def test_our_own_definitions_are_fine() -> None:
    assert asked(Facts(36, [definition(**OURS)], [workload("0.2.0")])) == []


def test_an_installation_elsewhere_is_refused() -> None:
    [text] = asked(Facts(36, (), [workload("0.2.0", namespace="other")]))
    assert "in the namespace other" in text


def test_what_helm_installed_is_left_to_helm() -> None:
    release = {"meta.helm.sh/release-name": "h"}
    [text] = asked(Facts(36, (), [workload("0.2.0", annotations=release)]))
    assert "helm upgrade h" in text


@pytest.mark.parametrize(
    ("present", "here", "upgrade", "words"),
    [
        ("0.1.0", "0.2.0", False, "--upgrade"),
        ("0.1.0", "0.2.0", True, None),
        ("0.1.0", "0.1.5", True, None),
        ("0.1.0", "0.3.0", True, "one at a time"),
        ("1.9.0", "2.0.0", True, "one at a time"),
        ("0.3.0", "0.2.0", True, "newer"),
        ("0.2.0", "0.2.0", False, None),
    ],
)
def test_versions_follow_one_another(
    present: str, here: str, upgrade: bool, words: str | None
) -> None:
    texts = asked(Facts(36, (), [workload(present)]), version=here, upgrade=upgrade)
    assert (words is None) == (texts == [])
    assert words is None or any(words in text for text in texts)
    assert installed_version(Facts(36, (), [workload(present)])) == present


def test_rights_are_by_resource_namespace_and_verb() -> None:
    resources = {("v1", "ConfigMap"): CONFIGMAPS, ("v1", "Namespace"): NAMESPACES}
    objects: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "namespace": "n"}},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}},
    ]
    assert needed_rights(objects, resources, ["get"]) == [
        Right("", "configmaps", "n", "get"),
        Right("", "namespaces", "", "get"),
    ]


def test_missing_rights_are_named_with_the_rule_that_gives_them() -> None:
    group, plural = DEPLOYMENTS.group, DEPLOYMENTS.plural
    denied = [Right(group, plural, "n", "patch"), Right(group, plural, "m", "create")]
    [text] = asked(Facts(36, (), (), denied))
    assert text == missing_rights(denied)
    assert "  create deployments.apps in the namespace m" in text
    assert text.endswith(
        '- apiGroups: ["apps"]\n  resources: [deployments]\n  verbs: [create, patch]'
    )
