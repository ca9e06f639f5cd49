"""When an adapter tells of everything."""

from __future__ import annotations

import orjson
import pytest

from eventing.api.apiserveradapter import AdapterConfig, Watched
from eventing.sources.apiserver.watches import Watches

MAPS, NODES = Watched("", "v1", "configmaps"), Watched("", "v1", "nodes")
DEPLOYMENTS = Watched("apps", "v1", "deployments")
WATCH = {"watch": "true"}


def complete(config: AdapterConfig, *paths: str, **query: str) -> bool:
    watches = Watches(config)
    for path in paths:
        watches.opened(path, query or WATCH)
    return watches.complete.is_set()


@pytest.mark.parametrize(
    ("paths", "is_complete"),
    [
        ([], False),
        (["/api/v1/namespaces/one/configmaps"], False),
        (["/api/v1/namespaces/one/configmaps", "/api/v1/namespaces/two/configmaps"], True),
        (["/apis/apps/v1/namespaces/one/configmaps"] * 2, False),
        (["/api/v1/configmaps"], True),
        (["/api/v1/namespaces/one/pods", "/api/v1/namespaces", "/version"], False),
    ],
)
def test_every_namespace_is_watched(paths: list[str], is_complete: bool) -> None:
    assert complete(AdapterConfig("", [MAPS], ["one", "two"]), *paths) is is_complete


def test_every_kind_is_watched_those_of_no_namespace_once() -> None:
    config = AdapterConfig("", [NODES, DEPLOYMENTS], ["one"])
    nodes, deployments = "/api/v1/nodes", "/apis/apps/v1/namespaces/one/deployments"
    assert not complete(config, nodes)
    assert not complete(config, deployments)
    assert complete(config, nodes, deployments)


def test_of_all_namespaces_there_is_one_watch() -> None:
    config = AdapterConfig("", [DEPLOYMENTS], all_namespaces=True)
    assert complete(config, "/apis/apps/v1/deployments")


def test_a_list_is_no_watch() -> None:
    config = AdapterConfig("", [MAPS], ["one"])
    assert not complete(config, "/api/v1/namespaces/one/configmaps", limit="500")


def test_lists_of_what_is_watched_are_told() -> None:
    watches, told = Watches(AdapterConfig("", [MAPS], ["one"])), list[tuple[set[str], str | None]]()
    watches.on_list(MAPS, lambda uids, where: told.append((set(uids), where)))
    items = [{"metadata": {"uid": "1"}}]
    first = orjson.dumps({"metadata": {"continue": "x"}, "items": items})
    last = orjson.dumps({"metadata": {}, "items": [{"metadata": {"uid": "2"}}]})
    path = "/api/v1/namespaces/one/configmaps"
    watches.listed(path, WATCH, first)
    watches.listed("/api/v1/namespaces/one/pods", {}, last)
    watches.listed("/version", {}, b"{}")
    watches.listed(path, {"limit": "1"}, first)
    assert told == []
    watches.listed(path, {"limit": "1", "continue": "x"}, last)
    watches.listed("/api/v1/configmaps", {}, last)
    assert told == [({"1", "2"}, "one"), ({"2"}, None)]
