from __future__ import annotations

from typing import Any

import pytest

from hearth.kube.meta import Object
from serving.api import keys, views


def a_revision(*containers: dict[str, Any], **spec: Any) -> views.Revision:
    return views.Revision({"spec": {"containers": list(containers), **spec}})


def test_a_traffic_target_without_fields() -> None:
    target = views.TrafficTarget({})
    assert (target.revision, target.configuration, target.tag, target.percent) == ("", "", "", 0)
    assert target.latest_revision is None


def test_traffic_as_asked_for_and_as_served() -> None:
    route: Object = {
        "spec": {"traffic": [{"configurationName": "c", "percent": 100, "tag": "b"}]},
        "status": {"traffic": [{"revisionName": "c-1", "percent": 100, "latestRevision": True}]},
    }
    view = views.Route(route)
    assert [target.configuration for target in view.traffic] == ["c"]
    assert [target.revision for target in view.served_traffic] == ["c-1"]
    assert [t.revision or t.configuration for t in views.targets_of(route)] == ["c-1", "c"]
    assert view.tags == ["b"]


@pytest.mark.parametrize("field", ["latestCreatedRevisionName", "latestReadyRevisionName"])
def test_revisions_that_are_not_there_yet(field: str) -> None:
    assert views.Configuration({"status": {field: None}}).latest_created == ""
    assert views.Configuration({}).latest_ready == ""


def test_the_chosen_name_of_a_template() -> None:
    chosen = {"spec": {"template": {"metadata": {"name": "mine"}, "spec": {"a": 1}}}}
    assert views.Configuration(chosen).template_name == "mine"
    assert views.Configuration(chosen).template_spec == {"a": 1}
    assert views.Configuration({"spec": {"template": {"metadata": None}}}).template_name == ""


def test_the_container_with_a_port_serves() -> None:
    ported = {"name": "b", "ports": [{"containerPort": 9000, "name": "h2c"}]}
    view = a_revision({"name": "a"}, ported)
    assert view.serving_container == ported
    assert (view.user_port, view.protocol) == (9000, keys.PROTOCOL_H2C)


def test_a_lone_container_serves_on_the_default_port() -> None:
    view = a_revision({"name": "a"})
    assert view.serving_container == {"name": "a"}
    assert (view.user_port, view.protocol) == (keys.DEFAULT_USER_PORT, keys.PROTOCOL_HTTP1)
    assert (view.container_concurrency, view.timeout_seconds) == (0, None)


def test_a_podautoscaler_is_reachable_unless_it_says_not() -> None:
    assert views.PodAutoscaler({"spec": {}}).is_reachable
    assert views.PodAutoscaler({"spec": {"reachability": keys.REACHABLE}}).is_reachable
    assert not views.PodAutoscaler({"spec": {"reachability": keys.UNREACHABLE}}).is_reachable


def test_a_mapping_with_a_certificate() -> None:
    mapping = views.DomainMapping({"spec": {"tls": {"secretName": "s"}, "ref": {"name": "r"}}})
    assert mapping.has_tls and mapping.secret_name == "s"
    assert mapping.reference == {"name": "r"}
    assert not views.DomainMapping({"spec": {}}).has_tls
