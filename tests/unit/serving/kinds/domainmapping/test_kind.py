from __future__ import annotations

import pytest

from hearth.knative import resources as knative
from hearth.kube import resources
from hearth.kube.controllerspec import Source
from hearth.kube.meta import Key, Object
from hearth.kube.resources import Resource
from hearth.kube.testing import FakeLister, an_object
from serving.api import keys
from serving.kinds import sources
from serving.kinds.domainmapping.kind import CONTROLLER

KEY = ("ns", "www.example.com")


def a_mapping(resource: Resource, target: str) -> Object:
    reference = {"apiVersion": resource.api_version, "kind": resource.kind, "name": target}
    return an_object(KEY[1], spec={"ref": reference})


def concerned(source: Source, lister: FakeLister, obj: Object) -> set[Key]:
    watches = [watch for watch in CONTROLLER.watches if watch.source == source]
    return {key for watch in watches for key in watch.keys(lister, obj)}


@pytest.mark.parametrize(
    ("resource", "source"),
    [
        pytest.param(knative.KSERVICES, sources.SERVICES, id="knative-service"),
        pytest.param(knative.ROUTES, sources.ROUTES, id="route"),
        pytest.param(resources.SERVICES, sources.K8S_SERVICES, id="kubernetes-service"),
    ],
)
def test_a_target_is_looked_up_and_concerns_its_mapping(resource: Resource, source: Source) -> None:
    target = an_object("hello")
    lister = FakeLister({sources.DOMAINMAPPINGS: [a_mapping(resource, "hello")], source: [target]})
    observed = CONTROLLER.observe(lister, KEY)
    assert observed is not None and observed.target is target
    assert concerned(source, lister, target) == {KEY}
    assert concerned(source, lister, an_object("another")) == set()


def test_a_kind_that_nothing_can_lead_to_has_no_target() -> None:
    mapping = a_mapping(knative.REVISIONS, "hello")
    lister = FakeLister(
        {sources.DOMAINMAPPINGS: [mapping], sources.REVISIONS: [an_object("hello")]}
    )
    observed = CONTROLLER.observe(lister, KEY)
    assert observed is not None and observed.target is None


def test_a_mapping_that_is_gone_is_observed_for_its_claim() -> None:
    claim: Object = {"metadata": {"name": KEY[1]}, "spec": {"namespace": "ns"}}
    observed = CONTROLLER.observe(FakeLister({sources.CLAIMS: [claim]}), KEY)
    assert observed is not None
    assert observed.mapping is None and observed.claim is claim


def test_a_claim_concerns_mappings_of_its_name_and_whom_it_was_made_for() -> None:
    claim: Object = {
        "metadata": {"name": KEY[1], "labels": {keys.DOMAIN_MAPPING_NAMESPACE: "gone"}},
        "spec": {"namespace": "ns"},
    }
    lister = FakeLister({sources.DOMAINMAPPINGS: [a_mapping(resources.SERVICES, "hello")]})
    assert concerned(sources.CLAIMS, lister, claim) == {KEY, ("gone", KEY[1])}
