"""EventTypes as they are written in versions of before."""

from __future__ import annotations

from typing import Any

import pytest

from eventing.api.admission import ADMISSION
from eventing.api.settings import Settings
from hearth.knative.admission import decisions
from hearth.kube.admission import CREATE, UPDATE, AdmissionRequest

KINDS, SETTINGS = ADMISSION.by_kind(), Settings()
BROKER = {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "b"}


def asked(version: str, spec: Any, old: Any = None) -> AdmissionRequest:
    def whole(given: Any) -> Any:
        head = {"apiVersion": f"eventing.knative.dev/{version}", "kind": "EventType"}
        return {**head, "metadata": {"name": "t", "namespace": "ns"}, "spec": given}

    return AdmissionRequest(
        uid="1",
        group="eventing.knative.dev",
        version=version,
        kind="EventType",
        resource="eventtypes",
        subresource="",
        name="t",
        namespace="ns",
        operation=CREATE if old is None else UPDATE,
        username="me",
        object=whole(spec),
        old_object=None if old is None else whole(old),
        dry_run=False,
    )


def written(version: str, spec: Any, old: Any = None) -> Any:
    answer = decisions.default(KINDS, asked(version, spec, old), SETTINGS)
    assert answer.changed is not None, answer.message
    return answer.changed["spec"]


def attributes(spec: Any) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in spec["attributes"]}


@pytest.mark.parametrize("version", ["v1beta1", "v1beta2"])
def test_fields_of_older_versions_become_attributes(version: str) -> None:
    given = {"type": "t", "source": "/s", "schema": "https://schema", "reference": BROKER}
    spec = written(version, given)
    assert attributes(spec) == {
        "specversion": "",
        "id": "",
        "type": "t",
        "source": "/s",
        "schemadata": "https://schema",
    }
    assert spec["reference"]["namespace"] == "ns"
    assert {field: spec[field] for field in ("type", "source", "schema")} == {
        "type": "t",
        "source": "/s",
        "schema": "https://schema",
    }
    # Written again it is the same, in either version.
    assert written(version, spec, spec) == spec


def test_a_schema_that_is_there_counts_and_not_where_another_one_is() -> None:
    given = {"type": "t", "schema": "https://schema", "schemaData": '{"type": "object"}'}
    assert attributes(written("v1beta2", given))["schemadata"] == '{"type": "object"}'
    bad = asked("v1beta2", written("v1beta2", {"type": "t", "schemaData": '{"type": 1}'}))
    answer, _ = decisions.validate(KINDS, bad, SETTINGS)
    assert not answer.allowed and "invalid JSON Schema" in answer.message


def test_a_broker_is_a_reference() -> None:
    spec = written("v1beta1", {"type": "t", "broker": "b"})
    assert spec["reference"] == {**BROKER, "namespace": "ns"}


def test_a_type_is_wanted() -> None:
    for version, spec in (("v1beta2", {"source": "/s"}), ("v1beta3", {"attributes": []})):
        answer, _ = decisions.validate(KINDS, asked(version, written(version, spec)), SETTINGS)
        assert answer.message == "validation failed: missing field(s): spec.type"


def test_who_changes_attributes_changes_the_older_fields() -> None:
    old = written("v1beta2", {"type": "t", "source": "/s", "schema": "https://schema"})
    changed = [{"name": "type", "value": "other", "required": True}]
    spec = written("v1beta3", {**old, "attributes": changed}, old)
    assert (spec["type"], "source" in spec, "schema" in spec) == ("other", False, False)
    assert attributes(spec)["type"] == "other"


def test_who_changes_older_fields_changes_attributes_and_keeps_the_others() -> None:
    more = [{"name": "type", "value": "t"}, {"name": "team", "value": "one"}]
    old = written("v1beta3", {"attributes": more})
    assert "type" not in old and "source" not in old
    spec = written("v1beta2", {**old, "description": "d"}, old)
    assert attributes(spec) == {
        "specversion": "",
        "id": "",
        "type": "t",
        "source": "",
        "team": "one",
    }
    spec = written("v1beta2", {**spec, "type": "other"}, spec)
    assert attributes(spec)["type"] == "other" and attributes(spec)["team"] == "one"
