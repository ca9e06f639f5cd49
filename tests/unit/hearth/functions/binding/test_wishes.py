"""What is typed behind --bind."""

from __future__ import annotations

import base64

import pytest

from hearth.functions.binding.wishes import (
    binding_object,
    secret_object,
    wish_of,
    wishes_of,
)
from hearth.functions.deploying.settings import SettingsError


@pytest.mark.parametrize(
    ("text", "what", "alias", "port"),
    [
        ("db", "db", "db", None),
        ("db=orders", "db", "orders", None),
        ("databases.example.com/db", "databases.example.com/db", "db", None),
        ("redis:6390", "redis", "redis", 6390),
        ("redis:6390=cache", "redis", "cache", 6390),
        ("postgres://u:p@h/x", "postgres://u:p@h/x", "postgresql", None),
        ("postgres://u:p@h/x=orders", "postgres://u:p@h/x", "orders", None),
        ("postgres://u:p=w@h/x", "postgres://u:p=w@h/x", "postgresql", None),
        ("postgres://h/x?sslmode=require", "postgres://h/x?sslmode=require", "postgresql", None),
        ("search://h", "search://h", "search", None),
    ],
)
def test_names_aliases_ports_and_urls(text: str, what: str, alias: str, port: int | None) -> None:
    found = wish_of(text)
    assert (found.what, found.alias, found.port) == (what, alias, port)


@pytest.mark.parametrize("text", ["", "=x", "Upper", "db=No Such"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--bind"):
        wish_of(text)


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(SettingsError, match="two are called 'db'"):
        wishes_of(["db", "other=db"])


def test_what_is_shown_of_a_url_holds_no_password() -> None:
    assert str(wish_of("postgres://u:secret@h/x")) == "postgres://..."


def test_the_objects() -> None:
    secret = secret_object("shop-db", "prod", {"type": "mysql", "host": "h"})
    assert secret["type"] == "servicebinding.io/mysql"
    assert base64.b64decode(secret["data"]["host"]) == b"h"
    to = {"apiVersion": "v1", "kind": "Secret", "name": "shop-db"}
    binding = binding_object("shop", "prod", "db", to, [("A", "host")])
    assert binding["metadata"]["name"] == "shop-db"
    assert binding["spec"]["env"] == [{"name": "A", "key": "host"}]
    assert binding["spec"]["workload"]["name"] == "shop"
