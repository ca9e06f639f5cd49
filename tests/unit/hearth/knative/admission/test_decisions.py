"""Admission of a kind that is declared here and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hearth.knative import fielderrors as fe
from hearth.knative.admission import decisions
from hearth.knative.admission.kinds import Change, Decoded, Kind, Trial
from hearth.knative.admission.webhooks import Admission
from hearth.knative.fielderrors import Errors
from hearth.kube.admission import ALLOWED, CREATE, UPDATE, AdmissionRequest
from hearth.kube.models import Int64, Model
from hearth.kube.resources import PODS, Resource


class WidgetSpec(Model):
    size: Int64 | None = None
    color: str = ""


WIDGETS = Resource("example.com", "v1", "widgets", "Widget")


def _default(change: Change[WidgetSpec, int]) -> None:
    if change.new.spec.size is None:
        change.new.spec.size = change.settings


def _validate(change: Change[WidgetSpec, int]) -> Errors:
    errors: Errors = []
    if (change.new.spec.size or 0) > change.settings:
        errors.append(fe.out_of_bounds(0, change.new.spec.size, change.settings, field="size"))
    if change.new.spec.color == "beige":
        errors.append(fe.FieldError("out of fashion", ("color",), warning=True))
    if change.old is not None and change.old.spec.color != change.new.spec.color:
        errors.append(fe.FieldError("immutable", ("color",)))
    return fe.via(errors, "spec")


def _pod(change: Change[WidgetSpec, int]) -> Trial:
    return Trial(PODS, {"kind": "Pod", "metadata": {"name": change.new.name}}, "spec")


def _is_unowned(obj: Decoded[WidgetSpec]) -> bool:
    return not obj.is_owned


WIDGET: Kind[WidgetSpec, int] = Kind(
    resource=WIDGETS,
    spec=WidgetSpec,
    default=_default,
    validate=_validate,
    is_signed=_is_unowned,
    trial=_pod,
    is_strict=True,
)
ADMISSION = Admission(
    group="example.com", system_namespace="widgets", kinds=[WIDGET], config_maps={}
)
KINDS = ADMISSION.by_kind()
LIMIT = 7


def a_widget(spec: Any, **metadata: Any) -> dict[str, Any]:
    return {"kind": "Widget", "metadata": {"name": "w", **metadata}, "spec": spec}


def asked(new: Any, old: Any = None, **changes: Any) -> AdmissionRequest:
    request = AdmissionRequest(
        uid="1",
        group="example.com",
        version="v1",
        kind="Widget",
        resource="widgets",
        operation=UPDATE if old else CREATE,
        namespace="ns",
        username="me",
        object=new,
        old_object=old,
    )
    return replace(request, **changes)


def defaulted(new: Any, old: Any = None) -> Any:
    return decisions.default(KINDS, asked(new, old), LIMIT).changed


def message(new: Any, old: Any = None) -> str:
    return decisions.validate(KINDS, asked(new, old), LIMIT)[0].message


def test_the_object_is_completed_and_signed() -> None:
    assert defaulted(a_widget({})) == {
        "kind": "Widget",
        "metadata": {
            "name": "w",
            "annotations": {"example.com/creator": "me", "example.com/lastModifier": "me"},
        },
        "spec": {"size": 7},
    }


def test_an_update_is_signed_when_the_spec_changes_and_by_nothing_else() -> None:
    old = a_widget({})
    assert "annotations" not in defaulted(a_widget({}, labels={"a": "b"}), old)["metadata"]
    changed = defaulted(a_widget({"size": 3}), old)
    assert changed["metadata"]["annotations"] == {"example.com/lastModifier": "me"}


def test_owned_objects_are_not_signed() -> None:
    assert "annotations" not in defaulted(a_widget({}, ownerReferences=[{}]))["metadata"]


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        (
            {"size": "x"},
            "json: cannot unmarshal string into Go struct field Widget.spec.size of type int64",
        ),
        ({"shape": 1}, 'json: unknown field "shape"'),
    ],
)
def test_what_cannot_be_decoded_is_refused_by_either_webhook(spec: Any, complaint: str) -> None:
    request = asked(a_widget(spec))
    assert decisions.default(KINDS, request, LIMIT).message == (
        f"mutation failed: cannot decode incoming new object: {complaint}"
    )
    assert decisions.validate(KINDS, request, LIMIT)[0].message == (
        f"decoding request failed: cannot decode incoming new object: {complaint}"
    )


def test_complaints_come_all_at_once() -> None:
    old = a_widget({"color": "red"})
    assert message(a_widget({"size": 9, "color": "blue"}), old) == (
        "validation failed: expected 0 <= 9 <= 7: spec.size\nimmutable: spec.color"
    )


def test_a_warning_refuses_nothing() -> None:
    answer, _ = decisions.validate(KINDS, asked(a_widget({"color": "beige"})), LIMIT)
    assert answer.allowed
    assert answer.warnings == ("out of fashion: spec.color",)


@pytest.mark.parametrize(
    "request_",
    [
        asked(a_widget({"size": 9}), subresource="status"),
        asked(a_widget({"size": 9}, deletionTimestamp="2026-01-01T00:00:00Z")),
        asked(a_widget({"size": 9}), operation="DELETE"),
        asked(None),
    ],
    ids=["a status", "on its way out", "a deletion", "nothing"],
)
def test_what_is_let_through(request_: AdmissionRequest) -> None:
    assert decisions.default(KINDS, request_, LIMIT).allowed
    assert decisions.validate(KINDS, request_, LIMIT) == (ALLOWED, None)


def test_an_unknown_kind_is_refused() -> None:
    request = asked(a_widget({}), kind="Gadget")
    named = "unhandled kind: example.com/v1, Kind=Gadget"
    assert decisions.default(KINDS, request, LIMIT).message == f"mutation failed: {named}"
    assert decisions.validate(KINDS, request, LIMIT)[0].message == (
        f"decoding request failed: {named}"
    )


def test_only_a_dry_run_of_a_good_object_tries_its_child() -> None:
    good, bad = a_widget({"size": 1}), a_widget({"size": 9})
    assert decisions.validate(KINDS, asked(good), LIMIT)[1] is None
    assert decisions.validate(KINDS, asked(bad, dry_run=True), LIMIT)[1] is None
    _, trial = decisions.validate(KINDS, asked(good, dry_run=True), LIMIT)
    assert trial == Trial(PODS, {"kind": "Pod", "metadata": {"name": "w"}}, "spec")


def test_the_registration_follows_from_the_kinds() -> None:
    [defaulting, validation] = ADMISSION.kind_webhooks()
    assert (defaulting.name, defaulting.mutating) == ("webhook.example.com", True)
    assert (validation.name, validation.mutating) == ("validation.webhook.example.com", False)
    assert [rule["resources"] for rule in defaulting.rules] == [["widgets"]]
