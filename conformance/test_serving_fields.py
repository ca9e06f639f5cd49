"""Every field and operation that the Serving API specification has in its tables."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client import ApiException
from kubernetes.dynamic.exceptions import DynamicApiError

from conformance.fields import OPERATIONS, STATUS, TEMPLATES
from conformance.rules import rule
from conformance.support import Cluster, condition, until

Make = Callable[..., dict[str, Any]]
GROUP = "serving.knative.dev/v1"
PROFILE = "serving.knative.dev"


def params(table: dict[str, Any]) -> list[Any]:
    return [pytest.param(each, id=each, marks=rule(f"SF-{each}")) for each in table]


def dry_run(cluster: Cluster, obj: dict[str, Any]) -> dict[str, Any]:
    """Return what would be stored; what is refused is a DynamicApiError."""
    kind = cluster.kind(obj["kind"])
    made: dict[str, Any] = kind.create(
        body=obj, namespace=cluster.namespace, dry_run="All"
    ).to_dict()
    return made


def with_fragment(service: dict[str, Any], fragment: dict[str, Any]) -> dict[str, Any]:
    spec = service["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    more = dict(fragment)
    for fields in more.pop("containers", []):
        container.update(fields)
    spec.update(more)
    return service


def holds(found: Any, wanted: Any) -> bool:
    """Return whether all of ``wanted`` is in ``found``."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            key in found and holds(found[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(holds, found, wanted))
    return bool(found == wanted)


@pytest.mark.parametrize("field", params(TEMPLATES))
def test_a_template_has_the_field(cluster: Cluster, a_service: Make, field: str) -> None:
    service = with_fragment(a_service("fields"), TEMPLATES[field])
    kept = dry_run(cluster, service)["spec"]["template"]["spec"]
    assert holds(kept, TEMPLATES[field]), kept


@pytest.fixture(scope="module")
def ready(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """A Service that is ready, and what belongs to it, by kind."""
    container = {"image": cluster.image, "env": [{"name": "TARGET", "value": "Status"}]}
    template = {"spec": {"containers": [container]}}
    metadata = {"name": "has-status"}
    spec = {"template": template}
    cluster.create({"apiVersion": GROUP, "kind": "Service", "metadata": metadata, "spec": spec})
    service = cluster.until_ready("Service", "has-status")

    def revision() -> dict[str, Any] | None:
        found = cluster.get("Revision", service["status"]["latestReadyRevisionName"])
        # How many are wanted is known once an autoscaler has looked: after it is ready, maybe.
        return found if {"actualReplicas", "desiredReplicas"} <= found["status"].keys() else None

    found = {kind: cluster.get(kind, "has-status") for kind in ("Configuration", "Route")}
    return {
        "Service": service,
        "Revision": until(revision, what="both counts of replicas"),
        **found,
    }


@pytest.mark.parametrize("field", params(STATUS))
def test_a_status_has_the_field(ready: dict[str, dict[str, Any]], field: str) -> None:
    kind, name = field.partition(".")[0], STATUS[field]
    obj = ready[kind]
    status = obj["status"]
    if name == "logUrl" and name not in status:
        pytest.skip("the platform names no place of logs (config-observability)")
    assert status.get(name) is not None, status
    if name == "conditions":
        assert condition(obj, "Ready")["status"] == "True"
    if name == "observedGeneration":
        assert status[name] == obj["metadata"]["generation"]
    if name == "url":
        assert urllib.parse.urlsplit(status[name]).scheme in ("http", "https")


@rule("SF-Addressable.url")
def test_an_address_has_a_url(ready: dict[str, dict[str, Any]]) -> None:
    for kind in ("Service", "Route"):
        url = urllib.parse.urlsplit(ready[kind]["status"]["address"]["url"])
        assert url.scheme in ("http", "https")
        assert url.netloc


@rule("SF-ContainerStatuses.name")
def test_a_container_status_has_a_name(ready: dict[str, dict[str, Any]]) -> None:
    (status,) = ready["Revision"]["status"]["containerStatuses"]
    assert status["name"] == ready["Revision"]["spec"]["containers"][0]["name"]


@rule("SF-ContainerStatuses.imageDigest")
def test_a_container_status_has_a_digest(ready: dict[str, dict[str, Any]]) -> None:
    (status,) = ready["Revision"]["status"]["containerStatuses"]
    assert "@sha256:" in status["imageDigest"]


@rule(
    "SF-Service.spec.template", "SF-RevisionTemplateSpec.metadata", "SF-RevisionTemplateSpec.spec"
)
def test_a_service_has_a_template(cluster: Cluster, a_service: Make) -> None:
    service = a_service("templated", metadata={"labels": {"a": "b"}})
    template = dry_run(cluster, service)["spec"]["template"]
    assert template["metadata"]["labels"] == {"a": "b"}
    assert template["spec"]["containers"][0]["image"] == cluster.image
    del service["spec"]["template"]
    refused(cluster, service)


def route_to(*targets: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": GROUP,
        "kind": "Route",
        "metadata": {"name": "fields"},
        "spec": {"traffic": list(targets)},
    }


@rule("SF-Configuration.spec.template")
def test_a_configuration_has_a_template(cluster: Cluster, a_service: Make) -> None:
    made = dry_run(cluster, configuration(a_service, "fields"))
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == cluster.image


def configuration(a_service: Make, name: str) -> dict[str, Any]:
    return a_service(name) | {"kind": "Configuration"}


@rule("SF-Service.spec.traffic", "SF-Route.spec.traffic")
def test_traffic_defaults_to_the_latest_revision(cluster: Cluster, a_service: Make) -> None:
    service = dry_run(cluster, a_service("fields"))
    assert service["spec"]["traffic"] == [{"latestRevision": True, "percent": 100}]
    route = dry_run(cluster, route_to({"configurationName": "some", "percent": 100}))
    assert route["spec"]["traffic"][0]["percent"] == 100


@rule("SF-TrafficTarget.configurationName")
def test_a_route_may_name_a_configuration_and_a_service_may_not(
    cluster: Cluster, a_service: Make
) -> None:
    target = {"configurationName": "some", "percent": 100}
    route = dry_run(cluster, route_to(target))
    assert route["spec"]["traffic"][0]["configurationName"] == "some"
    refused(cluster, with_traffic(a_service, target), "configurationName")
    refused(cluster, route_to({**target, "revisionName": "other"}), "revisionName")


def with_traffic(a_service: Make, *targets: dict[str, Any]) -> dict[str, Any]:
    service = a_service("fields")
    service["spec"]["traffic"] = list(targets)
    return service


def refused(cluster: Cluster, obj: dict[str, Any], *words: str) -> None:
    with pytest.raises(DynamicApiError) as error:
        dry_run(cluster, obj)
    assert error.value.status in (400, 422)
    for word in words:
        assert word in str(error.value.body)


@rule("SF-TrafficTarget.revisionName", "SF-TrafficTarget.latestRevision")
def test_a_target_is_a_revision_or_the_latest_one(cluster: Cluster, a_service: Make) -> None:
    named = {"revisionName": "fields-one", "latestRevision": False, "percent": 40}
    latest = {"latestRevision": True, "percent": 60}
    kept = dry_run(cluster, with_traffic(a_service, named, latest))["spec"]["traffic"]
    assert holds(kept, [{"revisionName": "fields-one", "percent": 40}, latest])
    both = {"revisionName": "fields-one", "latestRevision": True, "percent": 100}
    refused(cluster, with_traffic(a_service, both), "latestRevision")
    refused(cluster, with_traffic(a_service, {"latestRevision": False, "percent": 100}))


@rule("SF-TrafficTarget.percent")
@pytest.mark.parametrize("percents", [(90,), (50, 60), (101,), (-1, 101), (0,)])
def test_percents_add_up_to_100(
    cluster: Cluster, a_service: Make, percents: tuple[int, ...]
) -> None:
    targets = [{"revisionName": f"fields-{i}", "percent": each} for i, each in enumerate(percents)]
    refused(cluster, with_traffic(a_service, *targets), "traffic")


@rule("SF-TrafficTarget.tag", "SF-TrafficTarget.url")
def test_a_tag_is_in_its_url_and_the_url_is_no_input(cluster: Cluster, a_service: Make) -> None:
    tagged = {"latestRevision": True, "percent": 100, "tag": "candidate"}
    refused(cluster, with_traffic(a_service, {**tagged, "url": "http://mine"}), "url")
    service = with_traffic(a_service, tagged)
    service["metadata"]["name"] = "tagged"
    cluster.create(service)
    (target,) = cluster.until_ready("Service", "tagged")["status"]["traffic"]
    assert "candidate" in target["url"]
    cluster.until_body(target["url"], "Hello World!\n")


@rule("SF-Container.volumeMounts")
@pytest.mark.parametrize(
    "mount",
    [
        pytest.param({"name": "other", "mountPath": "/data"}, id="of-no-volume"),
        pytest.param({"name": "data", "mountPath": "data"}, id="relative"),
        pytest.param({"name": "data", "mountPath": "/dev"}, id="reserved"),
    ],
)
def test_a_mount_has_a_volume_and_an_absolute_path(
    cluster: Cluster, a_service: Make, mount: dict[str, Any]
) -> None:
    fragment = {
        "containers": [{"volumeMounts": [mount]}],
        "volumes": [{"name": "data", "configMap": {"name": "some"}}],
    }
    refused(cluster, with_fragment(a_service("fields"), fragment))


@pytest.mark.parametrize(
    "source",
    [
        pytest.param({"configMap": {"name": "some"}}, id="configMap", marks=rule("SA-57")),
        pytest.param({"secret": {"secretName": "some"}}, id="secret", marks=rule("SA-58")),
        pytest.param(
            {"projected": {"sources": [{"secret": {"name": "some"}}]}},
            id="projected",
            marks=rule("SA-59"),
        ),
    ],
)
def test_a_mount_is_read_only(cluster: Cluster, a_service: Make, source: dict[str, Any]) -> None:
    fragment = {
        "containers": [{"volumeMounts": [{"name": "data", "mountPath": "/d", "readOnly": False}]}],
        "volumes": [{"name": "data", **source}],
    }
    try:
        spec = dry_run(cluster, with_fragment(a_service("fields"), fragment))["spec"]
    except DynamicApiError as error:
        assert "readOnly" in str(error.body)
        return
    assert spec["template"]["spec"]["containers"][0]["volumeMounts"][0]["readOnly"] is True


def objects(cluster: Cluster, a_service: Make, kind: str, name: str) -> str:
    """Make an object of a kind; return its name."""
    if kind == "Route":
        cluster.create(
            route_to({"configurationName": name, "percent": 100}) | {"metadata": {"name": name}}
        )
        return name
    if kind == "Configuration":
        cluster.create(configuration(a_service, name))
        return name
    if kind == "Revision":
        cluster.create(configuration(a_service, name))
        until(
            lambda: (
                cluster.get("Configuration", name)
                .get("status", {})
                .get("latestCreatedRevisionName")
            ),
            what="a Revision",
        )
        return f"{name}-00001"
    cluster.create(a_service(name))
    return name


@pytest.mark.parametrize("operation", params(OPERATIONS))
def test_what_can_be_done(cluster: Cluster, a_service: Make, operation: str) -> None:
    kind, verb = OPERATIONS[operation]
    if operation == "Revision/create":
        no_right(cluster, "create", "revisions")
        return
    name = objects(cluster, a_service, kind, f"{kind}-{verb}".lower())
    try:
        DO[verb](cluster, kind, name)
    except (DynamicApiError, ApiException) as error:
        if error.status not in (403, 405):
            raise
        pytest.skip(f"not allowed here: {error.status} {error.reason}")


def no_right(cluster: Cluster, verb: str, resource: str) -> None:
    """Who has the profile's Role may not do it."""
    if may(cluster, "conformance:nobody", verb, resource):
        pytest.skip("this API server withholds nothing from anybody")
    developer = a_developer(cluster)
    assert may(cluster, developer, "create", "services")
    assert not may(cluster, developer, verb, resource)


def may(cluster: Cluster, user: str, verb: str, resource: str) -> bool:
    attributes = {"group": PROFILE, "resource": resource, "verb": verb}
    where = {"namespace": cluster.namespace}
    review = cluster.kind("SubjectAccessReview", "authorization.k8s.io/v1").create(
        body={
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": {**attributes, **where}},
        }
    )
    return bool(review.status.allowed)


def a_developer(cluster: Cluster) -> str:
    """Bind the specification's Role to an account of the test's own; return the user's name."""
    rbac = client.RbacAuthorizationV1Api(cluster.core.api_client)
    read = ["get", "list"]
    rules = [
        client.V1PolicyRule(
            api_groups=[PROFILE],
            resources=["services"],
            verbs=[*read, "create", "update", "delete"],
        ),
        client.V1PolicyRule(
            api_groups=[PROFILE], resources=["configurations", "routes", "revisions"], verbs=read
        ),
    ]
    metadata = client.V1ObjectMeta(name="knative-developer")
    rbac.create_namespaced_role(cluster.namespace, client.V1Role(metadata=metadata, rules=rules))
    subject = client.RbacV1Subject(kind="User", name="conformance:developer", api_group=RBAC)
    role = client.V1RoleRef(kind="Role", name="knative-developer", api_group=RBAC)
    binding = client.V1RoleBinding(metadata=metadata, role_ref=role, subjects=[subject])
    rbac.create_namespaced_role_binding(cluster.namespace, binding)
    return "conformance:developer"


RBAC = "rbac.authorization.k8s.io"


def patch(cluster: Cluster, kind: str, name: str) -> None:
    cluster.patch(kind, name, {"metadata": {"labels": {"patched": "yes"}}})
    assert cluster.get(kind, name)["metadata"]["labels"]["patched"] == "yes"


def replace(cluster: Cluster, kind: str, name: str) -> None:
    cluster.replace(kind, name, "replaced")


def delete(cluster: Cluster, kind: str, name: str) -> None:
    cluster.delete(kind, name)

    until(lambda: not cluster.is_there(kind, name), what=f"{kind} {name} gone")


def read(cluster: Cluster, kind: str, name: str) -> None:
    assert cluster.get(kind, name)["metadata"]["name"] == name


def listed(cluster: Cluster, kind: str, name: str) -> None:
    items = cluster.kind(kind).get(namespace=cluster.namespace).items
    assert name in [each.metadata.name for each in items]


def watched(cluster: Cluster, kind: str, name: str) -> None:
    events = cluster.kind(kind).watch(
        namespace=cluster.namespace, field_selector=f"metadata.name={name}", timeout=60
    )
    assert next(iter(events))["object"].metadata.name == name


def deleted_together(cluster: Cluster, kind: str, name: str) -> None:
    cluster.patch(kind, name, {"metadata": {"labels": {"leaves": "together"}}})
    cluster.kind(kind).delete(namespace=cluster.namespace, label_selector="leaves=together")

    def left() -> Any:
        return (
            cluster.kind(kind)
            .get(namespace=cluster.namespace, label_selector="leaves=together")
            .items
        )

    until(lambda: not left(), what=f"no {kind} left")


DO: dict[str, Callable[[Cluster, str, str], None]] = {
    "create": read,
    "patch": patch,
    "replace": replace,
    "delete": delete,
    "read": read,
    "list": listed,
    "watch": watched,
    "deletecollection": deleted_together,
}
