"""The route table: hosts, paths, headers, weights, visibility, and snapshots that never change."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from activator.routes import (
    BackendRef,
    InvalidIngress,
    RouteTableBuilder,
    is_cluster_local,
    near_host,
    normalize_host,
    service_host,
)
from tests.recordings import SERVING_WORLD, scenarios


def a_split(name: str, percent: int | str | None = 100, **more: Any) -> dict[str, Any]:
    split = {"serviceNamespace": "ns", "serviceName": name, "servicePort": 80, **more}
    return split if percent is None else {**split, "percent": percent}


def a_rule(*hosts: str, paths: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "hosts": list(hosts),
        "http": {"paths": paths or [{"splits": [a_split("one")]}]},
        **more,
    }


def an_ingress(*rules: dict[str, Any], name: str = "i", **more: Any) -> dict[str, Any]:
    metadata = {"namespace": "ns", "name": name, "generation": 1, **more.pop("metadata", {})}
    return {"metadata": metadata, "spec": {"rules": list(rules), **more}}


def builder(*ingresses: dict[str, Any]) -> RouteTableBuilder[BackendRef]:
    made: RouteTableBuilder[BackendRef] = RouteTableBuilder(lambda reference: reference)
    for ingress in ingresses:
        made.put(ingress)
    return made


def find(
    made: RouteTableBuilder[BackendRef],
    host: bytes,
    path: bytes = b"/",
    *,
    fields: list[tuple[bytes, bytes]] | None = None,
    internal: bool = False,
    roll: float = 0.0,
) -> str | None:
    table = made.snapshot()
    routes = (table.internal if internal else table.external).find(host)
    route = routes.find(path, fields or []) if routes is not None else None
    return route.choose(roll).target.service if route is not None else None


@pytest.mark.parametrize(
    "host", [b"a.test", b"A.Test", b"a.test:8080", b"a.test.", b"A.TEST.:80"], ids=bytes.decode
)
def test_hosts_match_in_any_writing(host: bytes) -> None:
    assert find(builder(an_ingress(a_rule("a.test"))), host) == "one"


def test_an_ipv6_host_keeps_its_colons() -> None:
    assert normalize_host(b"[::1]:80") == b"[::1]"
    assert normalize_host(b"[::1]") == b"[::1]"


def test_the_longest_wildcard_wins_and_exact_before_all() -> None:
    made = builder(
        an_ingress(
            a_rule("*.test", paths=[{"splits": [a_split("wide")]}]),
            a_rule("*.a.test", paths=[{"splits": [a_split("narrow")]}]),
            a_rule("x.a.test", paths=[{"splits": [a_split("exact")]}]),
        )
    )
    assert find(made, b"b.test") == "wide"
    assert find(made, b"y.z.test") == "wide"
    assert find(made, b"y.a.test") == "narrow"
    assert find(made, b"x.a.test") == "exact"
    assert find(made, b"test") is None


def test_the_longest_path_wins_then_more_headers() -> None:
    made = builder(
        an_ingress(
            a_rule(
                "a.test",
                paths=[
                    {"splits": [a_split("all")]},
                    {"path": "/api", "splits": [a_split("api")]},
                    {
                        "path": "/api",
                        "headers": {"X-Tag": {"exact": "blue"}},
                        "splits": [a_split("blue")],
                    },
                    {"path": "/api/v2", "splits": [a_split("v2")]},
                    {"headers": {"X-Any": {}}, "splits": [a_split("any")]},
                ],
            )
        )
    )
    assert find(made, b"a.test", b"/") == "all"
    assert find(made, b"a.test", b"/api/x?y=1") == "api"
    assert find(made, b"a.test", b"/api/v2/z") == "v2"
    assert find(made, b"a.test", b"/api", fields=[(b"x-tag", b"blue")]) == "blue"
    assert find(made, b"a.test", b"/api", fields=[(b"X-Tag", b"red")]) == "api"
    assert find(made, b"a.test", b"/", fields=[(b"X-Any", b"thing")]) == "any"


def test_visibility_decides_the_listener() -> None:
    made = builder(an_ingress(a_rule("in.test", visibility="ClusterLocal"), a_rule("out.test")))
    assert find(made, b"in.test") is None
    assert find(made, b"in.test", internal=True) == "one"
    assert find(made, b"out.test") == find(made, b"out.test", internal=True) == "one"


def test_redirects_are_for_the_outside_only() -> None:
    table = builder(an_ingress(a_rule("a.test"), httpOption="Redirected")).snapshot()
    outside, inside = table.external.find(b"a.test"), table.internal.find(b"a.test")
    assert outside is not None and outside.routes[0].redirect and outside.only is None
    assert inside is not None and not inside.routes[0].redirect and inside.only is not None


def test_weights_add_up_and_zero_gets_nothing() -> None:
    splits = [a_split("none", 0), a_split("ten", 10), a_split("rest", 90)]
    made = builder(an_ingress(a_rule("a.test", paths=[{"splits": splits}])))
    seen = Counter(find(made, b"a.test", roll=n / 1000) for n in range(1000))
    assert seen == {"ten": 100, "rest": 900}


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        pytest.param(
            a_rule("a", paths=[{"splits": [a_split("x", 40), a_split("y", 50)]}]),
            "split percentages must add up to 100, not 90",
            id="sum",
        ),
        pytest.param(
            a_rule("a", paths=[{"splits": [a_split("x", 150), a_split("y", -50)]}]),
            "split percentage 150 is not between 0 and 100",
            id="range",
        ),
        pytest.param(a_rule("a", paths=[{"splits": []}]), "a path has no splits", id="no-splits"),
        pytest.param({"hosts": ["a"], "http": {"paths": []}}, "a rule has no paths", id="no-paths"),
        pytest.param(a_rule(), "a rule names no host", id="no-host"),
        pytest.param(
            a_rule("a", paths=[{"splits": [{"percent": 100}]}]),
            "a split names no service",
            id="name",
        ),
        pytest.param(
            a_rule("a", paths=[{"splits": [a_split("x", appendHeaders={"X": "a\r\nY: b"})]}]),
            "header 'X' cannot be appended",
            id="header-injection",
        ),
    ],
)
def test_what_cannot_be_routed_leaves_the_table_as_it_was(
    rule: dict[str, Any], message: str
) -> None:
    made = builder(an_ingress(a_rule("a")))
    with pytest.raises(InvalidIngress, match=message):
        made.put(an_ingress(rule))
    assert find(made, b"a") == "one"


def test_the_oldest_owns_a_disputed_host_and_the_next_inherits_it() -> None:
    young = an_ingress(
        a_rule("a.test", paths=[{"splits": [a_split("young")]}]),
        name="a-young",
        metadata={"creationTimestamp": "2026-02-01T00:00:00Z"},
    )
    old = an_ingress(
        a_rule("a.test", paths=[{"splits": [a_split("old")]}]),
        name="z-old",
        metadata={"creationTimestamp": "2026-01-01T00:00:00Z"},
    )
    for order in ([young, old], [old, young]):
        made = builder(*order)
        assert find(made, b"a.test") == "old"
        made.remove("ns", "z-old")
        assert find(made, b"a.test") == "young"
        made.remove("ns", "a-young")
        assert find(made, b"a.test") is None


def test_the_younger_one_is_told_of_the_conflict_until_it_is_over() -> None:
    old = an_ingress(a_rule("a.test"), name="z", metadata={"creationTimestamp": "2026-01-01"})
    young = an_ingress(a_rule("a.test"), name="a", metadata={"creationTimestamp": "2026-01-02"})
    made = builder(young)
    assert made.conflict(("ns", "a")) is None
    assert made.put(old) == {("ns", "a"), ("ns", "z")}
    assert made.conflict(("ns", "a")) == ("a.test", ("ns", "z"))
    assert made.conflict(("ns", "z")) is None
    assert made.remove("ns", "z") == {("ns", "a")}
    assert made.conflict(("ns", "a")) is None


BROKEN: list[Any] = [
    pytest.param({"hosts": ["ü" * 70]}, id="no-idna"),
    pytest.param({"hosts": ["a b.test"]}, id="space"),
    pytest.param({"hosts": ["a/b"]}, id="slash"),
    pytest.param({"hosts": 5}, id="hosts-number"),
    pytest.param({"http": {"paths": 5}}, id="paths-number"),
    pytest.param({"http": {"paths": [None]}}, id="path-null"),
    pytest.param({"http": {"paths": [{"splits": [a_split("x", "half")]}]}}, id="percent-word"),
    pytest.param({"http": {"paths": [{"splits": ["x"]}]}}, id="split-word"),
    pytest.param({"http": {"paths": [{"splits": [a_split("x")], "headers": 5}]}}, id="headers"),
    pytest.param(
        {"http": {"paths": [{"splits": [a_split("x", appendHeaders={"ü": "1"})]}]}}, id="field-name"
    ),
    pytest.param(
        {"http": {"paths": [{"splits": [a_split("x", appendHeaders={"A B": "1"})]}]}},
        id="field-space",
    ),
    pytest.param(
        {"http": {"paths": [{"splits": [a_split("x")], "path": "\ud800"}]}}, id="surrogate"
    ),
]


@pytest.mark.parametrize("change", BROKEN)
def test_no_object_breaks_anything_but_itself(change: dict[str, Any]) -> None:
    made = builder(an_ingress(a_rule("a.test"), name="good"))
    bad = an_ingress({**a_rule("b.test"), **change}, name="bad")
    with pytest.raises(InvalidIngress):
        made.put(bad)
    assert find(made, b"a.test") == "one"
    assert find(made, b"b.test") is None


def test_an_international_host_is_routed_by_its_ascii_form() -> None:
    assert find(builder(an_ingress(a_rule("bücher.test"))), b"xn--bcher-kva.test") == "one"


def test_a_snapshot_stays_as_it_was() -> None:
    made = builder(an_ingress(a_rule("a.test", "b.test")))
    before = made.snapshot()
    made.put(an_ingress(a_rule("b.test"), metadata={"generation": 2}))
    assert before.external.find(b"a.test") is not None
    assert made.snapshot().external.find(b"a.test") is None
    assert (before.generations, made.snapshot().generations) == (
        {("ns", "i"): 1},
        {("ns", "i"): 2},
    )


def test_appended_headers_are_ready_lines_and_routing_headers_stay_out() -> None:
    split = a_split(
        "one",
        appendHeaders={
            "Knative-Serving-Revision": "one",
            "Knative-Serving-Namespace": "ns",
            "K-Original-Host": "mapped.test",
            "X-B": "2",
        },
    )
    path = {"splits": [split], "appendHeaders": {"X-A": "1"}}
    table = builder(an_ingress(a_rule("a.test", paths=[path]))).snapshot()
    routes = table.external.find(b"a.test")
    assert routes is not None and routes.only is not None
    assert routes.only.block is not None
    assert routes.only.block.wire == b"X-A: 1\r\nX-B: 2\r\n"
    assert routes.only.target == BackendRef("ns", "one", 80, "one")
    assert routes.only.original_host == b"mapped.test"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (b"hello.ns", ("ns", "hello")),
        (b"hello.ns.svc", ("ns", "hello")),
        (b"Hello.NS.svc.cluster.local:8080", ("ns", "hello")),
        (b"hello", None),
        (b"hello.ns.pod", None),
        (b"a.hello.ns.svc", None),
        (b".ns", None),
        (b"\xff.ns", None),
        (b"hello.ns.svc.other", None),
    ],
    ids=repr,
)
def test_in_cluster_hosts(host: bytes, expected: tuple[str, str] | None) -> None:
    assert service_host(host, b"cluster.local") == expected


def test_in_cluster_hosts_of_a_cluster_with_a_domain_of_its_own() -> None:
    assert service_host(b"hello.ns.svc.k8s.corp", b"k8s.corp") == ("ns", "hello")
    assert service_host(b"hello.ns.svc.cluster.local", b"k8s.corp") is None
    assert is_cluster_local(b"a.k8s.corp", b"k8s.corp")


def test_a_host_that_is_none_matches_no_wildcard() -> None:
    made = builder(an_ingress(a_rule("*.test")))
    assert find(made, b"a.test:80") == "one"
    assert find(made, b"a b.test") is None


def test_cluster_local_hosts() -> None:
    for host in (b"a.b.svc", b"a.b.svc.cluster.local:80"):
        assert is_cluster_local(host, b"cluster.local")
    assert not is_cluster_local(b"example.com", b"cluster.local")


@pytest.mark.parametrize("file", scenarios(SERVING_WORLD), ids=lambda path: path.stem)
def test_what_real_knative_made_can_be_routed(file: Path) -> None:
    made = builder()
    for obj in yaml.safe_load_all(file.read_text()):
        if obj and obj.get("kind") == "Ingress":
            made.put(obj)
            table = made.snapshot()
            for rule in obj["spec"]["rules"]:
                for host in rule["hosts"]:
                    assert table.internal.find(host.encode()) is not None
                    is_public = rule["visibility"] == "ExternalIP"
                    assert (table.external.find(host.encode()) is not None) is is_public


names = st.sampled_from(["i1", "i2", "i3"])
hosts = st.lists(
    st.sampled_from(["a.test", "b.test", "*.test", "c.d.test", "*.d.test"]), min_size=1, max_size=3
)
changes = st.lists(st.tuples(names, st.one_of(st.none(), hosts)), max_size=12)


@given(changes)
def test_any_history_leads_to_the_same_table(history: list[tuple[str, list[str] | None]]) -> None:
    """A table kept by changes equals one built from what is left at the end."""

    def ingress(name: str, at: list[str]) -> dict[str, Any]:
        return an_ingress(a_rule(*at, paths=[{"splits": [a_split(name)]}]), name=name)

    kept, last = builder(), dict[str, list[str]]()
    for name, at in history:
        if at is None:
            kept.remove("ns", name)
            last.pop(name, None)
        else:
            kept.put(ingress(name, at))
            last[name] = at
    fresh = builder(*(ingress(name, at) for name, at in sorted(last.items())))
    for host in (b"a.test", b"b.test", b"x.test", b"c.d.test", b"y.d.test"):
        assert find(kept, host) == find(fresh, host)
    assert kept.snapshot().external.hosts() == fresh.snapshot().external.hosts()
    assert kept.references() == fresh.references()


@pytest.mark.parametrize("host", [b"a.test:x", b"a.test:-1", b"a.test:80:80", b"a.test ", b"a/b"])
def test_what_is_no_host_has_no_routes(host: bytes) -> None:
    table = builder(an_ingress(a_rule("a.test"))).snapshot()
    assert table.external.find(b"a.test:80") is not None
    assert table.external.find(host) is None


@pytest.mark.parametrize(
    ("host", "namespace", "found"),
    [
        (b"shop", "ns", ("ns", "shop")),
        (b"Shop:80", "ns", ("ns", "shop")),
        (b"shop", "", None),
        (b"shop.other", "ns", None),
        (b"[::1]:80", "ns", None),
        (b"", "ns", None),
        (b"\xff", "ns", None),
    ],
)
def test_a_name_alone_is_looked_up_where_one_is(
    host: bytes, namespace: str, found: tuple[str, str] | None
) -> None:
    assert near_host(host, namespace) == found


MAPPED = an_ingress(
    a_rule(
        "a.b",
        paths=[
            {"splits": [a_split("all")]},
            {"path": "/api", "splits": [a_split("api")]},
            {"path": "/api/old", "splits": [a_split("old")]},
            {"path": "/plain", "splits": [a_split("plain")]},
        ],
    ),
    metadata={
        "annotations": {
            "serving.hearth.dev/paths": "[{path: /api, service: api, rewrite: /},"
            " {path: /api/old, service: old}]"
        }
    },
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "all"),
        ("/api", "api"),
        ("/api/x", "api"),
        ("/api?x", "api"),
        ("/apix", "all"),
        ("/api/old", "old"),
        ("/api/older", "api"),
        ("/plainly", "plain"),
    ],
)
def test_a_path_of_a_domain_mapping_ends_at_a_slash(path: str, expected: str) -> None:
    assert find(builder(MAPPED), b"a.b", path.encode()) == expected


def test_an_exact_host_goes_before_a_wildcard_of_whoever() -> None:
    wide = an_ingress(a_rule("*.a.b", paths=[{"splits": [a_split("wide")]}]), name="wide")
    made = builder(wide, an_ingress(a_rule("x.a.b")))
    assert find(made, b"x.a.b") == "one"
    assert find(made, b"y.a.b") == find(made, b"z.y.a.b") == "wide"
    assert find(made, b"a.b") is None
