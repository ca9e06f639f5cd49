"""The environment of processes, as the pods of a namespace have it."""

from __future__ import annotations

from hearth.cluster.node.runtime.processes.environment import make_base_environment, seen_from


def base(http_proxy: str) -> dict[str, str]:
    return make_base_environment(
        path="/bin", home="/", api_host="localhost", api_port=1, http_proxy=http_proxy
    )


def test_a_proxy_is_told_which_namespace_asks() -> None:
    env = seen_from(base("http://127.0.0.1:8081"), "shop")
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        assert env[name] == "http://shop:pod@127.0.0.1:8081"
    assert env["no_proxy"] == base("http://127.0.0.1:8081")["no_proxy"]


def test_without_a_proxy_there_is_none() -> None:
    assert seen_from(base(""), "shop") == base("")
