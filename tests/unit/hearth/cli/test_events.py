"""The attributes of an event that a command line describes."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.cli.errors import UserError
from hearth.cli.events import EventOptions, attributes_of, service_proxy_path


def attributes(**changes: Any) -> dict[str, str]:
    said: dict[str, Any] = {
        "to": "default",
        "type": "order.created",
        "source": "shop",
        "id": None,
        "subject": None,
        "data": "{}",
        "content_type": None,
        "extensions": (),
        "namespace": "default",
    }
    return attributes_of(EventOptions(**{**said, **changes}), fresh_id="fresh")


def test_an_event_without_an_id_gets_a_fresh_one() -> None:
    assert attributes() == {"id": "fresh", "source": "shop", "type": "order.created"}
    assert attributes(id="7")["id"] == "7"


def test_subject_and_extensions_are_added() -> None:
    got = attributes(subject="s", extensions=("priority=high", "note=a=b", "empty="))
    assert got["subject"] == "s"
    assert (got["priority"], got["note"], got["empty"]) == ("high", "a=b", "")


def test_an_extension_without_a_value_is_explained() -> None:
    with pytest.raises(UserError, match="'priority': give NAME=VALUE"):
        attributes(extensions=("priority",))


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://b.n.svc.cluster.local/ns/x", "/api/v1/namespaces/n/services/b:80/proxy/ns/x"),
        ("http://b.n.svc", "/api/v1/namespaces/n/services/b:80/proxy/"),
        ("http://b.n.svc.other:81/?a=b", "/api/v1/namespaces/n/services/b:81/proxy/?a=b"),
        ("https://b.n.svc/x", "/api/v1/namespaces/n/services/https:b:443/proxy/x"),
        ("http://example.com/x", None),
        ("http://b.n.svcs/", None),
    ],
)
def test_what_the_api_server_hands_on(url: str, path: str | None) -> None:
    assert service_proxy_path(url) == path
