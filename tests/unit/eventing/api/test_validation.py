"""Validation beyond the recordings: several filters, namespaces, immutability, annotations."""

from typing import Any

import pytest

from eventing.api import keys
from eventing.api.admission import ADMISSION
from eventing.api.broker import BrokerSpec, broker_changes, validate_broker
from eventing.api.checks import validate_delivery, validate_reference
from eventing.api.settings import BrokerDefaults, Features, Settings
from eventing.api.trigger import TriggerSpec, validate_trigger
from hearth.knative.admission import decisions
from hearth.knative.duck import KReference
from hearth.knative.fielderrors import text
from hearth.kube.admission import CREATE, UPDATE, AdmissionRequest
from hearth.kube.models import decode

DEFAULTS, FEATURES = BrokerDefaults.from_data({}), Features.from_data({})
SUBSCRIBER = {"uri": "http://a"}
ALL_FLAGS = Features.from_data(
    {
        "delivery-backoff-max": "enabled",
        "delivery-retryafter": "enabled",
        "delivery-timeout": "enabled",
    }
)


def trigger_complaints(spec, annotations=None):
    found = decode(TriggerSpec, {"subscriber": SUBSCRIBER} | spec, root="Trigger")
    return text(validate_trigger(found, annotations or {}, namespace="ns", features=FEATURES))


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"broker": "b"}, ""),
        ({"brokerRef": {"apiVersion": "v1", "kind": "Broker", "name": "b"}}, ""),
        (
            {"brokerRef": {"name": "b", "namespace": "other"}},
            "must not set the field(s): spec.namespace\nonly name, apiVersion and kind are "
            "supported fields when feature.CrossNamespaceEventLinks is disabled",
        ),
        (
            {"broker": "b", "filters": [{"exact": {"A": "x"}}, {"prefix": {"b": "x"}}]},
            'invalid key name "A": spec.filters[1][0].exact[A]\nAttribute name must start with a '
            "letter and can only contain lowercase alphanumeric",
        ),
        (
            {"broker": "b", "filters": [{"not": {"any": [{"suffix": {"-": "x"}}]}}]},
            'invalid key name "-": spec.filters[0].not.any[0].suffix[-]\nAttribute name must '
            "start with a letter and can only contain lowercase alphanumeric",
        ),
        (
            {"broker": "b", "subscriber": {"ref": {"name": "x"}}},
            "missing field(s): spec.subscriber.ref.apiVersion, spec.subscriber.ref.kind",
        ),
    ],
)
def test_triggers(spec, complaint):
    assert trigger_complaints(spec) == complaint


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ('{"kind":"K","name":"n","apiVersion":"v1"}', ""),
        ("{}", "missing field(s): {0}.apiVersion, {0}.kind, {0}.name"),
        (
            '{"kind":"K","name":"n","apiVersion":"v1","namespace":"other"}',
            'Namespace must be empty or equal to the trigger namespace "ns": {0}.namespace',
        ),
    ],
)
def test_dependencies(value, complaint):
    found = trigger_complaints({"broker": "b"}, {"knative.dev/dependency": value})
    assert found == complaint.replace("{0}", "metadata.annotations[knative.dev/dependency]")


@pytest.mark.parametrize("start", ["earliest", "latest"])
def test_a_trigger_says_where_it_starts(start):
    assert trigger_complaints({"broker": "b"}, {keys.START_ANNOTATION: start}) == ""


def test_a_start_that_means_nothing_is_refused():
    assert trigger_complaints({"broker": "b"}, {keys.START_ANNOTATION: "first"}) == (
        "invalid value: first: metadata.annotations[eventing.hearth.dev/start]\n"
        "a new Trigger starts with the events that are earliest or latest"
    )


@pytest.mark.parametrize(
    ("delivery", "complaint"),
    [
        ({"timeout": "PT0S"}, "invalid value: PT0S: timeout"),
        ({"timeout": "PT1S", "retryAfterMax": "PT0S"}, ""),
        ({"retryAfterMax": "-PT1S"}, "invalid value: -PT1S: retryAfterMax"),
        ({"backoffMax": "PT1M"}, ""),
        ({"backoffMax": "PT0S"}, "invalid value: PT0S: backoffMax"),
        ({"backoffMax": "a while"}, "invalid value: a while: backoffMax"),
        ({"backoffDelay": "1s"}, "invalid value: 1s: backoffDelay"),
        ({"retry": 0, "format": "binary"}, ""),
    ],
)
def test_deliveries(delivery, complaint):
    spec = decode(BrokerSpec, {"delivery": delivery}, root="Broker")
    assert text(validate_delivery(spec.delivery, ALL_FLAGS)) == complaint


def test_brokers_may_be_kept_to_their_namespace():
    strict = BrokerDefaults.from_data(
        {"default-br-config": "clusterDefault: {disallowDifferentNamespaceConfig: true}"}
    )
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "namespace": "other"}
    spec = decode(BrokerSpec, {"config": reference}, root="Broker")
    marks = {"eventing.knative.dev/broker.class": "X"}
    errors = validate_broker(spec, marks, namespace="ns", defaults=strict, features=FEATURES)
    assert text(errors) == (
        "mismatched namespaces: spec.config.namespace\n"
        'parent namespace: "ns" does not match ref: "other"'
    )
    assert not validate_broker(spec, marks, namespace="ns", defaults=DEFAULTS, features=FEATURES)


def test_several_changes_of_a_config_are_all_shown():
    old = decode(BrokerSpec, {"config": {"name": "a", "kind": "K"}}, root="Broker")
    new = decode(BrokerSpec, {"config": {"name": "b", "kind": "L"}}, root="Broker")
    [error] = broker_changes(old, new, old_class="X", new_class="X")
    assert error.details == (
        '{v1.BrokerSpec}.Config.Kind:\n\t-: "K"\n\t+: "L"\n'
        '{v1.BrokerSpec}.Config.Name:\n\t-: "a"\n\t+: "b"\n'
    )


@pytest.mark.parametrize(
    ("moved_from", "complaints"),
    [(None, 1), ("X", 0), ("Y", 1), ("Z", 1)],
)
def test_a_class_changes_only_with_the_word_where_it_came_from(moved_from, complaints):
    spec = BrokerSpec()
    found = broker_changes(spec, spec, old_class="X", new_class="Y", moved_from=moved_from)
    assert len(found) == complaints


def a_request(obj, **given):
    values = {"operation": CREATE, "username": "me"} | given
    return AdmissionRequest(
        uid="1",
        group="eventing.knative.dev",
        version="v1",
        kind="Trigger",
        resource="triggers",
        namespace="ns",
        object=obj,
        **values,
    )


A_TRIGGER: dict[str, Any] = {
    "metadata": {"name": "t"},
    "spec": {"broker": "b", "subscriber": SUBSCRIBER},
}
KINDS = ADMISSION.by_kind()
SETTINGS = Settings(DEFAULTS, FEATURES)


def defaulted(request):
    changed = decisions.default(KINDS, request, SETTINGS).changed
    assert changed is not None
    return changed


def test_the_user_is_noted_when_the_spec_changes():
    made = defaulted(a_request(A_TRIGGER))
    assert made["metadata"]["annotations"]["eventing.knative.dev/creator"] == "me"
    same = defaulted(a_request(made, operation=UPDATE, username="you", old_object=made))
    assert same["metadata"]["annotations"]["eventing.knative.dev/lastModifier"] == "me"
    spec = made["spec"] | {"subscriber": {"uri": "http://b"}}
    other = a_request(made | {"spec": spec}, operation=UPDATE, username="you", old_object=made)
    marks = defaulted(other)["metadata"]["annotations"]
    assert marks["eventing.knative.dev/lastModifier"] == "you"
    assert marks["eventing.knative.dev/creator"] == "me"


def test_defaulting_is_idempotent():
    once = decisions.default(KINDS, a_request(A_TRIGGER), SETTINGS).changed
    assert decisions.default(KINDS, a_request(once), SETTINGS).changed == once


def test_status_writes_are_let_through():
    broken = a_request({"metadata": {"name": "t"}, "spec": {}}, subresource="status")
    assert decisions.validate(KINDS, broken, SETTINGS)[0].allowed


def test_a_wrong_type_is_refused_in_gos_words():
    wrong = A_TRIGGER | {"spec": {"broker": 1}}
    verdict = decisions.default(KINDS, a_request(wrong), SETTINGS)
    assert not verdict.allowed
    assert "cannot unmarshal number into Go struct field Trigger.spec.broker of type string" in (
        verdict.message
    )


def test_a_member_no_type_knows_is_refused():
    wrong = A_TRIGGER | {"spec": A_TRIGGER["spec"] | {"filters": [{"not": {"like": {}}}]}}
    verdict = decisions.default(KINDS, a_request(wrong), SETTINGS)
    assert verdict.message == (
        'mutation failed: cannot decode incoming new object: json: unknown field "like"'
    )


def test_defaults_added_to_the_old_object_are_no_change():
    old = A_TRIGGER | {"metadata": A_TRIGGER["metadata"] | {"annotations": {"a": "b"}}}
    verdict = decisions.default(KINDS, a_request(old, operation=UPDATE, old_object=old), SETTINGS)
    assert verdict.changed is not None
    assert verdict.changed["metadata"]["annotations"] == {"a": "b"}


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        ({"name": "n", "kind": "K"}, "missing field(s): apiVersion, group"),
        ({"name": "n", "kind": "K", "group": "g"}, ""),
        (
            {"name": "n", "kind": "K", "group": "g", "apiVersion": "h/v1"},
            "both apiVersion and group are specified and they refer to different API groups: "
            "apiVersion, group\nOnly one of them must be specified",
        ),
    ],
)
def test_a_group_may_stand_for_the_version(reference, complaint):
    found = decode(KReference, reference, root="K")
    flags = Features.from_data({"kreference-group": "enabled"})
    assert text(validate_reference(found, flags, parent=None)) == complaint


@pytest.mark.parametrize(
    ("value", "details"),
    [
        ("[" * 5000, "exceeded max depth"),
        ('{"kind": NaN}', "invalid character 'N' looking for beginning of value"),
    ],
    ids=["deep", "NaN"],
)
def test_dependencies_go_cannot_read(value: str, details: str) -> None:
    complaint = trigger_complaints({"broker": "b"}, {"knative.dev/dependency": value})
    assert complaint.endswith(details)


@pytest.mark.parametrize("delay", ["P" + "9" * 400 + "Y", "PT１S", "PTNaNS", "PT1S\n"])
def test_delays_nobody_can_wait_for(delay: str) -> None:
    spec = decode(BrokerSpec, {"delivery": {"backoffDelay": delay}}, root="Broker")
    assert text(validate_delivery(spec.delivery, FEATURES)) == (
        f"invalid value: {delay}: backoffDelay"
    )
