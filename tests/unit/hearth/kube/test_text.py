"""Names, quantities, durations, selectors: the small languages of Kubernetes objects."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.knative.names import child_name
from hearth.kube.durations import format_go_duration, parse_go_duration, parse_iso8601_duration
from hearth.kube.names import dns1035_label_problems, dns1123_subdomain_problems
from hearth.kube.quantity import canonical, parse_quantity
from hearth.kube.selectors import (
    matches_fields,
    parse_field_selector,
    parse_label_selector,
    selector_from_object,
    selector_text,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1", "100m"),
        ("1000m", "1"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1e3", "1e3"),
        ("1000", "1k"),
        ("0.5Mi", "512Ki"),
        ("0", "0"),
        ("1000Ki", "1000Ki"),
        ("0.001m", "1u"),
        (2, "2"),
    ],
)
def test_quantities_have_one_canonical_text(text: str | int, expected: str) -> None:
    assert canonical(text) == expected


@given(st.integers(0, 10**15), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "Gi"]))
def test_canonical_text_keeps_the_amount(number: int, suffix: str) -> None:
    given_text = f"{number}{suffix}"
    assert parse_quantity(canonical(given_text)).amount == parse_quantity(given_text).amount
    assert canonical(canonical(given_text)) == canonical(given_text)


@pytest.mark.parametrize("text", ["", "1KiB", "ten", "1 Gi", "--1", "1\n"])
def test_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="quantities must match"):
        parse_quantity(text)


def test_child_names_are_kept_whole_while_they_fit() -> None:
    assert child_name("hello-00001", "-deployment") == "hello-00001-deployment"


def test_long_child_names_are_shortened_with_a_hash() -> None:
    parent = "x" * 63
    digest = hashlib.md5(parent.encode()).hexdigest()
    assert child_name(parent, "-deployment") == "x" * 20 + digest + "-deployment"
    assert len(child_name(parent, "-deployment")) == 63


@given(st.text("ab-", min_size=1, max_size=80), st.text("ab-", max_size=80))
def test_child_names_fit_a_label(parent: str, suffix: str) -> None:
    assert len(child_name("a" + parent, suffix)) <= 63


def test_name_problems_speak_kubernetes() -> None:
    assert dns1123_subdomain_problems("a.b-c") == []
    assert dns1123_subdomain_problems("A")[0].startswith("a lowercase RFC 1123 subdomain must")
    assert dns1035_label_problems("1a")[0].startswith("a DNS-1035 label must")
    assert dns1035_label_problems("a" * 64) == ["must be no more than 63 characters"]


@pytest.mark.parametrize(
    ("text", "seconds", "back"),
    [
        ("1m30s", 90, "1m30s"),
        ("1h", 3600, "1h0m0s"),
        ("200ms", 0.2, "200ms"),
        ("1.5s", 1.5, "1.5s"),
        ("-2s", -2, "-2s"),
        ("0", 0, "0s"),
        ("3us", 3e-6, "3µs"),
    ],
)
def test_go_durations(text: str, seconds: float, back: str) -> None:
    assert parse_go_duration(text) == pytest.approx(seconds)
    assert format_go_duration(seconds) == back


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'invalid duration ""'),
        ("5", 'missing unit in duration "5"'),
        ("5x", 'unknown unit "x" in duration "5x"'),
        ("abc", 'invalid duration "abc"'),
    ],
)
def test_go_duration_complaints(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_go_duration(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT0.2S", 0.2),
        ("PT1M", 60),
        ("P1DT2H", 93600),
        ("P2W", 1209600),
        ("PT-1S", -1),
        ("PT1,5S", 1.5),
        ("P0", 0),
    ],
)
def test_iso_durations(text: str, seconds: float) -> None:
    assert parse_iso8601_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "P", "PT", "1S", "PT1X", "PT1S1M", "PT S"])
def test_no_iso_duration(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        parse_iso8601_duration(text)


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("a=b", {"a": "b"}, True),
        ("a==b", {"a": "c"}, False),
        ("a!=b", {}, True),
        ("a in (b, c),d", {"a": "c", "d": ""}, True),
        ("a notin (b)", {"a": "b"}, False),
        ("!a", {"b": "1"}, True),
        ("a", {}, False),
        ("n>3,n<10", {"n": "5"}, True),
        ("app.kubernetes.io/name=x", {"app.kubernetes.io/name": "x"}, True),
        ("", {"a": "b"}, True),
    ],
)
def test_label_selectors(text: str, labels: dict[str, str], expected: bool) -> None:
    assert parse_label_selector(text).matches(labels) is expected


@pytest.mark.parametrize("text", ["a b", "a=b=c", "(x)", "in (a)", "a in b"])
def test_label_selector_errors(text: str) -> None:
    with pytest.raises(ValueError, match="expected: "):
        parse_label_selector(text)


def test_object_selectors_match_and_print() -> None:
    selector = {
        "matchLabels": {"a": "b"},
        "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["y", "x"]},
            {"key": "d", "operator": "DoesNotExist"},
        ],
    }
    assert selector_text(selector) == "a=b,c in (x,y),!d"
    assert selector_from_object(selector).matches({"a": "b", "c": "x"})
    assert not selector_from_object(selector).matches({"a": "b", "c": "x", "d": ""})


def test_field_selectors() -> None:
    clauses = parse_field_selector("status.phase=Running,spec.nodeName!=here")
    getters = {
        "status.phase": lambda o: str(o["phase"]),
        "spec.nodeName": lambda o: str(o["node"]),
    }
    assert matches_fields(clauses, {"phase": "Running", "node": ""}, getters)
    assert not matches_fields(clauses, {"phase": "Running", "node": "here"}, getters)
    with pytest.raises(ValueError, match="invalid selector"):
        parse_field_selector("nonsense")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        (
            "a b",
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
        ),
        ("=x", "found '=', expected: !, identifier, or 'end of string'"),
        ("a,,b", "found ',', expected: identifier after ','"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in (", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
        (
            "n>x",
            "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' "
            "operators, the value must be an integer",
        ),
    ],
)
def test_label_selectors_are_refused_in_the_words_of_go(text: str, complaint: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_label_selector(text)
    assert str(caught.value) == complaint


def test_keys_and_values_of_label_selectors_are_checked() -> None:
    with pytest.raises(
        ValueError, match=r'^unable to parse requirement: <nil>: Invalid value: "-a"'
    ):
        parse_label_selector("-a")
    with pytest.raises(ValueError, match=r"values\[0\]\[a\]: Invalid value: \"-b\": a valid label"):
        parse_label_selector("a=-b")


def test_values_of_field_selectors_are_unescaped() -> None:
    clauses = parse_field_selector(r"metadata.name=a\,b")
    assert [(clause.field, clause.value) for clause in clauses] == [("metadata.name", "a,b")]
    with pytest.raises(ValueError, match=r"invalid escape sequence: \\x"):
        parse_field_selector(r"a=\x")
    with pytest.raises(ValueError, match="unescaped character in value: 61"):
        parse_field_selector("a=b=c")


@pytest.mark.parametrize("text", ["9223372037s", "2562048h", "9" * 400 + "s"])
def test_a_go_duration_fits_into_64_bits_of_nanoseconds(text: str) -> None:
    with pytest.raises(ValueError, match="time: invalid duration"):
        parse_go_duration(text)


@pytest.mark.parametrize("text", ["１s", "1s\n", "٣m"])
def test_digits_of_durations_are_ascii(text: str) -> None:
    with pytest.raises(ValueError):
        parse_go_duration(text)
    with pytest.raises(ValueError):
        parse_iso8601_duration(f"PT{text.upper()}")


def test_an_iso_duration_has_an_end() -> None:
    with pytest.raises(ValueError, match="longer than a duration can be"):
        parse_iso8601_duration("P" + "9" * 400 + "Y")


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("1e100", "9223372036854775807"),
        ("-1e100", "-9223372036854775807"),
        ("1e999999999999", "9223372036854775807"),
        ("9" * 5000, "9223372036854775807"),
        ("1e-999999999999", "1e-9"),
        ("-0.0000000001", "-1n"),
        ("0e999999999999", "0"),
        ("16Ei", "9223372036854775807"),
    ],
)
def test_quantities_are_capped_as_in_kubernetes(text: str, stored: str) -> None:
    assert canonical(text) == stored


@pytest.mark.parametrize("text", ["１", "1\n", "1e" + "9" * 30])
def test_digits_and_exponents_of_quantities_are_bounded(text: str) -> None:
    with pytest.raises(ValueError):
        parse_quantity(text)
