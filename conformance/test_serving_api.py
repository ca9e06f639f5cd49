"""The serving API as its specification has it: objects, names, status, traffic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kubernetes.client import ApiException
from kubernetes.dynamic.exceptions import DynamicApiError

from conformance.rules import rule
from conformance.support import Cluster, condition, until

Make = Callable[..., dict[str, Any]]


@rule("SA-18", "SA-21", "SA-24", "SA-27")
def test_a_service_makes_configuration_revision_and_route(
    cluster: Cluster, a_service: Make
) -> None:
    cluster.create(a_service("basic"))
    service = cluster.until_ready("Service", "basic")
    assert service["status"]["latestReadyRevisionName"] == "basic-00001"
    revision = cluster.get("Revision", "basic-00001")
    labels = revision["metadata"]["labels"]
    assert labels["serving.knative.dev/service"] == "basic"
    assert labels["serving.knative.dev/configuration"] == "basic"
    assert labels["serving.knative.dev/configurationGeneration"] == "1"
    owner = cluster.get("Configuration", "basic")["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["controller"]) == ("Service", True)
    assert cluster.get("Route", "basic")["status"]["url"] == service["status"]["url"]
    assert service["status"]["address"]["url"] == (
        f"http://basic.{cluster.namespace}.svc.cluster.local"
    )
    assert [c["type"] for c in service["status"]["conditions"]] == [
        "ConfigurationsReady",
        "Ready",
        "RoutesReady",
    ]
    assert cluster.request(service["status"]["url"]).body == "Hello World!\n"


def test_defaults_are_written_into_the_object(cluster: Cluster, a_service: Make) -> None:
    spec = cluster.create(a_service("defaults"))["spec"]
    template = spec["template"]["spec"]
    assert template["containerConcurrency"] == 0
    assert template["timeoutSeconds"] == 300
    assert template["enableServiceLinks"] is False
    assert template["containers"][0]["name"] == "user-container"
    assert spec["traffic"] == [{"latestRevision": True, "percent": 100}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"containerConcurrency": -1}, "spec.template.spec.containerConcurrency"),
        ({"timeoutSeconds": 100000}, "spec.template.spec.timeoutSeconds"),
        ({"containers": []}, "missing field(s): spec.template.spec.containers"),
    ],
)
def test_what_cannot_be_is_refused_with_its_path(
    cluster: Cluster, a_service: Make, change: dict[str, Any], message: str
) -> None:
    service = a_service("refused")
    service["spec"]["template"]["spec"].update(change)
    with pytest.raises(DynamicApiError) as refused:
        cluster.create(service)
    assert refused.value.status == 400
    assert message in str(refused.value.body)


@rule("SA-08", "SA-25", "SA-26")
def test_a_template_change_makes_a_revision_that_takes_over(
    cluster: Cluster, a_service: Make
) -> None:
    cluster.create(a_service("update", "One"))
    url = cluster.until_ready("Service", "update")["status"]["url"]
    template = a_service("update", "Two")["spec"]["template"]
    cluster.patch("Service", "update", {"spec": {"template": template}})
    service = cluster.until_ready("Service", "update")
    assert service["status"]["latestReadyRevisionName"] == "update-00002"
    cluster.until_body(url, "Hello Two!\n")
    assert cluster.get("Revision", "update-00001")["metadata"]["name"] == "update-00001"


def test_a_revision_can_be_named_by_its_user(cluster: Cluster, a_service: Make) -> None:
    cluster.create(a_service("named", metadata={"name": "named-blue"}))
    service = cluster.until_ready("Service", "named")
    assert service["status"]["latestCreatedRevisionName"] == "named-blue"


def test_a_revision_name_needs_the_prefix_of_its_service(cluster: Cluster, a_service: Make) -> None:
    with pytest.raises(DynamicApiError) as refused:
        cluster.create(a_service("prefixed", metadata={"name": "other-blue"}))
    assert "spec.template.metadata.name" in str(refused.value.body)


def test_names_can_be_generated(cluster: Cluster, a_service: Make) -> None:
    service = a_service("x")
    service["metadata"] = {"generateName": "generated-"}
    name = cluster.create(service)["metadata"]["name"]
    assert name.startswith("generated-")
    cluster.until_ready("Service", name)


def test_labels_and_annotations_reach_configuration_and_route(
    cluster: Cluster, a_service: Make
) -> None:
    service = a_service("marked", metadata={"labels": {"deep": "1"}, "annotations": {"a/b": "2"}})
    service["metadata"] |= {"labels": {"top": "3"}, "annotations": {"c/d": "4"}}
    cluster.create(service)
    cluster.until_ready("Service", "marked")
    for kind in ("Configuration", "Route"):
        metadata = cluster.get(kind, "marked")["metadata"]
        assert metadata["labels"]["top"] == "3"
        assert metadata["annotations"]["c/d"] == "4"
    revision = cluster.get("Revision", "marked-00001")["metadata"]
    assert (revision["labels"]["deep"], revision["annotations"]["a/b"]) == ("1", "2")


@rule("SA-42")
def test_traffic_is_split_by_percent_and_reached_by_tag(cluster: Cluster, a_service: Make) -> None:
    cluster.create(a_service("split", "Blue", metadata={"name": "split-blue"}))
    url = cluster.until_ready("Service", "split")["status"]["url"]
    green = a_service("split", "Green", metadata={"name": "split-green"})
    traffic = [
        {"revisionName": "split-blue", "percent": 50, "tag": "blue"},
        {"revisionName": "split-green", "percent": 50, "tag": "green"},
    ]
    spec = {"template": green["spec"]["template"], "traffic": traffic}
    cluster.patch("Service", "split", {"spec": spec})
    status = cluster.until_ready("Service", "split")["status"]
    by_tag = {target["tag"]: target["url"] for target in status["traffic"]}
    for tag, body in (("blue", "Hello Blue!\n"), ("green", "Hello Green!\n")):
        cluster.until_body(by_tag[tag], body)
    bodies = [cluster.request(url).body for _ in range(200)]
    assert 0.3 < bodies.count("Hello Blue!\n") / len(bodies) < 0.7


def test_traffic_must_add_up_to_100(cluster: Cluster, a_service: Make) -> None:
    service = a_service("sum")
    service["spec"]["traffic"] = [{"latestRevision": True, "percent": 90}]
    with pytest.raises(DynamicApiError) as refused:
        cluster.create(service)
    assert "Traffic targets sum to 90, want 100" in str(refused.value.body)


def test_a_route_to_a_missing_revision_says_so(cluster: Cluster, a_service: Make) -> None:
    service = a_service("missing")
    service["spec"]["traffic"] = [{"revisionName": "missing-gone", "percent": 100}]
    cluster.create(service)

    def refused() -> bool:
        routes_ready = condition(cluster.get("Service", "missing"), "RoutesReady")
        return routes_ready.get("reason") == "RevisionMissing"

    until(refused, what="the reason RevisionMissing")


@rule("SA-07")
def test_a_revision_cannot_be_changed(cluster: Cluster, a_service: Make) -> None:
    cluster.create(a_service("fixed"))
    cluster.until_ready("Service", "fixed")
    with pytest.raises((DynamicApiError, ApiException)) as refused:
        cluster.patch("Revision", "fixed-00001", {"spec": {"containerConcurrency": 5}})
    assert "spec" in str(refused.value.body)


@rule("SA-17")
def test_deletion_takes_everything_along(cluster: Cluster, a_service: Make) -> None:
    cluster.create(a_service("leaving"))
    cluster.until_ready("Service", "leaving")
    cluster.kind("Service").delete("leaving", cluster.namespace)

    def gone() -> bool:
        kinds = ("Configuration", "Route", "Revision")
        selector = "serving.knative.dev/service=leaving"
        return not any(
            cluster.kind(kind).get(namespace=cluster.namespace, label_selector=selector).items
            for kind in kinds
        )

    until(gone, what="configuration, route and revision gone")


def test_a_service_hidden_from_outside_has_the_address_of_the_cluster(
    cluster: Cluster, a_service: Make
) -> None:
    service = a_service("hidden")
    service["metadata"]["labels"] = {"networking.knative.dev/visibility": "cluster-local"}
    cluster.create(service)
    inside = f"http://hidden.{cluster.namespace}.svc.cluster.local"
    assert cluster.until_ready("Service", "hidden")["status"]["url"] == inside
    assert cluster.request(inside).status == 404
    cluster.patch(
        "Service", "hidden", {"metadata": {"labels": {"networking.knative.dev/visibility": None}}}
    )

    def shown() -> str | None:
        url = str(cluster.get("Service", "hidden")["status"]["url"])
        return url if url != inside else None

    outside = until(shown, what="an address outside")
    until(lambda: cluster.request(outside).status == 200, what="an answer outside")


def test_an_image_that_is_not_there_fails_the_service(cluster: Cluster, a_service: Make) -> None:
    service = a_service("no-image")
    service["spec"]["template"]["spec"]["containers"][0]["image"] = (
        "conformance.invalid/no/such/image"
    )
    cluster.create(service)

    def failed() -> bool:
        ready = condition(cluster.get("Service", "no-image"), "ConfigurationsReady")
        return (ready.get("status"), ready.get("reason")) == ("False", "RevisionFailed")

    until(failed, seconds=180, what="the reason RevisionFailed")
    revision = cluster.get("Revision", "no-image-00001")
    ready = condition(revision, "Ready")
    assert (ready["status"], bool(ready["reason"]), bool(ready["message"])) == ("False", True, True)


def test_a_dry_run_leaves_nothing(cluster: Cluster, a_service: Make) -> None:
    kind = cluster.kind("Service")
    tried = kind.create(body=a_service("dry"), namespace=cluster.namespace, dry_run="All")
    assert tried.to_dict()["spec"]["template"]["spec"]["timeoutSeconds"] == 300
    with pytest.raises(DynamicApiError) as missing:
        cluster.get("Service", "dry")
    assert missing.value.status == 404
