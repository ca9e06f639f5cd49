"""The requests by which Knative's own command, kn, finds out what it prints."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from conformance.support import Cluster, condition, until

Make = Callable[..., dict[str, Any]]


def kinds(cluster: Cluster, label: str) -> set[str]:
    """Return the kinds of the definitions with a label."""
    definitions = cluster.kind("CustomResourceDefinition", "apiextensions.k8s.io/v1")
    found = definitions.get(label_selector=f"{label}=true").items
    return {each.spec.names.kind for each in found}


def test_sources_are_listed_by_a_label_of_their_definitions(cluster: Cluster) -> None:
    """``kn source list-types``."""
    cluster.kind("PingSource", "sources.knative.dev/v1")
    ours = {"ApiServerSource", "ContainerSource", "PingSource", "SinkBinding"}
    assert ours <= kinds(cluster, "duck.knative.dev/source")


def test_channels_are_listed_by_a_label_of_their_definitions(cluster: Cluster) -> None:
    """``kn channel list-types``."""
    cluster.kind("Channel", "messaging.knative.dev/v1")
    assert "InMemoryChannel" in kinds(cluster, "messaging.knative.dev/subscribable")


def test_a_watch_of_one_name_tells_of_readiness(cluster: Cluster, a_service: Make) -> None:
    """``kn service create`` and ``kn service wait``: from the version that create answered."""
    made = cluster.create(a_service("waited-for"))
    events = cluster.kind("Service").watch(
        namespace=cluster.namespace,
        field_selector="metadata.name=waited-for",
        resource_version=made["metadata"]["resourceVersion"],
        timeout=90,
    )
    told = []
    for event in events:
        obj = event["object"].to_dict()
        assert obj["metadata"]["name"] == "waited-for"
        ready = condition(obj, "Ready")
        told.append(ready.get("message", ""))
        current = obj.get("status", {}).get("observedGeneration") == obj["metadata"]["generation"]
        if current and ready.get("status") == "True":
            break
    assert told[-1] == ""


def test_names_are_found_by_field_and_revisions_by_service(
    cluster: Cluster, a_service: Make
) -> None:
    """``kn service list NAME``, ``kn revision list -s NAME``."""
    cluster.create(a_service("by-field"))
    cluster.until_ready("Service", "by-field")
    services = cluster.kind("Service").get(
        namespace=cluster.namespace, field_selector="metadata.name=by-field"
    )
    assert [each.metadata.name for each in services.items] == ["by-field"]
    revisions = cluster.kind("Revision").get(
        namespace=cluster.namespace, label_selector="serving.knative.dev/service=by-field"
    )
    assert [each.metadata.name for each in revisions.items] == ["by-field-00001"]


def test_event_types_of_a_source_have_type_and_source_in_older_versions(
    cluster: Cluster, a_service: Make
) -> None:
    """``kn eventtype list`` and ``describe`` read v1beta2."""
    service = cluster.create(a_service("typed"))
    sink = {"apiVersion": service["apiVersion"], "kind": "Service", "name": "typed"}
    cluster.until_ready("Service", "typed")
    name = f"ping-{uuid.uuid4().hex[:8]}"
    spec = {"schedule": "0 0 1 1 *", "data": "x", "sink": {"ref": sink}}
    cluster.create(
        {
            "apiVersion": "sources.knative.dev/v1",
            "kind": "PingSource",
            "metadata": {"name": name},
            "spec": spec,
        }
    )

    def found() -> Any:
        return (
            cluster.kind("EventType", "eventing.knative.dev/v1beta2")
            .get(
                namespace=cluster.namespace,
                label_selector=f"eventing.knative.dev/sourceName={name}",
            )
            .items
        )

    (kind,) = until(found, what="an EventType of the source")
    assert kind.spec.type == "dev.knative.sources.ping"
    assert kind.spec.source == f"/apis/v1/namespaces/{cluster.namespace}/pingsources/{name}"
