"""The objects of ``config``, KEDA's included, fit each other and what a careful cluster demands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eventing.api import admission as eventing
from eventing.api.keys import SHARED_INGRESS_CONFIG_MAP
from eventing.kinds import bindinghook
from eventing.kinds.settings import ControlSettings
from eventing.kinds.webhooksource import make_receiver
from hearth.cli.components import CONTROL_USER, PIPELINES_HOST, ROUTE_SERVICES
from hearth.cli.settings import Settings
from hearth.install.kustomize import render
from hearth.install.preflight import OLDEST_MINOR
from hearth.keda.admission import webhooks as keda
from hearth.keda.external.httpscaledobjects import SCALER_ADDRESS
from hearth.knative.resources import WEBHOOKSOURCES
from hearth.kube.meta import Object, labels, name, namespace
from hearth.kube.resources import CRDS
from hearth.kube.selectors import selector_from_object
from hearth.kube.webhooks import Webhook
from serving.webhook import admission as serving

CONFIG = Path(__file__).parents[4] / "config"
OBJECTS = render(
    CONFIG / "base", [CONFIG / "components" / each for each in ("keda", "dispatchers")]
)
_SERVINGS = ("serving", "networking", "autoscaling", "caching")
WORKLOADS = [obj for obj in OBJECTS if obj["kind"] in ("Deployment", "StatefulSet")]


def of(*kinds: str) -> list[Object]:
    return [obj for obj in OBJECTS if obj["kind"] in kinds]


def selected(where: str, selector: dict[str, str]) -> list[Object]:
    return [
        obj
        for obj in WORKLOADS
        if namespace(obj) == where and labels(obj["spec"]["template"]).items() >= selector.items()
    ]


@pytest.mark.parametrize("obj", WORKLOADS, ids=name)
def test_pods_are_restricted(obj: Object) -> None:
    """Pod Security's profile ``restricted``, which the namespaces enforce."""
    pod = obj["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False
        assert own["readOnlyRootFilesystem"] is True
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert not [port for port in container["ports"] if "hostPort" in port]
    assert all(volume.keys() == {"name", "emptyDir"} for volume in pod["volumes"])
    [own_namespace] = [o for o in of("Namespace") if name(o) == namespace(obj)]
    assert labels(own_namespace)["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("obj", WORKLOADS, ids=name)
def test_pods_say_how_they_are_and_what_they_need(obj: Object) -> None:
    pod = obj["spec"]["template"]["spec"]
    accounts = {(namespace(o), name(o)) for o in of("ServiceAccount")}
    assert (namespace(obj), pod["serviceAccountName"]) in accounts
    for container in pod["containers"]:
        assert container["readinessProbe"] and container["livenessProbe"]
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        claims = {c["metadata"]["name"] for c in obj["spec"].get("volumeClaimTemplates", [])}
        assert mounted == {volume["name"] for volume in pod["volumes"]} | claims


SERVICES = [
    obj
    for obj in of("Service")
    if "selector" in obj["spec"] and name(obj) != "webhooksource-receiver"
]
"""Of the one without, the operator says who answers; control makes what receives webhooks."""


@pytest.mark.parametrize("obj", SERVICES, ids=name)
def test_services_lead_to_ports_of_one_workload(obj: Object) -> None:
    [workload] = selected(namespace(obj), obj["spec"]["selector"])
    [container] = workload["spec"]["template"]["spec"]["containers"]
    ports = {port["name"] for port in container["ports"]}
    assert {port["targetPort"] for port in obj["spec"]["ports"]} <= ports


def test_the_service_of_webhooks_leads_to_what_control_makes() -> None:
    [service] = [obj for obj in of("Service") if name(obj) == "webhooksource-receiver"]
    made = make_receiver(ControlSettings("", frozenset()), None)["spec"]["template"]
    assert service["spec"]["selector"].items() <= made["metadata"]["labels"].items()
    [container] = made["spec"]["containers"]
    assert service["spec"]["ports"][0]["targetPort"] in {p["name"] for p in container["ports"]}


@pytest.mark.parametrize("obj", of("PodDisruptionBudget", "NetworkPolicy"), ids=name)
def test_budgets_and_policies_are_about_one_workload(obj: Object) -> None:
    selector = obj["spec"].get("selector") or obj["spec"]["podSelector"]
    [workload] = selected(namespace(obj), selector["matchLabels"])
    [container] = workload["spec"]["template"]["spec"]["containers"]
    ports = {port["name"] for port in container["ports"]}
    rules = obj["spec"].get("ingress", [])
    named = {port["port"] for rule in rules for port in rule["ports"]}
    # The kubelet asks for health past any policy; everything else is let in by name.
    assert named in (set(), ports - {"health"})


def test_bindings_give_roles_that_are_there_to_accounts_that_are() -> None:
    accounts = {(namespace(o), name(o)) for o in of("ServiceAccount")}
    roles = {(o["kind"], name(o)) for o in of("ClusterRole", "Role")}
    accounts.add(("kube-system", "horizontal-pod-autoscaler"))
    roles.add(("Role", "extension-apiserver-authentication-reader"))
    bindings = of("ClusterRoleBinding", "RoleBinding")
    assert len(bindings) >= 6
    for binding in bindings:
        assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) in roles
        for subject in binding["subjects"]:
            assert (subject["namespace"], subject["name"]) in accounts


_OF_SECRETS = {"hearth-activator-certificates", "hearth-webhooksource-secrets"}
_WATCHES = ["list", "watch"]
_SCALES = {"apiGroups": ["*"], "resources": ["*/scale"], "verbs": ["get", "patch"]}
_NAMED_BY_USERS = {"apiGroups": [""], "resources": ["secrets", "configmaps"], "verbs": ["get"]}
_METRICS = {"apiGroups": ["external.metrics.k8s.io"], "resources": ["*"], "verbs": ["get", "list"]}
_OF_KEDA = (_SCALES, _NAMED_BY_USERS, _METRICS)
"""What is scaled may be of any kind; secrets are those that triggers name, and none is listed."""


def test_no_rule_says_everything() -> None:
    """But for what users may do with Knative's kinds in their own namespaces."""
    for role in of("ClusterRole", "Role"):
        if "namespaced" in name(role):
            continue
        for rule in role.get("rules") or ():
            if name(role).startswith("keda-") and rule in _OF_KEDA:
                continue
            assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"]), name(role)
            # To make one shows none, and cannot be limited to names.
            reads = "secrets" in rule["resources"] and rule["verbs"] != ["create"]
            # Those of the gateway, and of webhooks, have the names that users gave them; the right
            # to read them is apart from all others, and can be taken away alone.
            assert not reads or "resourceNames" in rule or name(role) in _OF_SECRETS
            if name(role) in _OF_SECRETS:
                assert rule == {"apiGroups": [""], "resources": ["secrets"], "verbs": _WATCHES}


def _webhooks() -> list[Webhook]:
    projects: list[Any] = [serving.ADMISSION, eventing.ADMISSION]
    own = [w for p in projects for w in (p.config_webhook(), *p.kind_webhooks())]
    return [*own, bindinghook.webhook(), *keda.WEBHOOKS]


def test_the_webhooks_that_are_shipped_are_those_that_are_registered() -> None:
    shipped = {
        name(obj): obj["kind"].startswith("Mutating")
        for obj in of("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
    }
    assert shipped == {webhook.name: webhook.mutating for webhook in _webhooks()}


def test_a_webhook_asks_nothing_before_somebody_answers() -> None:
    for obj in of("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        [hook] = obj["webhooks"]
        assert hook["name"] == name(obj)
        assert "rules" not in hook
        service = hook["clientConfig"]["service"]
        [target] = [o for o in of("Service") if name(o) == service["name"]]
        assert namespace(target) == service["namespace"]
        assert service["port"] in {port["port"] for port in target["spec"]["ports"]}


def test_webhooks_trust_the_account_that_control_runs_as() -> None:
    [control] = [obj for obj in WORKLOADS if name(obj) == "hearth-control"]
    account = control["spec"]["template"]["spec"]["serviceAccountName"]
    assert f"system:serviceaccount:{namespace(control)}:{account}" == CONTROL_USER


SINCE_MINOR = {
    "x-kubernetes-validations": 29,
    "appArmorProfile": 30,
    "matchConditions": 30,
    "sleep": 30,
    "selectableFields": 31,
    "trafficDistribution": 31,
    "supplementalGroupsPolicy": 33,
    "resizePolicy": 33,
    "optionalOldSelf": 33,
    "restartPolicyRules": 35,
}
"""From which Kubernetes 1.x on a field is on without a feature gate."""


def fields_of(value: Any) -> set[str]:
    if isinstance(value, list):
        return {field for each in value for field in fields_of(each)}
    if not isinstance(value, dict):
        return set()
    return set(value) | fields_of(list(value.values()))


@pytest.mark.parametrize("obj", OBJECTS, ids=lambda obj: f"{obj['kind']} {name(obj)}")
def test_nothing_is_newer_than_the_oldest_kubernetes_that_is_taken(obj: Object) -> None:
    schema_of_pods = {"sleep", "appArmorProfile", "supplementalGroupsPolicy", "resizePolicy"}
    known = {"restartPolicyRules", *schema_of_pods} if obj["kind"] == CRDS.kind else set()
    newer = {field for field in fields_of(obj) & SINCE_MINOR.keys() - known}
    assert [field for field in newer if SINCE_MINOR[field] > OLDEST_MINOR] == []


def _gathered(role: str) -> list[dict[str, Any]]:
    """The rules that Kubernetes puts into a role which gathers others."""
    [found] = [obj for obj in of("ClusterRole") if name(obj) == role]
    [selector] = found["aggregationRule"]["clusterRoleSelectors"]
    chosen = selector_from_object(selector)
    others = [obj for obj in of("ClusterRole") if chosen.matches(labels(obj))]
    return [rule for obj in others for rule in obj["rules"]]


@pytest.mark.parametrize(
    ("role", "label", "verbs"),
    [
        ("addressable-resolver", "duck.knative.dev/addressable", {"get", "list", "watch"}),
        (
            "channelable-manipulator",
            "messaging.knative.dev/subscribable",
            {"create", "get", "list", "watch", "update", "patch", "delete"},
        ),
        ("source-observer", "duck.knative.dev/source", {"get", "list", "watch"}),
    ],
)
def test_other_projects_may_do_with_our_kinds_what_knative_lets_them(
    role: str, label: str, verbs: set[str]
) -> None:
    kinds = {
        (crd["spec"]["group"], crd["spec"]["names"]["plural"])
        for crd in of("CustomResourceDefinition")
        if labels(crd).get(label) == "true"
    }
    allowed = {
        (group, resource)
        for rule in _gathered(role)
        if verbs <= set(rule["verbs"])
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert len(kinds) > 1
    assert kinds - allowed == set()


def test_what_others_may_do_is_nothing_that_control_may_do() -> None:
    assert all("get" not in rule["verbs"] for rule in _gathered("hearth-addressable-resolver"))


@pytest.mark.parametrize("role", ["admin", "edit", "view"])
def test_users_of_a_namespace_may_use_all_kinds_of_events(role: str) -> None:
    groups = {crd["spec"]["group"] for crd in of("CustomResourceDefinition")}
    knatives = {group for group in groups if group.endswith("knative.dev")}
    mine = {group for group in knatives if group.partition(".")[0] not in _SERVINGS}
    [found] = [o for o in of("ClusterRole") if name(o) == f"knative-eventing-namespaced-{role}"]
    assert set(found["rules"][0]["apiGroups"]) == mine | {WEBHOOKSOURCES.group}


def test_users_of_a_namespace_may_use_kedas_kinds() -> None:
    kinds = {
        (crd["spec"]["group"], crd["spec"]["names"]["plural"])
        for crd in of("CustomResourceDefinition")
        if crd["spec"]["group"].endswith("keda.sh") and crd["spec"]["scope"] == "Namespaced"
    }
    for role, verb in (("keda-edit", "create"), ("keda-view", "list")):
        [found] = [obj for obj in of("ClusterRole") if name(obj) == role]
        allowed = {
            (rule["apiGroups"][0], resource)
            for rule in found["rules"]
            if verb in rule["verbs"]
            for resource in rule["resources"]
        }
        assert allowed == kinds


def test_the_external_scaler_answers_at_the_address_of_the_add_on() -> None:
    objects = render(CONFIG / "base", [CONFIG / "components" / "external-scaler"])
    by_name = {(obj["kind"], namespace(obj), name(obj)): obj for obj in objects}
    workload = by_name["Deployment", "keda", "hearth-external-scaler"]["spec"]["template"]
    [container] = workload["spec"]["containers"]
    assert container["args"] == ["run", "external-scaler"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    settings = Settings(Path("kubeconfig"))
    assert (ports["grpc"], ports["stats"]) == (
        settings.external_scaler_port,
        settings.keda_stats_port,
    )
    host, _, port = SCALER_ADDRESS.partition(":")
    service = by_name["Service", "keda", host.partition(".")[0]]["spec"]
    assert [(each["port"], each["targetPort"]) for each in service["ports"]] == [
        (int(port), "grpc")
    ]
    for told in ROUTE_SERVICES[1:]:
        spec = by_name[("Service", *told)]["spec"]
        assert spec["clusterIP"] == "None"
        assert spec["selector"].items() <= workload["metadata"]["labels"].items()


def test_pipelines_are_reached_by_the_name_that_scripts_are_told() -> None:
    objects = render(CONFIG / "base", [CONFIG / "components" / "pipelines"])
    by_name = {(obj["kind"], name(obj)): obj for obj in objects}
    template = by_name["Deployment", "hearth-pipelines"]["spec"]["template"]
    [container] = template["spec"]["containers"]
    assert container["args"] == ["run", "pipelines"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports["http"] == Settings(Path("kubeconfig")).pipelines_port
    service = by_name["Service", "hearth-pipelines"]
    assert f"{name(service)}.{namespace(service)}.svc" == PIPELINES_HOST
    assert [each["port"] for each in service["spec"]["ports"]] == [80]
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()


def test_dispatchers_are_what_the_command_runs_and_control_is_told() -> None:
    objects = render(CONFIG / "base", [CONFIG / "components" / "dispatchers"])
    by_name = {(obj["kind"], name(obj)): obj for obj in objects}
    for role in ("broker-ingress", "broker-dispatcher"):
        spec = by_name["Deployment", f"hearth-{role}"]["spec"]
        template = spec["template"]
        [container] = template["spec"]["containers"]
        assert container["args"] == ["run", role]
        assert "replicas" not in spec, "they are the autoscaler's"
        for kind in ("PodDisruptionBudget", "NetworkPolicy"):
            selector = by_name[kind, f"hearth-{role}"]["spec"]
            wanted = (selector.get("selector") or selector["podSelector"])["matchLabels"]
            assert wanted == spec["selector"]["matchLabels"]
        scaler = by_name["HorizontalPodAutoscaler", f"hearth-{role}"]["spec"]
        assert scaler["scaleTargetRef"]["name"] == f"hearth-{role}"
    told = by_name["ConfigMap", SHARED_INGRESS_CONFIG_MAP]["data"]["service"]
    service = by_name["Service", told]["spec"]
    found = labels(by_name["Deployment", "hearth-broker-ingress"]["spec"]["template"])
    assert service["selector"].items() <= found.items()
    of_broker = by_name["Service", "broker-ingress"]["spec"]["selector"]
    assert not of_broker.items() <= found.items(), "the local log is elsewhere"


def test_without_the_overlay_nothing_of_keda_is_installed() -> None:
    base = render(CONFIG / "base")
    assert not [obj for obj in base if "keda" in (namespace(obj), name(obj).partition(".")[2])]
    assert not [obj for obj in base if name(obj).endswith("keda.sh")]
