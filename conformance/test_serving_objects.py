"""How Services, Configurations, Routes and Revisions belong together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from kubernetes.dynamic.exceptions import DynamicApiError

from conformance.rules import rule
from conformance.support import Cluster, condition, until

Make = Callable[..., dict[str, Any]]
GROUP = "serving.knative.dev/v1"
PREFIX = "serving.knative.dev"


@pytest.fixture(scope="module")
def family(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """A Service with metadata of its own and of its template, and what it owns, by kind."""
    container = {"image": cluster.image, "env": [{"name": "TARGET", "value": "Family"}]}
    template = {
        "metadata": {"labels": {"deep": "1"}, "annotations": {"example.com/deep": "2"}},
        "spec": {"containers": [container]},
    }
    metadata = {
        "name": "family",
        "labels": {"top": "3"},
        "annotations": {"example.com/top": "4"},
    }
    cluster.create(
        {
            "apiVersion": GROUP,
            "kind": "Service",
            "metadata": metadata,
            "spec": {"template": template},
        }
    )
    service = cluster.until_ready("Service", "family")
    revision = service["status"]["latestReadyRevisionName"]
    return {
        "Service": service,
        "Configuration": cluster.get("Configuration", "family"),
        "Route": cluster.get("Route", "family"),
        "Revision": cluster.get("Revision", revision),
    }


@rule("SA-15", "SA-18")
@pytest.mark.parametrize(
    ("owner", "owned"),
    [("Service", "Configuration"), ("Service", "Route"), ("Configuration", "Revision")],
)
def test_what_is_owned_names_its_owner(
    family: dict[str, dict[str, Any]], owner: str, owned: str
) -> None:
    (reference,) = [
        each for each in family[owned]["metadata"]["ownerReferences"] if each.get("controller")
    ]
    assert (reference["kind"], reference["apiVersion"]) == (owner, GROUP)
    assert reference["uid"] == family[owner]["metadata"]["uid"]
    assert reference["name"] == "family"


@rule("SA-20", "SA-21", "SA-51", "SA-52")
@pytest.mark.parametrize("kind", ["Configuration", "Route"])
def test_a_services_metadata_is_copied(family: dict[str, dict[str, Any]], kind: str) -> None:
    metadata = family[kind]["metadata"]
    assert metadata["labels"]["top"] == "3"
    assert metadata["labels"][f"{PREFIX}/service"] == "family"
    assert metadata["annotations"]["example.com/top"] == "4"


@rule("SA-28", "SA-30", "SA-53", "SA-55", "SA-56")
def test_a_revision_is_its_template(family: dict[str, dict[str, Any]]) -> None:
    configuration, revision = family["Configuration"], family["Revision"]
    labels, annotations = (revision["metadata"][each] for each in ("labels", "annotations"))
    assert (labels["deep"], annotations["example.com/deep"]) == ("1", "2")
    assert labels[f"{PREFIX}/configuration"] == "family"
    generation = str(configuration["metadata"]["generation"])
    assert labels[f"{PREFIX}/configurationGeneration"] == generation
    assert "top" not in labels
    assert "example.com/top" not in annotations
    (wanted,) = configuration["spec"]["template"]["spec"]["containers"]
    (made,) = revision["spec"]["containers"]
    assert (made["image"], made["env"]) == (wanted["image"], wanted["env"])


@rule("SA-23", "SA-24", "SA-31")
def test_a_service_tells_what_its_children_tell(family: dict[str, dict[str, Any]]) -> None:
    service = family["Service"]["status"]
    for field in ("latestCreatedRevisionName", "latestReadyRevisionName"):
        assert service[field] == family["Configuration"]["status"][field]
        assert service[field] == family["Revision"]["metadata"]["name"]
    for field in ("url", "address", "traffic"):
        assert service[field] == family["Route"]["status"][field]
    for kind in ("ConfigurationsReady", "RoutesReady", "Ready"):
        assert condition(family["Service"], kind)["status"] == "True"


@rule("SA-19", "SA-22", "SA-54")
def test_later_changes_of_metadata_reach_the_children_alone(
    cluster: Cluster, a_service: Make
) -> None:
    cluster.create(a_service("relabelled"))
    cluster.until_ready("Service", "relabelled")
    for kind in ("Configuration", "Route"):
        extra = {"labels": {"extra": "x"}, "annotations": {"example.com/extra": "x"}}
        cluster.patch(kind, "relabelled", {"metadata": extra})
    late = {"labels": {"late": "1"}, "annotations": {"example.com/late": "2"}}
    cluster.patch("Service", "relabelled", {"metadata": late})

    def arrived(kind: str) -> bool:
        metadata = cluster.get(kind, "relabelled")["metadata"]
        labels, annotations = metadata["labels"], metadata["annotations"]
        return (
            labels.get("late") == "1"
            and annotations.get("example.com/late") == "2"
            and "extra" not in labels
            and "example.com/extra" not in annotations
        )

    for kind in ("Configuration", "Route"):
        until(partial(arrived, kind), what=f"the metadata of the {kind}")
    revision = cluster.get("Revision", "relabelled-00001")["metadata"]
    assert "late" not in revision["labels"]
    assert "example.com/late" not in revision["annotations"]
    latest = cluster.get("Configuration", "relabelled")["status"]["latestCreatedRevisionName"]
    assert latest == "relabelled-00001"


@rule("SA-10", "SA-12")
def test_what_somebody_changes_in_a_child_is_set_back(cluster: Cluster, a_service: Make) -> None:
    cluster.create(a_service("stubborn"))
    cluster.until_ready("Service", "stubborn")
    other = [{"latestRevision": True, "percent": 100, "tag": "mine"}]
    cluster.patch(
        "Route", "stubborn", {"spec": {"traffic": [{**other[0], "configurationName": "stubborn"}]}}
    )
    until(
        lambda: "tag" not in cluster.get("Route", "stubborn")["spec"]["traffic"][0],
        what="the Route as the Service has it",
    )
    template = {"spec": {"timeoutSeconds": 17}}
    cluster.patch("Configuration", "stubborn", {"spec": {"template": template}})

    def timeout() -> int:
        spec = cluster.get("Configuration", "stubborn")["spec"]["template"]["spec"]
        return int(spec["timeoutSeconds"])

    wanted = cluster.get("Service", "stubborn")["spec"]["template"]["spec"]["timeoutSeconds"]
    until(lambda: timeout() == wanted, what="the Configuration as the Service has it")


@rule("SA-16")
@pytest.mark.parametrize(
    ("kind", "ready"), [("Route", "RoutesReady"), ("Configuration", "ConfigurationsReady")]
)
def test_a_child_of_somebody_elses_is_left_alone(
    cluster: Cluster, a_service: Make, kind: str, ready: str
) -> None:
    name = f"owned-by-hand-{kind.lower()}"
    child = a_service(name) | {"kind": kind}
    if kind == "Route":
        child["spec"] = {"traffic": [{"configurationName": "nobodys", "percent": 100}]}
    before = cluster.create(child)["spec"]
    cluster.create(a_service(name, "Other"))

    def told() -> bool:
        return condition(cluster.get("Service", name), ready).get("status") == "False"

    until(told, what="the conflict in a condition")
    said = condition(cluster.get("Service", name), ready)
    assert said["reason"] == "NotOwned"
    assert name in said["message"]
    after = cluster.get(kind, name)
    assert after["spec"] == before
    assert not after["metadata"].get("ownerReferences")


@rule("SA-11", "SA-14")
@pytest.mark.parametrize("kind", ["Route", "Configuration"])
def test_who_may_create_may_replace_and_delete(
    cluster: Cluster, a_service: Make, kind: str
) -> None:
    obj = a_service("by-hand") | {"kind": kind}
    if kind == "Route":
        obj["spec"] = {"traffic": [{"configurationName": "by-hand", "percent": 100}]}
    try:
        cluster.create(obj)
    except DynamicApiError as error:
        if error.status != 403:
            raise
        pytest.skip(f"{kind}s cannot be created: a minimal profile")

    cluster.replace(kind, "by-hand", "replaced")
    cluster.delete(kind, "by-hand")
    until(lambda: not cluster.is_there(kind, "by-hand"), what="its end")


@rule("SA-29")
def test_a_revision_that_cannot_be_made_is_told(cluster: Cluster, a_service: Make) -> None:
    cluster.create(a_service("taken-by", metadata={"name": "taken-by-another"}))
    cluster.until_ready("Service", "taken-by")
    thief = a_service("taken", metadata={"name": "taken-by-another"})
    cluster.create({**thief, "kind": "Configuration"})

    def failed() -> bool:
        now = cluster.get("Configuration", "taken")
        return condition(now, "Ready").get("status") == "False"

    until(failed, what="a Configuration that is not Ready")
    message = condition(cluster.get("Configuration", "taken"), "Ready")["message"]
    assert "taken-by-another" in message


@rule("SA-09")
def test_a_revision_can_be_deleted(cluster: Cluster, a_service: Make) -> None:
    cluster.create(a_service("pruned", "One"))
    cluster.until_ready("Service", "pruned")
    cluster.patch("Service", "pruned", {"spec": a_service("pruned", "Two")["spec"]})
    cluster.until_ready("Service", "pruned")
    cluster.delete("Revision", "pruned-00001")

    until(lambda: not cluster.is_there("Revision", "pruned-00001"), what="the old Revision gone")
    assert condition(cluster.get("Service", "pruned"), "Ready")["status"] == "True"


@rule("SA-31")
def test_the_latest_revision_may_not_be_the_latest_that_is_ready(
    cluster: Cluster, a_service: Make
) -> None:
    cluster.create(a_service("behind"))
    cluster.until_ready("Service", "behind")
    bad = {"containers": [{"image": "conformance.invalid/no/such/image"}]}
    cluster.patch("Service", "behind", {"spec": {"template": {"spec": bad}}})

    def told() -> bool:
        status = cluster.get("Configuration", "behind")["status"]
        return bool(status["latestCreatedRevisionName"] == "behind-00002")

    until(told, what="the new Revision's name")
    status = cluster.get("Configuration", "behind")["status"]
    assert status["latestReadyRevisionName"] == "behind-00001"


@rule("SA-50")
def test_a_service_needs_nothing_but_an_image(cluster: Cluster) -> None:
    spec = {"template": {"spec": {"containers": [{"image": cluster.image}]}}}
    service = {"apiVersion": GROUP, "kind": "Service", "metadata": {"name": "least"}, "spec": spec}
    cluster.create(service)
    cluster.until_ready("Service", "least")
