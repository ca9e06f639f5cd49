"""How connections to PostgreSQL are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.keda.scalers.postgresql import pairs_of_text, pairs_of_url
from hearth.keda.scalers.seam import ConfigError


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("host=a port=1", {"host": "a", "port": "1"}),
        ("  host = a\n port= 1 ", {"host": "a", "port": "1"}),
        (r"password='it\'s a \\ secret' user=me", {"password": r"it's a \ secret", "user": "me"}),
        (r"password=a\ b", {"password": "a b"}),
        ("password=''", {"password": ""}),
        ("", {}),
    ],
)
def test_pairs(text, pairs):
    assert pairs_of_text(text) == pairs


@pytest.mark.parametrize("text", ["hunter2", "password='hunter2", "host=a hunter2 b=c"])
def test_what_is_no_pairs_is_refused_and_not_shown(text):
    with pytest.raises(ConfigError, match="cannot parse connection") as fault:
        pairs_of_text(text)
    assert "hunter2" not in str(fault.value)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_password_can_be_written_in_quotes(password):
    escaped = password.replace("\\", "\\\\").replace("'", "\\'")
    assert pairs_of_text(f"user=me password='{escaped}'")["password"] == password


def test_a_url_keeps_its_parameters_and_gives_its_password():
    found = pairs_of_url("postgresql://me:a%40b@h:5432/jobs?sslmode=disable&connect_timeout=1")
    assert found == {
        "url": "postgresql://me:a%40b@h:5432/jobs",
        "password": "a@b",
        "sslmode": "disable",
        "connect_timeout": "1",
    }
