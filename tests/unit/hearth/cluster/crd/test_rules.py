"""Rules in CEL, in the words of kube-apiserver."""

from typing import Any

import pytest

from hearth.cluster.crd.rules import RuleSet, escape, has_rules

SPEC: dict[str, Any] = {
    "type": "object",
    "properties": {
        "size": {"type": "integer"},
        "name": {"type": "string"},
        "ratio": {"type": "number"},
        "when": {"type": "string", "format": "date-time"},
        "wait": {"type": "string", "format": "duration"},
        "dashed-name": {"type": "string"},
        "namespace": {"type": "string"},
        "amount": {"x-kubernetes-int-or-string": True},
        "list": {"type": "array", "items": {"type": "string"}},
        "map": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
}


def check(rule: str, value: Any, old: Any = None, **more: Any) -> list[str]:
    schema = {**SPEC, "x-kubernetes-validations": [{"rule": rule, **more}]}
    return [str(error) for error in RuleSet(schema).errors(value, old, path="spec")]


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        pytest.param("self.size < 9", {"size": 3}, id="comparison"),
        pytest.param("!has(self.name) || self.size > 0", {"size": 1}, id="missing field"),
        pytest.param("self.ratio == 1.0", {"ratio": 1}, id="a whole number is a double"),
        pytest.param("self.name.matches('^[a-z]+$')", {"name": "abc"}, id="matches"),
        pytest.param("self.list.all(x, x.startsWith('a'))", {"list": ["ab"]}, id="all"),
        pytest.param("self.list.exists_one(x, x == 'a')", {"list": ["a", "b"]}, id="exactly one"),
        pytest.param("self.map.all(k, self.map[k] > 0)", {"map": {"a-b": 1}}, id="keys of a map"),
        pytest.param("self.__namespace__ == 'n'", {"namespace": "n"}, id="reserved word"),
        pytest.param("self.dashed__dash__name == 'd'", {"dashed-name": "d"}, id="dash"),
        pytest.param(
            "self.when > timestamp('2020-01-01T00:00:00Z')", {"when": "2021-01-01T00:00:00Z"},
            id="timestamp",
        ),
        pytest.param("self.wait < duration('2m')", {"wait": "90s"}, id="duration"),
        pytest.param("type(self.amount) == int", {"amount": 1}, id="int or string"),
        pytest.param(
            "quantity('1Gi').isGreaterThan(quantity(self.name))", {"name": "1Mi"}, id="quantity"
        ),
        pytest.param("isURL(self.name) && url(self.name).getHost() == 'h:1'",
                     {"name": "http://h:1/p"}, id="url"),
        pytest.param("ip(self.name).family() == 4", {"name": "1.2.3.4"}, id="ip"),
        pytest.param("cidr('10.0.0.0/8').containsIP(self.name)", {"name": "10.1.1.1"}, id="cidr"),
        pytest.param("self.name.split(',').join('-') == 'a-b'", {"name": "a,b"}, id="strings"),
        pytest.param("self.list.isSorted() && self.list.indexOf('b') == 1",
                     {"list": ["a", "b"]}, id="lists"),
        pytest.param("self.name.find('[0-9]+') == '12'", {"name": "a12b"}, id="find"),
    ],
)  # fmt: skip
def test_rules_that_hold(rule: str, value: Any) -> None:
    assert check(rule, value) == []


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({}, "spec: Invalid value: failed rule: self.size < 1", id="the rule itself"),
        pytest.param({"message": " no "}, "spec: Invalid value: no", id="message"),
        pytest.param(
            {"messageExpression": "'size is ' + string(self.size)"},
            "spec: Invalid value: size is 3", id="message expression",
        ),
        pytest.param(
            {"messageExpression": "self.none", "message": "no"}, "spec: Invalid value: no",
            id="message expression that fails",
        ),
        pytest.param(
            {"message": "no", "reason": "FieldValueForbidden"}, "spec: Forbidden: no", id="reason"
        ),
        pytest.param(
            {"message": "no", "reason": "FieldValueRequired", "fieldPath": ".size"},
            "spec.size: Required value: no", id="field path",
        ),
    ],
)  # fmt: skip
def test_broken_rules(more: dict[str, Any], expected: str) -> None:
    assert check("self.size < 1", {"size": 3}, **more) == [expected]


def test_a_scalar_is_shown() -> None:
    schema = {"type": "integer", "x-kubernetes-validations": [{"rule": "self < 1"}]}
    found = RuleSet(schema).errors(3, path="spec.size")
    assert str(found[0]) == "spec.size: Invalid value: 3: failed rule: self < 1"


@pytest.mark.parametrize(
    ("rule", "detail"),
    [
        pytest.param("self.name == 'x'", "no such key: name evaluating rule: ", id="missing"),
        pytest.param("self.list[5] == 'x'", "index out of bounds: 5 evaluating rule: ", id="index"),
        pytest.param("1 / (self.size - 3) == 1", "division by zero evaluating rule: ", id="zero"),
        pytest.param(
            "self.amount + 1 == 2",
            "'no such overload': call arguments did not match a supported operator, function or "
            "macro signature for rule: ",
            id="types",
        ),
    ],
)
def test_rules_that_fail(rule: str, detail: str) -> None:
    found = check(rule, {"size": 3, "list": ["a"], "amount": "x"})
    assert found == [f'spec: Invalid value: "object": {detail}{rule}']


def test_transition_rules_need_something_to_compare_with() -> None:
    rule = "self.size >= oldSelf.size"
    assert check(rule, {"size": 1}) == []
    assert check(rule, {"size": 2}, {"size": 1}) == []
    assert len(check(rule, {"size": 1}, {"size": 2})) == 1


def test_an_optional_old_value_is_compared_also_on_create() -> None:
    rule = "oldSelf.hasValue() || self.size == 1"
    assert check(rule, {"size": 1}, optionalOldSelf=True) == []
    assert len(check(rule, {"size": 2}, optionalOldSelf=True)) == 1
    assert check(rule, {"size": 2}, {"size": 1}, optionalOldSelf=True) == []


def test_a_broken_rule_is_not_held_against_an_update_that_changed_nothing_there() -> None:
    assert check("self.size < 1", {"size": 3}, {"size": 3}) == []


def test_rules_deep_in_the_schema() -> None:
    item = {
        "type": "object",
        "properties": {"k": {"type": "string"}, "v": {"type": "integer"}},
        "x-kubernetes-validations": [{"rule": "self.v >= oldSelf.v", "message": "shrinks"}],
    }
    keyed = {
        "type": "array",
        "items": item,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
    }
    schema = {"type": "object", "properties": {"keyed": keyed}}
    assert has_rules(schema)
    new = {"keyed": [{"k": "b", "v": 1}, {"k": "a", "v": 1}]}
    old = {"keyed": [{"k": "a", "v": 2}]}
    found = RuleSet(schema).errors(new, old)
    assert [str(error) for error in found] == ["keyed[1]: Invalid value: shrinks"]


def test_the_root_shows_names_only_of_its_metadata() -> None:
    schema = {
        "type": "object",
        "properties": {},
        "x-kubernetes-validations": [
            {"rule": "self.metadata.name.startsWith('a') && !has(self.metadata.labels)"}
        ],
    }
    obj = {"apiVersion": "v1", "kind": "K", "metadata": {"name": "ab", "labels": {}}}
    assert RuleSet(schema, is_resource=True).errors(obj) == []


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("plain", "plain"),
        ("in", "__in__"),
        ("a__b", "a__underscores__b"),
        ("a.b-c/d", "a__dot__b__dash__c__slash__d"),
        ("1a", None),
        ("a b", None),
    ],
)
def test_escaping(name: str, escaped: str | None) -> None:
    assert escape(name) == escaped
