"""The environment and the files by which a container finds the cluster."""

from __future__ import annotations

from typing import Any

from hearth.cluster.node.names.way import Way, hostname, read_resolv_conf
from hearth.cluster.node.pod.dns import PodDns

WAY = Way(("10.96.0.1", 443), resolver="10.96.0.10", machine_searches=("corp.example",))
BY_PROXY = Way(("10.88.0.1", 6443), gateway="10.88.0.1", proxy="http://10.88.0.1:8081")


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web-1", "namespace": "blue"}, "spec": spec}


def test_a_pod_searches_its_namespace_first() -> None:
    assert WAY.resolv_conf(pod()) == (
        "nameserver 10.96.0.10\n"
        "search blue.svc.cluster.local svc.cluster.local cluster.local corp.example\n"
        "options ndots:5\n"
    )


def test_other_policies() -> None:
    machine = "nameserver 10.96.0.10\nsearch corp.example\n"
    assert WAY.resolv_conf(pod(dnsPolicy="Default")) == machine
    config = {
        "nameservers": ["192.0.2.1"],
        "searches": ["example.com"],
        "options": [{"name": "timeout", "value": "1"}, {"name": "rotate"}],
    }
    assert WAY.resolv_conf(pod(dnsPolicy="None", dnsConfig=config)) == (
        "nameserver 192.0.2.1\nsearch example.com\noptions timeout:1 rotate\n"
    )
    added = WAY.resolv_conf(pod(dnsConfig={"options": [{"name": "ndots", "value": "2"}]}))
    assert added is not None and "options ndots:2\n" in added


def test_hosts_as_kubelet_writes_them() -> None:
    aliases = [{"ip": "192.0.2.9", "hostnames": ["db", "db.example"]}]
    text = WAY.hosts(pod(hostname="first", subdomain="web", hostAliases=aliases), "10.0.0.5")
    assert text.startswith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n")
    assert "10.0.0.5\tfirst.web.blue.svc.cluster.local first\n" in text
    assert text.endswith("# Entries added by HostAliases.\n192.0.2.9\tdb db.example\n")


def test_a_long_name_is_cut_to_a_host_name() -> None:
    long = {"metadata": {"name": "a" * 62 + "-bcd"}, "spec": {}}
    assert hostname(long) == "a" * 62


def test_the_api_server_is_where_the_environment_says() -> None:
    assert WAY.environment("blue") == {
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        "KUBERNETES_SERVICE_PORT": "443",
        "KUBERNETES_SERVICE_PORT_HTTPS": "443",
    }


def test_without_a_resolver_there_are_proxies_and_the_api_server_has_a_name() -> None:
    env = BY_PROXY.environment("blue")
    assert env["https_proxy"] == env["http_proxy"] == "http://blue:pod@10.88.0.1:8081"
    assert env["KUBERNETES_SERVICE_HOST"] == "kubernetes.default.svc"
    assert env["KUBERNETES_SERVICE_HOST"] in env["no_proxy"].split(",")
    assert "10.88.0.1\tkubernetes.default.svc " in BY_PROXY.hosts(pod(), "10.88.0.5")
    assert BY_PROXY.resolv_conf(pod()) is None


def test_what_a_machine_has() -> None:
    text = "# x\nnameserver 127.0.0.53\nnameserver ::1\ndomain a.example\nsearch b.example . c\n"
    assert read_resolv_conf(text) == (("127.0.0.53", "::1"), ("b.example", "c"))
    assert read_resolv_conf("nameserver\nsearch\n") == ((), ())


def test_urls_of_the_machine_are_told_as_names_of_the_cluster() -> None:
    dns = PodDns(inside={"http://127.0.0.1:8090": "http://broker-ingress.knative-eventing.svc"})
    env = {
        "K_SINK": "http://127.0.0.1:8090/default/broker",
        "OTHER": "http://127.0.0.1:80900/",
        "TEXT": "see http://127.0.0.1:8090",
    }
    assert dns.translate(env) == {
        **env,
        "K_SINK": "http://broker-ingress.knative-eventing.svc/default/broker",
    }
