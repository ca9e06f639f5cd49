"""Parameters of triggers, by KEDA's rules and in its words."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from hearth.keda.scalers.params import AUTH, ENV, METADATA, Seconds, param, read_params
from hearth.keda.scalers.seam import ConfigError, TriggerConfig


@dataclass(frozen=True, slots=True)
class Settings:
    address: str = param("address", order=(METADATA, ENV, AUTH))
    length: int = param("length", default="5")
    threshold: float = param("threshold", optional=True)
    mode: str = param("mode", default="a", enum=("a", "b"))
    wait: Seconds = param("wait", optional=True)
    verify: bool | None = param("verify", optional=True)
    parts: list[int] = param("parts", optional=True, range_separator="-")
    tags: dict[str, str] = param("tags", optional=True)
    old: str = param("old", deprecated="old is gone, use length")

    def check(self) -> None:
        if self.length < 0:
            raise ConfigError("length must not be negative")


def read(metadata: dict[str, str], **more) -> Settings:
    return read_params(Settings, TriggerConfig("queue", {"address": "here", **metadata}, **more))


def test_what_is_not_said_is_the_default_or_the_zero_of_its_type():
    assert read({}) == Settings("here", 5, 0.0, "a", Seconds(0.0), None, [], {}, "")


def test_all_types_are_read():
    said = {
        "length": "7",
        "threshold": "0.5",
        "mode": "b",
        "wait": "1m30s",
        "verify": "T",
        "parts": "1,3-5",
        "tags": "a=b, c=d",
    }
    parts, tags = [1, 3, 4, 5], {"a": "b", "c": "d"}
    assert read(said) == Settings("here", 7, 0.5, "b", Seconds(90), True, parts, tags, "")


def test_a_plain_number_is_a_duration_in_milliseconds():
    assert read({"wait": "250"}).wait == 0.25


def test_metadata_comes_before_the_environment_and_that_before_authentication():
    sources = {"env": {"ADDRESS": "env"}, "auth": {"address": "auth"}}
    named = {"addressFromEnv": "ADDRESS"}
    assert read({**named}, **sources).address == "here"
    assert read({**named, "address": " "}, **sources).address == "env"
    assert read({"address": ""}, **sources).address == "auth"


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        pytest.param(
            {"address": ""},
            'missing required parameter "address" in [triggerMetadata resolvedEnv authParams]',
            id="missing",
        ),
        pytest.param(
            {"mode": "c"}, 'parameter "mode" value "c" must be one of [a b]', id="no choice"
        ),
        pytest.param(
            {"length": "NaN"},
            'unable to set param "length" value "NaN": unable to unmarshal to field type int64',
            id="no number",
        ),
        pytest.param(
            {"length": "1.5"},
            'unable to set param "length" value "1.5": unable to unmarshal to field type int64',
            id="no integer",
        ),
        pytest.param(
            {"threshold": "Infinity"},
            'unable to set param "threshold" value "Infinity": '
            "unable to unmarshal to field type float64",
            id="infinite",
        ),
        pytest.param(
            {"wait": "-1s"},
            'unable to set param "wait" value "-1s": duration cannot be negative: "-1s"',
            id="negative duration",
        ),
        pytest.param(
            {"old": "x"}, "scaler queue info: old is gone, use length", id="of earlier times"
        ),
        pytest.param({"length": "-1"}, "length must not be negative", id="together"),
    ],
)
def test_a_fault_is_told_in_the_words_of_keda(said, fault):
    with pytest.raises(ConfigError) as caught:
        read(said)
    assert str(caught.value) == fault


def test_all_faults_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        read({"mode": "c", "length": "x"})
    assert len(str(caught.value).splitlines()) == 2


def test_a_range_has_an_end():
    with pytest.raises(ConfigError, match="at most 10000"):
        read({"parts": "0-1000000000"})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"length": "9223372036854775808"}, "unable to unmarshal to field type int64"),
        ({"threshold": "1e999"}, "unable to unmarshal to field type float64"),
        ({"threshold": "9" * 400}, "unable to unmarshal to field type float64"),
        ({"wait": "9" * 400}, "unable to parse duration value"),
    ],
)
def test_numbers_are_bounded(said, words):
    with pytest.raises(ConfigError, match=words):
        read(said)
