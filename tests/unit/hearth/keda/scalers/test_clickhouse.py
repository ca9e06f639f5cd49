"""Connection strings of ClickHouse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.keda.scalers.clickhouse import arguments_of
from hearth.keda.scalers.seam import ConfigError

PLAIN = {
    "host": "h",
    "port": 9000,
    "user": "default",
    "password": "",
    "database": "default",
    "settings": {},
}


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("clickhouse://h", PLAIN),
        (
            "clickhouse://me:a%2Fb@h:1/jobs",
            {**PLAIN, "port": 1, "user": "me", "password": "a/b", "database": "jobs"},
        ),
        (
            "tcp://h:1?username=me&password=b&database=jobs",
            {**PLAIN, "port": 1, "user": "me", "password": "b", "database": "jobs"},
        ),
        (
            "clickhouse://h?dial_timeout=1s&max_execution_time=60",
            {**PLAIN, "settings": {"max_execution_time": "60"}},
        ),
        ("clickhouse://h?secure=true", {**PLAIN, "port": 9440, "secure": True, "verify": True}),
        (
            "clickhouse://h:1?secure=true&skip_verify=true",
            {**PLAIN, "port": 1, "secure": True, "verify": False},
        ),
    ],
)
def test_connection_strings(text, arguments):
    assert arguments_of(text) == arguments


@given(st.text())
def test_any_text_is_read_or_refused(text):
    for written in (text, f"clickhouse://{text}"):
        try:
            assert arguments_of(written)["host"]
        except ConfigError as fault:
            assert str(fault).startswith("error establishing clickhouse connection: failed to")
