"""Data source names of MySQL, as go-sql-driver reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.keda.scalers.mysql import arguments_of
from hearth.keda.scalers.seam import ConfigError

PLAIN = {"user": "me", "password": "", "db": "jobs", "host": "127.0.0.1", "port": 3306}


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("me@tcp(h:3307)/jobs", {**PLAIN, "host": "h", "port": 3307}),
        ("me:a:b@c/d@tcp(h)/jobs", {**PLAIN, "password": "a:b@c/d", "host": "h"}),
        ("me@tcp([::1]:3307)/jobs", {**PLAIN, "host": "::1", "port": 3307}),
        ("me@tcp([::1])/jobs", {**PLAIN, "host": "::1"}),
        ("me@/jobs?parseTime=true", PLAIN),
        ("/", {**PLAIN, "user": None, "db": ""}),
        ("me@tcp/jobs", PLAIN),
    ],
)
def test_names(text, arguments):
    assert arguments_of(text) == arguments


def test_a_socket():
    made = arguments_of("me@unix(/run/mysqld.sock)/jobs")
    assert made == {"user": "me", "password": "", "db": "jobs", "unix_socket": "/run/mysqld.sock"}


@pytest.mark.parametrize(("mode", "verifies"), [("true", True), ("skip-verify", False)])
def test_tls(mode, verifies):
    assert arguments_of(f"me@/jobs?tls={mode}")["ssl"].check_hostname is verifies


@given(st.text())
def test_any_text_is_a_name_or_refused(text):
    try:
        assert {"user", "password", "db"} <= set(arguments_of(text))
    except ConfigError as fault:
        assert str(fault).startswith("error establishing MySQL connection")
