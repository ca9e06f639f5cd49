"""What an export takes along, what it leaves out, and the files it makes of it."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
import yaml

from hearth.functions.drafting.belonging import bound, named
from hearth.functions.drafting.chart import chart_files
from hearth.functions.drafting.cleaning import cleaned, smallest
from hearth.functions.drafting.exporting import Chosen, ExportError, exported, portable
from hearth.functions.drafting.kustomization import kustomize_files, manifest_text
from hearth.functions.drafting.parameters import camel, with_parameters
from hearth.kube.meta import Object

SERVING, EVENTING = "serving.knative.dev/v1", "eventing.knative.dev/v1"


def an(api_version: str, kind: str, name: str, **fields: Any) -> Object:
    metadata = {"name": name, "namespace": "default", "uid": "1", **fields.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def a_service(name: str, *env: dict[str, Any], **container: Any) -> Object:
    shown = {"image": f"ghcr.io/me/{name}:1", "env": list(env), **container}
    spec = {"template": {"spec": {"containers": [shown]}}}
    return an(SERVING, "Service", name, spec=spec, status={"url": "http://x"})


def a_trigger(name: str, to: str, broker: str = "default", **spec: Any) -> Object:
    ref = {"apiVersion": SERVING, "kind": "Service", "name": to, "namespace": "default"}
    return an(
        EVENTING, "Trigger", name, spec={"broker": broker, "subscriber": {"ref": ref}, **spec}
    )


def a_ping(name: str, api_version: str, kind: str, to: str) -> Object:
    sink = {"ref": {"apiVersion": api_version, "kind": kind, "name": to}}
    return an(
        "sources.knative.dev/v1", "PingSource", name, spec={"sink": sink, "schedule": "@daily"}
    )


SECRET_ENV = {"name": "PW", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}
DEAD = {"apiVersion": SERVING, "kind": "Service", "name": "dead"}
ALL = [
    a_service("shop", SECRET_ENV, {"name": "WORD", "value": "{{ one }}"}),
    a_service("other"),
    a_service("dead"),
    a_trigger("orders", "shop", delivery={"deadLetterSink": {"ref": DEAD}}),
    a_trigger("others", "other"),
    a_trigger("dying", "dead", broker="second"),
    an(EVENTING, "Broker", "default"),
    an(EVENTING, "Broker", "second"),
    a_ping("to-broker", EVENTING, "Broker", "default"),
    a_ping("to-second", EVENTING, "Broker", "second"),
    an("sources.hearth.dev/v1alpha1", "WebhookSource", "hook",
       spec={"sink": {"ref": {"apiVersion": EVENTING, "kind": "Broker", "name": "second"}}}),
    an("v1", "Secret", "db", data={"password": "czNjcmV0"}, type="Opaque"),
    an("v1", "Secret", "unused", data={"key": "eA=="}),
    an("v1", "ConfigMap", "unused", data={"key": "x"}),
    an(
        "apps/v1",
        "Deployment",
        "worker",
        spec={"replicas": 2, "template": {
            "metadata": {"labels": {"app": "worker"}},
            "spec": {"serviceAccountName": "me", "containers": [{"name": "w", "image": "w:1"}]},
        }},
    ),
    an("v1", "Service", "worker", spec={"selector": {"app": "worker"}, "clusterIP": "10.96.0.9",
                                        "ports": [{"port": 80, "nodePort": 30001}]}),
    an("v1", "ServiceAccount", "me"),
    an("keda.sh/v1alpha1", "ScaledObject", "by-queue", spec={
        "scaleTargetRef": {"name": "worker"},
        "triggers": [{"type": "x", "metadata": {}, "authenticationRef": {"name": "auth"}}]}),
    an("keda.sh/v1alpha1", "TriggerAuthentication", "auth",
       spec={"secretTargetRef": [{"parameter": "p", "name": "db", "key": "password"}]}),
]  # fmt: skip


def names(objects: list[Object]) -> set[str]:
    return {f"{obj['kind']}/{obj['metadata']['name']}" for obj in objects}


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        pytest.param(
            "shop",
            "Service/shop Service/dead Trigger/orders Broker/default PingSource/to-broker "
            "Secret/db",
            id="what leads there, what it names; other Triggers are others' own",
        ),
        pytest.param(
            "deployment/worker",
            "Deployment/worker Service/worker ServiceAccount/me ScaledObject/by-queue "
            "TriggerAuthentication/auth Secret/db",
            id="what scales it and the Service before it",
        ),
        pytest.param(
            "ksvc/other",
            "Service/other Trigger/others Broker/default PingSource/to-broker",
            id="kinds as kubectl calls them",
        ),
        pytest.param("secret/unused", "Secret/unused", id="what is named, whatever its kind"),
    ],
)
def test_what_belongs_to_it_comes_along(chosen: str, expected: str) -> None:
    assert names(exported(ALL, Chosen([chosen]))) == set(expected.split())


def test_all_of_a_namespace_leaves_secrets_that_nothing_names() -> None:
    found = names(exported(ALL, Chosen()))
    assert {"Service/shop", "Service/other", "Secret/db", "ServiceAccount/me"} <= found
    assert not {"Secret/unused", "ConfigMap/unused"} & found


def test_labels_choose() -> None:
    found = exported(ALL, Chosen(selected=lambda obj: obj["metadata"]["name"] == "other"))
    assert names(found) == {"Service/other", "Trigger/others", "Broker/default",
                            "PingSource/to-broker"}  # fmt: skip


def test_what_is_not_there_is_named_with_what_is() -> None:
    with pytest.raises(
        ExportError, match=r"there is no nothing to export; there is auth, by-queue"
    ):
        exported(ALL, Chosen(["nothing"]))
    with pytest.raises(ExportError, match="nothing to export"):
        exported([], Chosen())


def test_a_reference_into_another_namespace_is_not_followed() -> None:
    obj = a_trigger("t", "x")
    obj["spec"]["subscriber"]["ref"]["namespace"] = "elsewhere"
    assert list(named(obj)) == [("eventing.knative.dev", "Broker", "default")]
    assert portable(cleaned(obj), "default")[1] == [
        "trigger t names namespace elsewhere, which is left as it is"
    ]


def test_what_sinkbindings_tell_where_to_send() -> None:
    by_name = {"apiVersion": SERVING, "kind": "Service", "name": "shop"}
    by_labels = {"apiVersion": "apps/v1", "kind": "Deployment",
                 "selector": {"matchLabels": {"a": "b"}}}  # fmt: skip
    one, two = an("apps/v1", "Deployment", "one"), an("apps/v1", "Deployment", "two")
    two["metadata"]["labels"] = {"a": "b", "c": "d"}
    bindings = [
        an("sources.knative.dev/v1", "SinkBinding", f"b{number}", spec={"subject": subject})
        for number, subject in enumerate((by_name, by_labels))
    ]
    found = bound([a_service("shop"), a_service("other"), one, two, *bindings])
    assert {title for _, _, title in found} == {"shop", "two"}
    assert names(exported([two, *bindings], Chosen(["two"]))) == {
        "Deployment/two",
        "SinkBinding/b1",
    }


# -- cleaning --------------------------------------------------------------------------------------


def test_what_the_server_sets_is_left_out() -> None:
    shown = cleaned(next(obj for obj in ALL if obj["metadata"]["name"] == "worker" and
                         obj["apiVersion"] == "v1"))  # fmt: skip
    assert shown["metadata"] == {"name": "worker", "namespace": "default"}
    assert shown["spec"] == {"selector": {"app": "worker"}, "ports": [{"port": 80}]}
    signed = a_service("x")
    signed["metadata"]["annotations"] = {"serving.knative.dev/creator": "me", "mine": "kept"}
    assert cleaned(signed)["metadata"]["annotations"] == {"mine": "kept"}
    assert "status" not in cleaned(signed)


def test_a_headless_service_stays_one_and_a_node_port_is_kept_where_it_was_asked_for() -> None:
    spec = {"clusterIP": "None", "type": "NodePort", "ports": [{"port": 1, "nodePort": 30000}]}
    assert cleaned(an("v1", "Service", "x", spec=spec))["spec"] == spec


def defaulted(obj: Object) -> Object:
    full = deepcopy(obj)
    spec = full.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    spec.setdefault("nested", {}).setdefault("deep", "yes")
    return full


def test_defaults_are_left_out_and_nothing_else() -> None:
    obj = an("v1", "X", "x", spec={"replicas": 1, "nested": {"deep": "yes"}, "mine": 3})
    assert smallest(obj, defaulted)["spec"] == {"mine": 3}
    other = an("v1", "X", "x", spec={"replicas": 2, "nested": {"deep": "no"}})
    assert smallest(other, defaulted)["spec"] == other["spec"]


def test_shares_of_revisions_that_are_not_exported_are_told_of() -> None:
    obj = cleaned(a_service("shop"))
    obj["spec"]["traffic"] = [{"revisionName": "shop-00001", "percent": 100}]
    shown, told = portable(obj, "default")
    assert "traffic" not in shown["spec"]
    assert "namespace" not in shown["metadata"]
    assert told == ["service shop: its requests are split among revisions, which are not exported: "
                    "all go to the new one"]  # fmt: skip


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "key"), [("shop", "shop"), ("shop-front", "shopFront"), ("a.b.c", "aBC"), ("--", "x")]
)
def test_keys_of_values_are_names(name: str, key: str) -> None:
    assert camel(name) == key


def test_two_of_a_name_have_two_keys() -> None:
    objects = [a_service("x"), next(o for o in ALL if o["kind"] == "Deployment")]
    objects[1] = deepcopy(objects[1]) | {"metadata": {"name": "x"}}
    keys = [mine[0].keys[0] for _, mine in with_parameters(objects)]
    assert keys == ["x", "xDeployment"]


def test_a_chart_has_values_for_what_differs() -> None:
    objects = [portable(obj, "default")[0] for obj in exported(ALL, Chosen(["shop", "worker"]))]
    files = chart_files("shop", objects)
    values = yaml.safe_load(files["values.yaml"])
    assert values["shop"]["image"] == "ghcr.io/me/shop:1"
    assert values["shop"]["env"] == {"WORD": "{{ one }}"}
    assert values["secrets"] == {"db": {"password": ""}}
    assert "replicas" not in values["worker"]  # a ScaledObject counts them
    assert values["byQueue"] == {"minReplicaCount": None, "maxReplicaCount": None}
    assert "s3cret" not in str(files) and "czNjcmV0" not in str(files)
    assert '{{- include "shop.labels" . | nindent 4 }}' in files["templates/ksvc-shop.yaml"]
    assert {"templates/ksvc-shop.yaml", "templates/service-worker.yaml"} < files.keys()


def test_text_that_looks_like_an_expression_is_none() -> None:
    obj = an("v1", "ConfigMap", "x", data={"greeting": "hello {{ name }}"})
    assert '{{ "{{" }} name }}' in chart_files("x", [cleaned(obj)])["templates/configmap-x.yaml"]


def test_secrets_are_placeholders_everywhere() -> None:
    secret = [cleaned(obj) for obj in ALL if obj["metadata"]["name"] == "db"]
    for text in (manifest_text(secret), kustomize_files(secret)["base/secret-db.yaml"]):
        assert yaml.safe_load(text)["stringData"] == {"password": "REPLACE-ME"}
        assert "data" not in yaml.safe_load(text)


def test_a_placeholder_of_a_login_is_one_that_a_server_takes() -> None:
    secret = an("v1", "Secret", "x", data={".dockerconfigjson": "e30="}, type="x")
    text = yaml.safe_load(manifest_text([secret]))["stringData"][".dockerconfigjson"]
    assert json.loads(text) == {"auths": {"REPLACE-ME": {}}}


def test_an_overlay_names_images_that_are_alike_nowhere_twice() -> None:
    one, two, third = a_service("a"), a_service("b"), a_service("c")
    two["spec"]["template"]["spec"]["containers"][0]["image"] = "ghcr.io/me/a:2"
    third["spec"]["template"]["spec"]["containers"][0]["image"] = "host:5000/c@sha256:1"
    files = kustomize_files([one, two, third])
    overlay = yaml.safe_load(files["overlays/production/kustomization.yaml"])
    assert overlay["images"] == [{"name": "host:5000/c", "digest": "sha256:1"}]
    assert "images" not in yaml.safe_load(
        kustomize_files([one, two])["overlays/production/kustomization.yaml"]
    )
