"""The webhooks of serving: requests in, answers out."""

from typing import Any

import pytest

from hearth.knative import fielderrors as fe
from hearth.knative.admission import decisions
from hearth.knative.admission.configmaps import example_checksum, validate_config_map
from hearth.kube.admission import AdmissionRequest
from serving.api.config.autoscaler import AutoscalerConfig
from serving.api.settings import Settings
from serving.api.validation.autoscaling import validate_own_annotations
from serving.webhook.admission import ADMISSION

KINDS = ADMISSION.by_kind()
POD = {"containers": [{"image": "ko.local/hello"}]}
GROUPS = {
    "Service": ("serving.knative.dev", "v1"),
    "Configuration": ("serving.knative.dev", "v1"),
    "Route": ("serving.knative.dev", "v1"),
    "Revision": ("serving.knative.dev", "v1"),
    "DomainMapping": ("serving.knative.dev", "v1beta1"),
    "PodAutoscaler": ("autoscaling.internal.knative.dev", "v1alpha1"),
    "Ingress": ("networking.internal.knative.dev", "v1alpha1"),
    "Certificate": ("networking.internal.knative.dev", "v1alpha1"),
}


def an_object(kind: str, spec: Any, **metadata: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "s", "namespace": "d", **metadata}, "spec": spec}


def asked(
    new: dict[str, Any], old: dict[str, Any] | None = None, *, user: str = "me", dry: bool = False
) -> AdmissionRequest:
    group, version = GROUPS.get(new["kind"], ("other", "v1"))
    return AdmissionRequest(
        uid="1",
        group=group,
        version=version,
        kind=new["kind"],
        resource="any",
        operation="UPDATE" if old else "CREATE",
        namespace="d",
        username=user,
        dry_run=dry,
        object=new,
        old_object=old,
    )


def defaulted(new: dict[str, Any], old: dict[str, Any] | None = None, user: str = "me") -> Any:
    answer = decisions.default(KINDS, asked(new, old, user=user), Settings())
    assert answer.allowed, answer.message
    return answer.changed


def message(new: dict[str, Any], old: dict[str, Any] | None = None) -> str:
    answer, _ = decisions.validate(KINDS, asked(new, old), Settings())
    assert answer.allowed == (not answer.message)
    return answer.message


def a_service(**spec: Any) -> dict[str, Any]:
    return an_object("Service", {"template": {"spec": POD, **spec}})


def signatures(obj: Any) -> dict[str, str]:
    found = obj["metadata"].get("annotations") or {}
    return {k.rpartition("/")[2]: v for k, v in found.items()}


def test_creator_and_modifier() -> None:
    made = defaulted(a_service())
    assert signatures(made) == {"creator": "me", "lastModifier": "me"}
    assert signatures(defaulted(made, made, user="you")) == {"creator": "me", "lastModifier": "me"}
    changed = made | {"spec": made["spec"] | {"traffic": [{"percent": 100, "tag": "t"}]}}
    assert signatures(defaulted(changed, made, user="you")) == {
        "creator": "me",
        "lastModifier": "you",
    }


def test_new_defaults_are_no_change_of_the_user() -> None:
    made = a_service()
    assert signatures(defaulted(made, made, user="you")) == {}


@pytest.mark.parametrize("kind", ["Configuration", "Route"])
def test_owned_objects_are_not_signed(kind: str) -> None:
    owner = {"ownerReferences": [{"kind": "Service", "name": "s"}]}
    assert signatures(defaulted(an_object(kind, {}, **owner))) == {}
    assert signatures(defaulted(an_object(kind, {}))) == {"creator": "me", "lastModifier": "me"}


def test_a_revision_is_not_defaulted_again() -> None:
    made = an_object("Revision", POD)
    assert "timeoutSeconds" in defaulted(made)["spec"]
    assert "timeoutSeconds" not in defaulted(made, made)["spec"]


def test_a_domain_mapping_stays_in_its_namespace() -> None:
    made = defaulted(an_object("DomainMapping", {"ref": {"kind": "Service", "name": "s"}}))
    assert made["spec"]["ref"] == {"kind": "Service", "name": "s", "namespace": "d"}


def test_a_pod_autoscaler_has_class_and_metric() -> None:
    made = defaulted(an_object("PodAutoscaler", {}))
    assert signatures(made) == {"class": "kpa.autoscaling.knative.dev", "metric": "concurrency"}
    hpa = {"annotations": {"autoscaling.knative.dev/class": "hpa.autoscaling.knative.dev"}}
    assert signatures(defaulted(an_object("PodAutoscaler", {}, **hpa)))["metric"] == "cpu"


def test_nonsense_is_refused_before_anything_else() -> None:
    wrong = an_object("Service", {"traffic": [{"percent": "1"}]})
    answer = decisions.default(KINDS, asked(wrong), Settings())
    assert answer.message == (
        "mutation failed: cannot decode incoming new object: json: cannot unmarshal string into "
        "Go struct field Service.spec.traffic.0.percent of type int64"
    )
    assert answer.code == 400


def test_status_and_unknown_kinds() -> None:
    made = a_service() | {"status": {"url": "x"}}
    assert defaulted(made)["status"] == {"url": "x"}
    assert not decisions.default(KINDS, asked(an_object("Widget", {})), Settings()).allowed


SERVICE = "spec.template"

REFUSED = [
    (
        an_object("Service", {"template": {"spec": POD}}, name="a" * 64),
        "not a DNS 1035 label: [must be no more than 63 characters]: metadata.name",
    ),
    (
        an_object(
            "Service",
            {"template": {"spec": POD}},
            annotations={"autoscaling.knative.dev/min-scale": "1"},
        ),
        'invalid key name "autoscaling.knative.dev/min-scale": metadata.annotations\n'
        'autoscaling annotations must be put under "spec.template.metadata.annotations" to work',
    ),
    (
        an_object(
            "Service",
            {"template": {"spec": POD}},
            annotations={"serving.knative.dev/rollout-duration": "-1s"},
        ),
        "rollout-duration=-1s must be positive: "
        "metadata.annotations.serving.knative.dev/rollout-duration",
    ),
    (
        a_service(metadata={"name": "other-1"}),
        'invalid value: "other-1" must have prefix "s-": spec.template.metadata.name',
    ),
    (
        a_service(spec={**POD, "timeoutSeconds": 601}),
        "expected 0 <= 601 <= 600: spec.template.spec.timeoutSeconds",
    ),
    (
        a_service(spec={**POD, "containerConcurrency": 1001}),
        "expected 0 <= 1001 <= 1000: spec.template.spec.containerConcurrency",
    ),
    (
        an_object("Route", {"traffic": [{"percent": 99, "revisionName": "a"}]}),
        "Traffic targets sum to 99, want 100: spec.traffic",
    ),
    (
        an_object("Route", {"traffic": [{"percent": 100}]}),
        "expected exactly one, got neither: "
        "spec.traffic[0].configurationName, spec.traffic[0].revisionName",
    ),
    (
        an_object(
            "Route",
            {
                "traffic": [
                    {"percent": 50, "revisionName": "a", "tag": "t"},
                    {"percent": 50, "revisionName": "b", "tag": "t"},
                ]
            },
        ),
        'Multiple definitions for "t": spec.traffic[0].tag, spec.traffic[1].tag',
    ),
    (
        an_object(
            "Route",
            {"traffic": [{"percent": 100, "revisionName": "a", "tag": "T", "url": "http://x"}]},
        ),
        "invalid value: not a DNS 1035 label: [a DNS-1035 label must consist of lower case "
        "alphanumeric characters or '-', start with an alphabetic character, and end with an "
        "alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
        "'[a-z]([-a-z0-9]*[a-z0-9])?')]: spec.traffic.tag[0]\n"
        "must not set the field(s): spec.traffic[0].url",
    ),
    (
        an_object(
            "Configuration",
            {"template": {"spec": POD}},
            labels={"serving.knative.dev/service": "s"},
        ),
        "missing field(s): metadata.labels.serving.knative.dev/service",
    ),
    (
        an_object("Revision", POD, labels={"serving.knative.dev/configuration": "c"}),
        "missing field(s): metadata.labels.serving.knative.dev/configuration",
    ),
    (
        an_object("DomainMapping", {}, name="a.example.org"),
        "missing field(s): spec.ref.apiVersion, spec.ref.kind, spec.ref.name",
    ),
    (an_object("PodAutoscaler", {}), "missing field(s): spec"),
    (
        an_object("PodAutoscaler", {"protocolType": "ftp", "containerConcurrency": -1}),
        "expected 0 <= -1 <= 1000: spec.containerConcurrency\n"
        "invalid value: ftp: spec.protocolType\n"
        "missing field(s): spec.scaleTargetRef.apiVersion, spec.scaleTargetRef.kind, "
        "spec.scaleTargetRef.name",
    ),
    (an_object("Ingress", {}), "missing field(s): spec"),
    (an_object("Ingress", {"rules": [{"hosts": ["a"]}]}), "missing field(s): spec.rules[0].http"),
    (
        an_object(
            "Ingress",
            {
                "httpOption": "Maybe",
                "rules": [
                    {
                        "http": {
                            "paths": [
                                {
                                    "splits": [
                                        {
                                            "serviceName": "a",
                                            "serviceNamespace": "d",
                                            "servicePort": 80,
                                            "percent": 90,
                                        }
                                    ]
                                },
                                {"splits": [{"serviceNamespace": "x"}]},
                            ]
                        }
                    }
                ],
            },
        ),
        "invalid value: Maybe: spec.httpOption\n"
        "missing field(s): spec.rules[0].http.paths[1].splits[0].serviceName, "
        "spec.rules[0].http.paths[1].splits[0].servicePort\n"
        "service namespace must match ingress namespace: "
        "spec.rules[0].http.paths[1].splits[0].serviceNamespace\n"
        "traffic split percentage must total to 100, but was 90: "
        "spec.rules[0].http.paths[0].splits",
    ),
    (
        an_object("Certificate", {"dnsNames": ["a.b"], "domain": "c.d"}),
        "invalid value: domain: "
        "spec.domain must be a suffix of, or match exactly, at least one entry in dnsNames\n"
        "missing field(s): spec.secretName",
    ),
]


@pytest.mark.parametrize(("obj", "text"), REFUSED)
def test_refusals(obj: dict[str, Any], text: str) -> None:
    made = obj if obj["kind"] in ("PodAutoscaler", "DomainMapping") else defaulted(obj)
    assert message(made) == f"validation failed: {text}"


def test_the_creator_never_changes() -> None:
    made = defaulted(a_service())
    other = {"serving.knative.dev/creator": "you", "serving.knative.dev/lastModifier": "you"}
    changed = made | {"metadata": made["metadata"] | {"annotations": other}}
    assert message(changed, made) == (
        "validation failed: annotation value is immutable: "
        "metadata.annotations.serving.knative.dev/creator\n"
        "invalid value: you: metadata.annotations.serving.knative.dev/lastModifier"
    )


def test_a_changed_template_needs_a_new_name() -> None:
    made = defaulted(a_service(metadata={"name": "s-1"}))
    changed = defaulted(a_service(metadata={"name": "s-1"}, spec={**POD, "timeoutSeconds": 7}))
    text = message(changed, made)
    assert text.startswith("validation failed: Saw the following changes without a name change")
    assert '*{*v1.RevisionTemplateSpec}.Spec.TimeoutSeconds:\n\t-: "300"\n\t+: "7"' in text
    renamed = defaulted(a_service(metadata={"name": "s-2"}, spec={**POD, "timeoutSeconds": 7}))
    assert message(renamed | {"metadata": made["metadata"]}, made) == ""


def test_warnings_come_with_either_answer() -> None:
    made = defaulted(a_service())
    answer, _ = decisions.validate(KINDS, asked(made), Settings())
    assert answer.allowed
    assert answer.warnings[0].startswith("Kubernetes default value is insecure")


def test_a_dry_run_names_the_pod_to_try() -> None:
    made = defaulted(a_service())
    assert decisions.validate(KINDS, asked(made), Settings())[1] is None
    verdict, trial = decisions.validate(KINDS, asked(made, dry=True), Settings())
    assert verdict.allowed
    assert trial is not None
    assert (trial.resource.kind, trial.field) == ("Pod", "spec.template")
    assert trial.obj["metadata"]["namespace"] == "d"
    assert trial.obj["spec"]["containers"][0]["image"] == "ko.local/hello"


def test_the_pod_of_an_owned_configuration_was_tried_with_its_service() -> None:
    made = defaulted(a_service())
    spec = {"template": made["spec"]["template"]}
    owner = {
        "labels": {"serving.knative.dev/service": "s"},
        "ownerReferences": [{"kind": "Service", "name": "s"}],
    }
    for metadata, is_tried in ((owner, False), ({}, True)):
        request = asked(an_object("Configuration", spec, **metadata), dry=True)
        verdict, trial = decisions.validate(KINDS, request, Settings())
        assert verdict.allowed
        assert (trial is not None) == is_tried


def config_map(name: str, data: dict[str, str], **annotations: str) -> str:
    obj = {"metadata": {"name": name, "annotations": annotations}, "data": data}
    request = AdmissionRequest("1", "", "v1", "ConfigMap", "configmaps", "UPDATE", object=obj)
    return validate_config_map(ADMISSION.config_maps, request).message


def test_config_maps() -> None:
    assert config_map("config-gc", {"min-non-active-revisions": "5"}) == ""
    assert config_map("other", {"min-non-active-revisions": "-5"}) == ""
    assert config_map("config-gc", {"min-non-active-revisions": "-5"}) == (
        "validation failed: min-non-active-revisions must be non-negative, was: -5"
    )


def test_an_edited_example_is_noticed() -> None:
    key = "knative.dev/example-checksum"
    example = "# a\n\nb: c\n"
    checksum = example_checksum(example)
    assert config_map("config-gc", {"_example": example}, **{key: checksum}) == ""
    assert "copy the respective setting" in config_map(
        "config-gc", {"_example": "# a\nb: d\n"}, **{key: checksum}
    )


def test_registrations_bear_the_names_of_knative() -> None:
    assert [webhook.name for webhook in ADMISSION.kind_webhooks()] == [
        "webhook.serving.knative.dev",
        "validation.webhook.serving.knative.dev",
    ]
    assert ADMISSION.config_webhook().name == "config.webhook.serving.knative.dev"


def test_every_kind_is_asked_about() -> None:
    [defaulting, validation] = ADMISSION.kind_webhooks()
    rules = {(r["apiGroups"][0], r["apiVersions"][0]): r["resources"] for r in defaulting.rules}
    assert rules == {
        ("autoscaling.internal.knative.dev", "v1alpha1"): ["podautoscalers"],
        ("networking.internal.knative.dev", "v1alpha1"): ["certificates", "ingresses"],
        ("serving.knative.dev", "v1"): ["configurations", "revisions", "routes", "services"],
        ("serving.knative.dev", "v1beta1"): ["domainmappings"],
    }
    assert validation.rules == defaulting.rules


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(
            "[{start: 0 8 * *, end: 0 9 * * *, minScale: 1}]",
            "invalid value: 0 8 * *: {path}.[autoscaling.hearth.dev/schedule][0].start\n"
            "expected exactly 5 fields, found 4: [0 8 * *]",
            id="cron",
        ),
        pytest.param(
            "[{start: 0 8 * * *, end: 0 9 * * *, minScale: 9}]",
            "invalid value: 9: {path}.[autoscaling.hearth.dev/schedule][0].minScale\n"
            "it is more than max-scale=5",
            id="above max-scale",
        ),
    ],
)
def test_a_schedule_is_checked_on_template_and_service(text: str, complaint: str) -> None:
    own = {"autoscaling.hearth.dev/schedule": text, "autoscaling.knative.dev/max-scale": "5"}
    traffic = [{"percent": 100, "latestRevision": True}]
    template = {"metadata": {"annotations": own}, "spec": POD}
    service = an_object("Service", {"template": template, "traffic": traffic})
    told = complaint.format(path="spec.template.metadata.annotations")
    assert message(service) == f"validation failed: {told}"
    spec = {"template": {"spec": POD}, "traffic": traffic}
    service = an_object("Service", spec, annotations={"autoscaling.hearth.dev/schedule": text})
    told = complaint.format(path="metadata.annotations")
    expected = "" if "max-scale" in complaint else f"validation failed: {told}"
    assert message(service) == expected


def test_a_schedule_keeps_to_the_limit_of_the_cluster() -> None:
    text = "[{start: 0 8 * * *, end: 0 9 * * *, maxScale: 9}]"
    errors = validate_own_annotations(
        {"autoscaling.hearth.dev/schedule": text}, AutoscalerConfig(max_scale_limit=5)
    )
    assert fe.text(errors) == (
        "invalid value: 9: [autoscaling.hearth.dev/schedule][0]\nmax-scale-limit is 5"
    )


def test_live_scale_is_refused_on_a_template_and_checked_with_it_on_a_service() -> None:
    key, traffic = "autoscaling.hearth.dev/min-scale", [{"percent": 100, "latestRevision": True}]
    template = {"metadata": {"annotations": {key: "3"}}, "spec": POD}
    assert message(an_object("Service", {"template": template, "traffic": traffic})) == (
        f'validation failed: invalid key name "{key}": spec.template.metadata.annotations\n'
        "annotations of autoscaling.hearth.dev that change a running Service must be put under "
        'its "metadata.annotations"; here it is autoscaling.knative.dev/min-scale'
    )
    template["metadata"] = {"annotations": {"autoscaling.knative.dev/max-scale": "2"}}
    spec = {"template": template, "traffic": traffic}
    assert message(an_object("Service", spec, annotations={key: "3"})) == (
        f"validation failed: max-scale=2 is less than min-scale=3: metadata.annotations.{key}"
    )


def test_what_a_domain_mapping_asks_for_beyond_knative_is_read_or_refused() -> None:
    reference = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "s"}

    def told(**annotations: str) -> str:
        given = {f"serving.hearth.dev/{name}": text for name, text in annotations.items()}
        mapping = an_object("DomainMapping", {"ref": reference}, name="a.org", annotations=given)
        return message(defaulted(mapping))

    assert told(paths="[{path: /api, service: api}]", wildcard="true") == ""
    assert "expected true or false" in told(wildcard="yes")
    problem = told(paths="[{path: api, service: api}]")
    assert "invalid value: api: metadata.annotations.[serving.hearth.dev/paths][0].path" in problem
    assert "expected a path that begins with a slash" in problem


def test_a_surge_is_read_when_it_is_applied() -> None:
    key, traffic = "serving.hearth.dev/rollout-surge", [{"percent": 100, "latestRevision": True}]
    spec = {"template": {"spec": POD}, "traffic": traffic}
    assert message(an_object("Service", spec, annotations={key: "25%"})) == ""
    assert message(an_object("Service", spec, annotations={key: "some"})) == (
        f"validation failed: invalid value: some: metadata.annotations.[{key}]\n"
        "expected a number of pods from 1 on, or 1% to 100%"
    )
    hpa = {"annotations": {"autoscaling.knative.dev/class": "hpa.autoscaling.knative.dev"}}
    spec["template"] = {"metadata": hpa, "spec": POD}
    assert message(an_object("Service", spec, annotations={key: "1"})) == (
        f'validation failed: invalid key name "{key}": metadata.annotations.[{key}]\n'
        "pods are counted for the class kpa.autoscaling.knative.dev alone, "
        "and this one's is hpa.autoscaling.knative.dev"
    )


def test_a_retry_is_any_text_that_is_not_too_long() -> None:
    key = "serving.hearth.dev/retry"
    assert message(an_object("Revision", POD, annotations={key: "2026-11-30T08:00"})) == ""
    for text in ("", "x" * 64):
        assert message(an_object("Revision", POD, annotations={key: text})) == (
            f"validation failed: invalid value: {text}: metadata.annotations.[{key}]\n"
            "expected any text of 1 to 63 characters, such as the time"
        )


def test_what_a_template_asks_for_beyond_knative_is_read_or_refused() -> None:
    def told(**annotations: str) -> str:
        given = {f"serving.hearth.dev/{name}": text for name, text in annotations.items()}
        template = {"metadata": {"annotations": given}, "spec": POD}
        return message(defaulted(an_object("Service", {"template": template})))

    assert told(ports="[{name: grpc, port: 50051}]") == ""
    assert "it is the container's own port" in told(ports="[{name: grpc, port: 8080}]")
    assert "[serving.hearth.dev/ports][0].name" in told(ports="[{port: 1}]")
    for name in ("async", "waiting-page"):
        assert 'put it under its "metadata.annotations"' in told(**{name: "true"})
    service = an_object("Service", {"template": {"spec": POD}})
    service["metadata"]["annotations"] = {"serving.hearth.dev/async": "{retries: many}"}
    assert "[serving.hearth.dev/async].retries" in message(defaulted(service))
