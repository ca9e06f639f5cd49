"""The domain of a cluster, out of a pod's resolv.conf."""

from __future__ import annotations

import pytest

from hearth.kube.clusterdomain import domain_of_resolver


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        pytest.param(
            "search default.svc.k8s.corp svc.k8s.corp k8s.corp corp\nnameserver 10.0.0.10\n",
            "k8s.corp",
            id="as a kubelet writes it",
        ),
        pytest.param("nameserver 1.1.1.1\nsearch\tsvc.a.b.\n", "a.b", id="tab and dot"),
        pytest.param("search corp.example home\nnameserver 1.1.1.1\n", None, id="no pod"),
        pytest.param("# search svc.x\noptions ndots:5\n", None, id="no search"),
        pytest.param("", None, id="empty"),
    ],
)
def test_the_domain_that_a_resolver_searches(text: str, domain: str | None) -> None:
    assert domain_of_resolver(text) == domain
