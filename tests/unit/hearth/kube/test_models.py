"""Models read and write JSON as Go structs do."""

from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from hearth.kube.crdgen import schema_of
from hearth.kube.models import (
    DecodeError,
    Hidden,
    Int32,
    Int64,
    IntOrString,
    Kept,
    Model,
    Opaque,
    Quantity,
    Required,
    Schema,
    decode,
    dump,
)


class Inner(Model):
    port: Kept[IntOrString] = 0
    names: list[str] = Field(default_factory=list)


class Sample(Model):
    kept_text: Kept[str] = ""
    text: str = ""
    small: Int32 = 0
    pointer: Int64 | None = None
    flag: bool | None = None
    amounts: dict[str, Quantity] = Field(default_factory=dict)
    inner: Inner | None = None
    many: list[Inner] = Field(default_factory=list)
    whole: Kept[Inner] = Field(default_factory=Inner)
    opaque: Opaque | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    null_when_empty: Kept[list[str] | None] = None
    secret: Annotated[str, Hidden()] = ""
    wanted: Annotated[Kept[str], Required(), Schema({"default": "x"})] = ""


EMPTY: dict[str, Any] = {
    "keptText": "",
    "whole": {"port": 0},
    "nullWhenEmpty": None,
    "wanted": "",
}


def read(value: Any) -> Sample:
    return decode(Sample, value, root="Sample", at=("spec",))


def test_only_kept_fields_are_written_empty() -> None:
    assert dump(read({})) == EMPTY
    assert dump(read(None)) == EMPTY


def test_pointers_keep_zero_and_values_do_not() -> None:
    given = {"pointer": 0, "flag": False, "small": 0, "text": "", "inner": {}}
    assert dump(read(given)) == EMPTY | {"pointer": 0, "flag": False, "inner": {"port": 0}}


def test_unknown_fields_and_nulls_vanish() -> None:
    assert dump(read({"nope": 1, "text": None, "many": None})) == EMPTY


def test_quantities_become_canonical() -> None:
    assert dump(read({"amounts": {"cpu": 0.5, "memory": "1024Mi"}}))["amounts"] == {
        "cpu": "500m",
        "memory": "1Gi",
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"pointer": "1"}, "string into Go struct field Sample.spec.pointer of type int64"),
        (
            {"small": 3000000000},
            "number 3000000000 into Go struct field Sample.spec.small of type int32",
        ),
        ({"pointer": 1.5}, "number 1.5 into Go struct field Sample.spec.pointer of type int64"),
        ({"flag": "yes"}, "string into Go struct field Sample.spec.flag of type bool"),
        ({"text": 5}, "number into Go struct field Sample.spec.text of type string"),
        ({"inner": []}, "array into Go struct field Sample.spec.inner of type v1.Inner"),
        ({"many": {}}, "object into Go struct field Sample.spec.many of type []v1.Inner"),
        (
            {"many": [{"names": [1]}]},
            "number into Go struct field Sample.spec.many.0.names.0 of type string",
        ),
    ],
)
def test_wrong_types_are_refused_in_the_words_of_go(value: Any, message: str) -> None:
    with pytest.raises(DecodeError) as error:
        read(value)
    assert str(error.value) == f"json: cannot unmarshal {message}"


def test_go_stops_at_the_first_error_and_escapes_keys() -> None:
    many: list[Any] = [{} for _ in range(10)] + [{"port": []}]
    with pytest.raises(DecodeError, match="of type int32"):
        read({"many": many, "text": 5})
    with pytest.raises(DecodeError, match=r"Sample\.spec\.labels\.example\.com~1a of type string"):
        read({"labels": {"example.com/a": 1}})


def test_a_bad_quantity_says_what_one_looks_like() -> None:
    with pytest.raises(DecodeError, match="quantities must match the regular expression"):
        read({"amounts": {"cpu": "much"}})


def test_a_port_is_a_number_or_a_name() -> None:
    assert read({"inner": {"port": "http"}}).inner == Inner(port="http")
    with pytest.raises(DecodeError, match="cannot unmarshal bool into Go value of type int32"):
        read({"inner": {"port": True}})


def test_schemas() -> None:
    schema = schema_of(Sample)
    members = schema["properties"]
    assert schema["required"] == ["wanted"]
    assert members["small"] == {"type": "integer", "format": "int32"}
    assert members["pointer"] == {"type": "integer", "format": "int64"}
    assert members["wanted"] == {"type": "string", "default": "x"}
    assert members["opaque"] == {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    assert members["inner"]["properties"]["port"]["x-kubernetes-int-or-string"] is True
    assert members["amounts"]["additionalProperties"]["x-kubernetes-int-or-string"] is True
    assert "secret" not in members


@given(st.builds(Sample, text=st.text(), pointer=st.none() | st.integers(0, 9), flag=st.booleans()))
def test_what_is_written_reads_back(sample: Sample) -> None:
    assert read(dump(sample)) == sample
