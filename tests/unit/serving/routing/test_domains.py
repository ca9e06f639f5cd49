from __future__ import annotations

import pytest

from hearth.kube.meta import Object
from serving.api import keys
from serving.api.config.domain import DomainConfig
from serving.api.config.network import NetworkConfig
from serving.routing.domains import DomainError, Naming, expanded
from serving.routing.targets import DEFAULT

DOMAINS = DomainConfig.from_data({"example.com": "", "prod.org": "selector:\n  app: prod\n"})
NAMING = Naming(NetworkConfig(), DOMAINS)


def a_route(**labels: str) -> Object:
    return {"metadata": {"name": "hello", "namespace": "world", "labels": labels}}


def test_hosts() -> None:
    assert NAMING.domain(a_route(), "", local=False) == "hello.world.example.com"
    assert NAMING.domain(a_route(), "next", local=False) == "next-hello.world.example.com"
    assert NAMING.domain(a_route(app="prod"), "", local=False) == "hello.world.prod.org"
    assert NAMING.domain(a_route(), "", local=True) == "hello.world.svc.cluster.local"


def test_a_template_may_use_labels_and_is_not_used_inside_the_cluster() -> None:
    template = '{{index .Labels "app"}}-{{.Name}}.{{.Domain}}'
    naming = Naming(NetworkConfig(domain_template=template), DOMAINS)
    assert naming.domain(a_route(app="shop"), "", local=False) == "shop-hello.example.com"
    assert naming.domain(a_route(app="shop"), "", local=True) == "hello.world.svc.cluster.local"


@pytest.mark.parametrize(
    ("port", "scheme", "url"),
    [
        pytest.param(80, "http", "http://hello.world.example.com", id="default port"),
        pytest.param(8080, "http", "http://hello.world.example.com:8080", id="another port"),
        pytest.param(8080, "https", "https://hello.world.example.com", id="https ends elsewhere"),
    ],
)
def test_urls_carry_the_gateways_port(port: int, scheme: str, url: str) -> None:
    naming = Naming(NetworkConfig(default_external_scheme=scheme), DOMAINS, external_port=port)
    assert naming.url(a_route(), "", local=False) == url
    assert naming.url(a_route(), "", local=True) == "http://hello.world.svc.cluster.local"


def test_visibility() -> None:
    public = NAMING.visibility(a_route(), ["next"], frozenset())
    assert public == {"": keys.EXTERNAL_IP, "next": keys.EXTERNAL_IP}
    local = NAMING.visibility(
        a_route(**{keys.VISIBILITY: keys.VISIBILITY_CLUSTER_LOCAL}), ["next"], frozenset()
    )
    assert set(local.values()) == {keys.CLUSTER_LOCAL}
    one = NAMING.visibility(a_route(), ["next"], frozenset({"next-hello"}))
    assert one == {"": keys.EXTERNAL_IP, "next": keys.CLUSTER_LOCAL}


def test_a_name_that_is_no_host_is_an_error() -> None:
    naming = Naming(NetworkConfig(domain_template="{{.Name}}_x.{{.Domain}}"), DOMAINS)
    with pytest.raises(DomainError, match=r'invalid domain name "hello_x\.example\.com"'):
        naming.domain(a_route(), "", local=False)


def test_short_forms() -> None:
    assert expanded("a.b.svc.cluster.local") == ["a.b", "a.b.svc", "a.b.svc.cluster.local"]
    assert expanded("a.b.example.com") == ["a.b.example.com"]
    assert expanded("a.svc.svc.k8s.corp") == ["a.svc", "a.svc.svc", "a.svc.svc.k8s.corp"]
    assert NAMING.local_address(a_route()) == "http://hello.world.svc.cluster.local"


def test_a_cluster_with_a_domain_of_its_own() -> None:
    naming = Naming(NetworkConfig(), DomainConfig(), cluster_domain="k8s.corp")
    route = a_route()
    assert naming.local_address(route) == "http://hello.world.svc.k8s.corp"
    assert naming.domain(route, DEFAULT, local=True) == "hello.world.svc.k8s.corp"
    assert naming.domain(route, DEFAULT, local=False) == "hello.world.svc.k8s.corp"
    assert naming.visibility(route, (), frozenset()) == {DEFAULT: keys.CLUSTER_LOCAL}
