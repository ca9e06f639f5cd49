import copy
from typing import Any

import pytest

from hearth.cluster.crd import definitions, names
from hearth.cluster.crd.kinds import kinds_of
from hearth.cluster.model import status
from hearth.cluster.model.kind import Kind
from hearth.cluster.model.roundtrip import round_trip
from hearth.cluster.model.typetable import struct
from tests.recordings import KUBERNETES_EXCHANGES, exchanges

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {"type": "object", "properties": {"size": {"type": "integer"}}},
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
    },
}


def a_version(name: str = "v1", **changes: Any) -> dict[str, Any]:
    schema = {"openAPIV3Schema": copy.deepcopy(SCHEMA)}
    return {"name": name, "served": True, "storage": True, "schema": schema, **changes}


def a_definition(*versions: dict[str, Any], **spec: Any) -> dict[str, Any]:
    obj = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": list(versions) or [a_version()],
            **spec,
        },
    }
    return completed(obj)


def completed(obj: dict[str, Any]) -> dict[str, Any]:
    round_trip(obj, struct("apiextensions/v1", "CustomResourceDefinition"))
    definitions.default(obj)
    definitions.prepare(obj, None)
    return obj


def accepted(obj: dict[str, Any], *others: dict[str, Any]) -> dict[str, Any]:
    obj["status"] = names.accept(obj, map(names.claims, others), now="t")
    return obj


def problems(obj: dict[str, Any]) -> list[str]:
    return [str(error) for error in definitions.errors(obj)]


def test_defaults() -> None:
    obj = a_definition()
    assert obj["spec"]["names"] == {
        "plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList",
    }  # fmt: skip
    assert obj["spec"]["conversion"] == {"strategy": "None"}
    assert obj["status"]["storedVersions"] == ["v1"]
    assert problems(obj) == []


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param(
            {"additionalPrinterColumns": [{"name": "a", "type": "date", "jsonPath": "x"}]},
            'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "x": must be a simple json '
            "path starting with .", id="column path",
        ),
        pytest.param(
            {"additionalPrinterColumns": [{"name": "a", "type": "text", "jsonPath": ".x"}]},
            'spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of '
            "boolean,date,integer,number,string", id="column type",
        ),
        pytest.param(
            {"subresources": {"scale": {"specReplicasPath": ".status.x",
                                        "statusReplicasPath": ".status.x"}}},
            'spec.subresources.scale.specReplicasPath: Invalid value: ".status.x": should be a '
            "json path under .spec", id="scale path",
        ),
        pytest.param(
            {"selectableFields": [{"jsonPath": ".spec.none"}]},
            'spec.selectableFields[0].jsonPath: Invalid value: ".spec.none": is an invalid path: '
            "does not refer to a valid field", id="selectable field",
        ),
        pytest.param(
            {"selectableFields": [{"jsonPath": ".spec"}]},
            'spec.selectableFields[0].jsonPath: Invalid value: ".spec": must point to a field of '
            "type string, boolean or integer. Enum string fields and strings with formats are "
            "allowed.", id="selectable object",
        ),
        pytest.param(
            {"deprecationWarning": "w"},
            'spec.versions[0].deprecationWarning: Invalid value: "w": can only be set for '
            "deprecated versions", id="deprecation",
        ),
        pytest.param(
            {"name": "1"},
            "spec.versions[0].name: Invalid value: \"1\": a DNS-1035 label must consist of lower "
            "case alphanumeric characters or '-', start with an alphabetic character, and end with "
            "an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation "
            "is '[a-z]([-a-z0-9]*[a-z0-9])?')", id="version name",
        ),
    ],
)  # fmt: skip
def test_versions(version: dict[str, Any], expected: str) -> None:
    assert expected in problems(a_definition(a_version(**version)))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"group": "plain"}, 'spec.group: Invalid value: "plain": should be a domain '
                     "with at least one dot", id="group"),
        pytest.param({"scope": "Galaxy"}, 'spec.scope: Unsupported value: "Galaxy": supported '
                     'values: "Cluster", "Namespaced"', id="scope"),
        pytest.param({"names": {"plural": "widgets", "kind": "Widget", "listKind": "Widget"}},
                     'spec.names.listKind: Invalid value: "Widget": kind and listKind may not be '
                     "the same", id="list kind"),
        pytest.param({"conversion": {"strategy": "Magic"}}, 'spec.conversion.strategy: Unsupported '
                     'value: "Magic": supported values: "None", "Webhook"', id="conversion"),
        pytest.param({"conversion": {"strategy": "Webhook"}}, "spec.conversion.webhookClientConfig"
                     ": Required value: required when strategy is set to Webhook", id="webhook"),
    ],
)  # fmt: skip
def test_spec(spec: dict[str, Any], expected: str) -> None:
    assert expected in problems(a_definition(**spec))


SCHEMA_AT = "spec.validation.openAPIV3Schema.properties[spec].properties[f]"
KEYED = {
    "type": "array",
    "items": {"type": "object", "properties": {"k": {"type": "string"}}},
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["k"],
}


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        pytest.param(
            {"type": "integer", "default": "x"},
            [f'{SCHEMA_AT}.default: Invalid value: "string":  in body must be of type '
             'integer: "string"'], id="default of another type",
        ),
        pytest.param(
            {"type": "object", "properties": {}, "default": {"a": 1}},
            [f'{SCHEMA_AT}.default: Invalid value: {{"a":1}}: must not have unknown fields'],
            id="unknown field in default",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
            [f"{SCHEMA_AT}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the "
             "runtime complexity becomes quadratic"], id="unique items",
        ),
        pytest.param(
            KEYED,
            [f"{SCHEMA_AT}.items.properties[k].default: Required value: this property is in "
             "x-kubernetes-list-map-keys, so it must have a default or be a required property"],
            id="key without default",
        ),
        pytest.param(
            {"type": "string", "x-kubernetes-list-type": "set"},
            [f'{SCHEMA_AT}.type: Invalid value: "string": must be array if x-kubernetes-list-type '
             "is specified"], id="list type of a string",
        ),
        pytest.param(
            {"type": "object", "properties": {"a": {"type": "string"}},
             "additionalProperties": {"type": "string"}},
            [f"{SCHEMA_AT}.additionalProperties: Forbidden: additionalProperties and properties "
             "are mutual exclusive"], id="map and struct",
        ),
        pytest.param(
            {"type": "string", "x-kubernetes-validations": [{"rule": " "}]},
            [f"{SCHEMA_AT}.x-kubernetes-validations[0].rule: Required value: rule is not "
             "specified"], id="no rule",
        ),
        pytest.param(
            {"type": "array", "items": {
                "type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}},
            [f'{SCHEMA_AT}.items.x-kubernetes-validations[0].rule: Invalid value: '
             '"self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the '
             f"schema within {SCHEMA_AT}"], id="old value of an item",
        ),
    ],
)  # fmt: skip
def test_schemas(field: dict[str, Any], expected: list[str]) -> None:
    version = a_version()
    version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["f"] = field
    assert problems(a_definition(version)) == expected


@pytest.mark.parametrize("rule", ["self.size <", "nonsense(self)", "other > 1"])
def test_a_rule_must_compile(rule: str) -> None:
    version = a_version()
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["x-kubernetes-validations"] = [{"rule": rule}]
    found = problems(a_definition(version))
    assert len(found) == 1
    assert "compilation failed" in found[0]
    assert "x-kubernetes-validations[0].rule: Invalid value: {" in found[0]


def test_versions_that_differ_are_told_by_version() -> None:
    other = a_version("v2", storage=False)
    other["schema"]["openAPIV3Schema"]["properties"]["spec"] = {}
    found = problems(a_definition(a_version(), other))
    assert found == [
        "spec.versions[1].schema.openAPIV3Schema.properties[spec].type: Required value: must not "
        "be empty for specified object fields"
    ]


def test_an_update_may_not_change_what_objects_are_stored_by() -> None:
    old = accepted(a_definition())
    new = copy.deepcopy(old)
    new["spec"]["scope"] = "Cluster"
    new["spec"]["names"]["kind"] = "Other"
    found = [str(error) for error in definitions.update_errors(new, old)]
    assert found == [
        'spec.scope: Invalid value: "Cluster": field is immutable',
        'spec.names.kind: Invalid value: "Other": field is immutable',
    ]


def test_a_stored_version_may_not_vanish() -> None:
    old = accepted(a_definition())
    new = copy.deepcopy(old)
    new["spec"]["versions"] = [a_version("v2")]
    definitions.prepare(new, old)
    assert new["status"]["storedVersions"] == ["v1", "v2"]
    assert any("missing from spec.versions; v1 was previously" in text for text in problems(new))


def test_protected_groups_need_an_approval() -> None:
    obj = a_definition(group="x.k8s.io")
    obj["metadata"]["name"] = "widgets.x.k8s.io"
    assert "metadata.annotations[api-approved.kubernetes.io]: Required value: " in problems(obj)[0]
    obj["metadata"]["annotations"] = {"api-approved.kubernetes.io": "https://example.com/x"}
    assert problems(obj) == []


def test_formats_that_nobody_checks_are_told_of() -> None:
    version = a_version()
    properties = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    properties |= {
        "a": {"type": "string", "format": "made-up"},
        "b": {"type": "array", "items": {"type": "string", "format": "date-time"}},
        "c": {"type": "integer", "format": "date"},
    }
    assert definitions.warnings(a_definition(version)) == [
        'unrecognized format "made-up"',
        'unrecognized format "date"',
    ]


# --- names ---------------------------------------------------------------------------------------


def conditions(obj: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in obj["status"]["conditions"]}


def test_free_names_are_accepted_at_once() -> None:
    obj = accepted(a_definition())
    assert conditions(obj) == {
        "NamesAccepted": ("True", "NoConflicts"),
        "Established": ("True", "InitialNamesAccepted"),
    }
    assert obj["status"]["acceptedNames"]["listKind"] == "WidgetList"
    assert names.is_served(obj)


def test_what_a_definition_claims_is_small_whatever_its_schema() -> None:
    obj = accepted(a_definition())
    assert names.claims(obj) == {
        "spec": {"group": "example.com"},
        "status": {"acceptedNames": obj["status"]["acceptedNames"]},
    }


def test_accepting_twice_changes_nothing() -> None:
    obj = accepted(a_definition())
    assert names.accept(obj, [], now="later") == obj["status"]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        pytest.param({"plural": "others", "kind": "Widget"}, "KindConflict", id="kind"),
        pytest.param({"plural": "widgets", "kind": "Other"}, "PluralConflict", id="plural"),
        pytest.param(
            {"plural": "others", "kind": "Other", "shortNames": ["widget"]},
            "ShortNamesConflict",
            id="short name",
        ),
    ],
)
def test_the_first_definition_keeps_its_names(asked: dict[str, Any], reason: str) -> None:
    first = accepted(a_definition())
    second = a_definition(names=asked)
    second["metadata"]["name"] = f"{asked['plural']}.example.com"
    accepted(second, first)
    if reason != "KindConflict":
        assert conditions(second)["NamesAccepted"] == ("False", reason)
    assert not names.is_served(second)
    assert conditions(second)["Established"] == ("False", "NotAccepted")


def test_names_of_other_groups_do_not_matter() -> None:
    first = accepted(a_definition())
    second = a_definition(group="other.com")
    assert names.is_served(accepted(second, first))


# --- kinds ---------------------------------------------------------------------------------------


def test_one_kind_for_each_served_version() -> None:
    versions = [
        a_version("v1"),
        a_version("v2", storage=False),
        a_version("v3", storage=False, served=False),
    ]
    kinds = kinds_of(a_definition(*versions))
    assert [(k.version, k.storage_version) for k in kinds] == [("v1", "v1"), ("v2", "v1")]


def the_kind(**version: Any) -> Kind:
    return kinds_of(a_definition(a_version(**version)))[0]


def test_a_kind_has_what_its_version_declares() -> None:
    kind = the_kind(
        subresources={
            "status": {},
            "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.replicas"},
        },
        additionalPrinterColumns=[
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "priority": 1}
        ],
        selectableFields=[{"jsonPath": ".spec.size"}],
    )
    assert kind.subresources == {"status", "scale"}
    assert kind.scale is not None
    assert kind.scale.spec_replicas == ".spec.size"
    assert [(c.name, c.type, c.priority) for c in kind.table.columns] == [
        ("Name", "string", 0), ("Size", "integer", 1),
    ]  # fmt: skip
    obj = {"metadata": {"name": "w"}, "spec": {"size": 3}}
    assert list(kind.table.cells(obj, 0.0)) == ["w", 3]
    assert kind.strategy.selectable_fields["spec.size"](obj) == "3"
    assert kind.schema["properties"]["metadata"]["properties"]["labels"]


def test_without_columns_the_age_is_shown() -> None:
    kind = the_kind()
    obj = {"metadata": {"name": "w", "creationTimestamp": "2020-01-01T00:00:00Z"}}
    assert [c.name for c in kind.table.columns] == ["Name", "Age"]
    assert list(kind.table.cells(obj, 1577836830.0)) == ["w", "30s"]


def test_status_belongs_to_its_own_endpoint() -> None:
    kind = the_kind(subresources={"status": {}})
    new: dict[str, Any] = {"spec": {}, "status": {"replicas": 1}}
    kind.strategy.prepare(new, None)
    assert "status" not in new
    kind.strategy.prepare(new, {"status": {"replicas": 2}})
    assert new["status"] == {"replicas": 2}


def test_replicas_must_be_a_count() -> None:
    kind = the_kind(
        subresources={
            "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.replicas"}
        }
    )
    found = kind.strategy.validate({"metadata": {"name": "w"}, "spec": {"size": -1}})
    assert [str(e) for e in found] == [
        ".spec.size: Invalid value: -1: should be a non-negative integer"
    ]


def test_a_deprecated_version_warns() -> None:
    kind = the_kind(deprecated=True)
    assert kind.strategy.warnings is not None
    assert kind.strategy.warnings({"metadata": {}}, None) == ["example.com/v1 Widget is deprecated"]


def test_duplicates_in_sets_and_maps() -> None:
    version = a_version()
    properties = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    properties["set"] = {
        "type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set",
    }  # fmt: skip
    properties["map"] = {**KEYED, "items": {**KEYED["items"], "required": ["k"]}}  # type: ignore[dict-item]
    kind = kinds_of(a_definition(version))[0]
    spec = {"set": ["a", "b", "a", "a"], "map": [{"k": "x"}, {"k": "x"}]}
    found = kind.strategy.validate({"metadata": {"name": "w"}, "spec": spec})
    assert [str(e) for e in found] == [
        'spec.map[1]: Duplicate value: {"k":"x"}',
        'spec.set[2]: Duplicate value: "a"',
    ]


# --- recordings ----------------------------------------------------------------------------------


def recorded_creates(*prefixes: str) -> list[dict[str, Any]]:
    recorded = exchanges(KUBERNETES_EXCHANGES)
    return [e for e in recorded if e["id"].startswith(prefixes) and e["method"] == "POST"]


def refusal(kind: str, group: str, obj: dict[str, Any], errors: Any) -> dict[str, Any]:
    return status.invalid(group, kind, obj["metadata"]["name"], errors=errors).body()


def test_recorded_definitions() -> None:
    recorded = recorded_creates("crd ")
    assert len(recorded) == 4
    for exchange in recorded:
        obj = completed(exchange["body"])
        errors = definitions.errors(obj)
        if exchange["status"] == 201:
            assert errors == []
            assert obj["spec"] == exchange["response"]["spec"]
            assert obj["status"] == exchange["response"]["status"]
        else:
            group = "apiextensions.k8s.io"
            answer = refusal("CustomResourceDefinition", group, obj, errors)
            assert answer == exchange["response"], exchange["id"]


def test_recorded_custom_resources() -> None:
    created = next(e for e in recorded_creates("crd create"))
    kind = kinds_of(completed(created["body"]))[0]
    recorded = recorded_creates("cr create", "cr invalid")
    assert len(recorded) > 5
    for exchange in recorded:
        obj = exchange["body"]
        kind.strategy.default(obj)
        errors = kind.strategy.validate(obj)
        if exchange["status"] == 201:
            assert (errors, obj["spec"]) == ([], exchange["response"]["spec"])
        elif not exchange.get("unstable"):
            answer = refusal(kind.kind, kind.group, obj, errors)
            assert answer == exchange["response"], exchange["id"]
