"""URLs and entries, and the variables that applications read."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.functions.binding.services import KINDS, Kind, entries_for, entries_of, variables
from hearth.functions.deploying.settings import SettingsError


def test_a_url_says_all_of_it() -> None:
    assert entries_of("postgres://me:p%40w@db.example.com/orders") == {
        "type": "postgresql",
        "host": "db.example.com",
        "port": "5432",
        "username": "me",
        "password": "p@w",
        "database": "orders",
        "uri": "postgresql://me:p%40w@db.example.com/orders",
    }
    assert entries_of("amqps://h:1/v")["virtual-host"] == "v"
    assert entries_of("rediss://:pw@h:7000")["uri"] == "rediss://:pw@h:7000"
    assert entries_of("search://h:9200") == {
        "type": "search",
        "host": "h",
        "port": "9200",
        "uri": "search://h:9200",
    }


@pytest.mark.parametrize("url", ["postgres:///x", "postgres://u:pw@h:99999/x", "http://[::1"])
def test_a_url_that_is_none_is_refused_without_what_is_secret(url: str) -> None:
    with pytest.raises(SettingsError, match="--bind with a URL") as error:
        entries_of(url)
    assert "pw" not in str(error.value)


@given(
    st.sampled_from(KINDS),
    st.text(min_size=1),
    st.text(min_size=1),
    st.text(),
    st.integers(1, 65535),
)
def test_whatever_a_password_holds_comes_through_the_url(
    kind: Kind, user: str, password: str, path: str, port: int
) -> None:
    said = {"username": user, "password": password, kind.path: path}
    found = entries_for(kind, "127.0.0.1", port, said)
    parts = urlsplit(found["uri"])
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (user, password)
    assert (parts.hostname, parts.port) == ("127.0.0.1", port)
    assert unquote(parts.path.removeprefix("/")) == path


def test_a_server_without_a_password_has_a_plain_url() -> None:
    redis = next(kind for kind in KINDS if kind.type == "redis")
    assert entries_for(redis, "127.0.0.1", 6379, redis.defaults) == {
        "type": "redis",
        "host": "127.0.0.1",
        "port": "6379",
        "uri": "redis://127.0.0.1:6379",
    }


def test_variables_are_those_that_clients_read() -> None:
    keys = ["type", "host", "username", "uri"]
    assert dict(variables("postgresql", keys, "db", ())) == {
        "DATABASE_URL": "uri",
        "PGHOST": "host",
        "PGUSER": "username",
    }


def test_a_second_one_of_a_kind_has_names_of_its_own_and_none_is_mixed() -> None:
    taken = {"DATABASE_URL"}
    assert dict(variables("mysql", ["uri", "host"], "old-orders", taken)) == {
        "OLD_ORDERS_DATABASE_URL": "uri",
        "OLD_ORDERS_MYSQL_HOST": "host",
    }


def test_a_kind_that_nobody_has_names_for_is_called_by_the_bindings() -> None:
    assert dict(variables("search", ["uri", "password"], "my.search", {"MY_SEARCH_URL"})) == {
        "MY_SEARCH_PASSWORD": "password"
    }
