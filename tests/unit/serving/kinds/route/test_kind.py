from __future__ import annotations

from typing import Any

from hearth.kube.meta import Object
from hearth.kube.testing import FakeLister, an_object
from serving.api import keys
from serving.api.settings import Settings
from serving.kinds import sources
from serving.kinds.route.kind import controller, observe

KEY = ("ns", "hello")
SPEC = controller(Settings)


def a_route(*traffic: dict[str, Any]) -> Object:
    return an_object("hello", spec={"traffic": list(traffic)})


def a_configuration(latest: str) -> Object:
    return an_object("c", status={"latestReadyRevisionName": latest})


def test_a_route_that_is_gone_is_nothing_to_do() -> None:
    assert observe(FakeLister({}), KEY, Settings()) is None


def test_what_its_traffic_names_is_looked_up_with_the_latest_behind_it() -> None:
    route = a_route({"configurationName": "c", "tag": "t"}, {"revisionName": "old"})
    lister = FakeLister(
        {
            sources.ROUTES: [route],
            sources.CONFIGURATIONS: [a_configuration("c-2"), an_object("other")],
            sources.REVISIONS: [an_object("c-1"), an_object("c-2"), an_object("old")],
        }
    )
    observed = observe(lister, KEY, Settings())
    assert observed is not None
    assert set(observed.configurations) == {"c"}
    assert set(observed.revisions) == {"c-2", "old"}


def test_services_with_its_label_or_a_name_it_needs_are_seen() -> None:
    route = a_route({"configurationName": "c", "tag": "t"})
    lister = FakeLister(
        {
            sources.ROUTES: [route],
            sources.K8S_SERVICES: [
                an_object("kept", labels={keys.ROUTE: "hello"}),
                an_object("t-hello"),
                an_object("stranger"),
            ],
        }
    )
    observed = observe(lister, KEY, Settings())
    assert observed is not None
    assert set(observed.services) == {"kept", "t-hello"}


def test_a_service_concerns_the_route_it_is_kept_for_or_whose_name_it_took() -> None:
    (to_keys,) = (w.keys for w in SPEC.watches if w.source == sources.K8S_SERVICES)
    lister = FakeLister({sources.ROUTES: [a_route()]})
    placeholder = an_object("t-hello", labels={keys.ROUTE: "hello"})
    assert list(to_keys(lister, placeholder)) == [KEY]
    assert list(to_keys(lister, an_object("hello"))) == [KEY]
    assert list(to_keys(lister, an_object("stranger"))) == []
