"""Destinations: what resolves to which URL, and what is said when it does not."""

import pytest

from hearth.knative.destinations import (
    Reference,
    Resolved,
    Unresolved,
    not_found,
    plural_of,
    reference_of,
    resolve,
)

SERVICE = {"ref": {"apiVersion": "v1", "kind": "Service", "name": "s"}}
KSERVICE = {"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "s"}}
ADDRESSED = {"status": {"address": {"url": "http://s.ns.svc.cluster.local/base"}}}


@pytest.mark.parametrize(
    ("destination", "referred", "expected"),
    [
        pytest.param({"uri": "http://a/x"}, None, Resolved("http://a/x"), id="uri"),
        pytest.param(
            {"uri": "https://a", "CACerts": "pem", "audience": "you"},
            None,
            Resolved("https://a", "pem", "you"),
            id="uri with trust",
        ),
        pytest.param(SERVICE, {}, Resolved("http://s.ns.svc.cluster.local"), id="service"),
        pytest.param(
            SERVICE | {"uri": "/p"}, {}, Resolved("http://s.ns.svc.cluster.local/p"), id="path"
        ),
        pytest.param(
            SERVICE | {"CACerts": "pem"},
            {},
            Resolved("https://s.ns.svc.cluster.local", "pem"),
            id="service with certificates",
        ),
        pytest.param(
            KSERVICE, ADDRESSED, Resolved("http://s.ns.svc.cluster.local/base"), id="addressable"
        ),
        pytest.param(
            KSERVICE | {"uri": "rel"},
            ADDRESSED,
            Resolved("http://s.ns.svc.cluster.local/rel"),
            id="relative",
        ),
        pytest.param(
            KSERVICE,
            {"status": {"addresses": [{"url": "https://1"}, {"url": "http://2"}]}},
            Resolved("https://1"),
            id="first of several",
        ),
        pytest.param(
            {"ref": KSERVICE["ref"] | {"address": "two"}},
            {"status": {"addresses": [{"url": "http://1"}, {"name": "two", "url": "http://2"}]}},
            Resolved("http://2"),
            id="by name",
        ),
    ],
)
def test_resolved(destination, referred, expected):
    reference = reference_of(destination, "ns")
    assert resolve(destination, reference, referred) == expected


@pytest.mark.parametrize(
    ("destination", "referred", "message"),
    [
        pytest.param({}, None, "destination missing Ref and URI", id="nothing"),
        pytest.param({"uri": "/a"}, None, "URI is not absolute", id="relative alone"),
        pytest.param(
            SERVICE, None, 'failed to get object ns/s: services "s" not found', id="missing"
        ),
        pytest.param(
            KSERVICE,
            None,
            'failed to get object ns/s: services.serving.knative.dev "s" not found',
            id="missing of a group",
        ),
        pytest.param(KSERVICE, {}, "address not set for Kind = Service, Namespace = ns", id="bare"),
        pytest.param(KSERVICE, {"status": {"address": {"name": "x"}}}, "URL missing", id="no url"),
        pytest.param(
            KSERVICE, {"status": {"address": {"url": "/x"}}}, "hostname missing", id="no host"
        ),
        pytest.param(SERVICE | {"uri": "http://a"}, {}, "absolute URI is not allowed", id="both"),
        pytest.param(KSERVICE, Unresolved("no such kind"), "no such kind", id="kind"),
        pytest.param(
            {"ref": KSERVICE["ref"] | {"address": "two"}},
            ADDRESSED,
            'address with name "two" not found',
            id="name",
        ),
    ],
)
def test_unresolved(destination, referred, message):
    found = resolve(destination, reference_of(destination, "ns"), referred)
    assert isinstance(found, Unresolved)
    assert found.message.startswith(message)


@pytest.mark.parametrize(
    ("kind", "plural"),
    [
        ("Service", "services"),
        ("Ingress", "ingresses"),
        ("EventPolicy", "eventpolicies"),
        ("Endpoints", "endpoints"),
    ],
)
def test_plurals(kind, plural):
    assert plural_of(kind) == plural


def test_resources_of_references():
    reference = Reference("sources.knative.dev/v1", "PingSource", "ns", "p")
    assert reference.resource.path("ns", "p") == (
        "/apis/sources.knative.dev/v1/namespaces/ns/pingsources/p"
    )
    assert not_found(reference) == 'pingsources.sources.knative.dev "p" not found'
