from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.api import keys
from serving.api.annotationtext import TextError
from serving.api.asyncrequests import (
    LONGEST_RETENTION,
    USUAL,
    AsyncOptions,
    async_of,
    flow_name,
    parse_async,
    read_told,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", USUAL),
        ("false", None),
        ("{}", USUAL),
        ("{retries: 0, backoff: 250ms}", AsyncOptions(retries=0, backoff=0.25)),
        (
            '{"retention": "1h", "pending": 5, "callback": "https://sink.example.com/x"}',
            AsyncOptions(3600.0, pending=5, callback="https://sink.example.com/x"),
        ),
    ],
)
def test_what_is_asked_for(text: str, expected: AsyncOptions | None) -> None:
    assert parse_async(text) == async_of({keys.ASYNC: text}) == expected


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("yes please", "", "expected true, false or a map"),
        ("{retry: 3}", ".retry", "expected one of retention, retries"),
        ("{retries: -1}", ".retries", "from 0 to 100"),
        ("{retries: true}", ".retries", "from 0 to 100"),
        ("{retention: 8000h}", ".retention", "from 1 to 604800 seconds"),
        ("{retention: 10}", ".retention", "expected a time such as 30s"),
        ("{backoff: soon}", ".backoff", "expected a time"),
        ("{pending: 0}", ".pending", "from 1 to 100000"),
        ("{callback: sink}", ".callback", "expected the URL of a sink"),
        ("{callback: 'http://[x'}", ".callback", "expected the URL of a sink"),
    ],
)
def test_what_is_wrong_is_said_with_its_path(text: str, path: str, message: str) -> None:
    with pytest.raises(TextError, match=message) as raised:
        parse_async(text)
    assert raised.value.path == path
    assert async_of({keys.ASYNC: text}) is None


@given(st.integers(1, int(LONGEST_RETENTION)), st.integers(1, 100_000))
def test_the_broker_reads_what_the_gateway_says(retention: int, pending: int) -> None:
    options = AsyncOptions(float(retention), pending=pending)
    assert read_told(options.told()) == options


@pytest.mark.parametrize("text", [b"", b"retention=99999999, pending=1", b"x"])
def test_what_no_gateway_says_counts_as_usual(text: bytes) -> None:
    assert read_told(text) == USUAL


def test_a_flow_has_a_name_that_a_service_may_have() -> None:
    assert flow_name("hello") == "hello-async"
    assert len(flow_name("a" * 63)) == 63
