"""Priorities of the add-on's routes, held against a model that looks at all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.addonroutes import AddonRoutes
from activator.routes import HostMap, RouteTable
from hearth.keda.api.httproutes import HeaderMatch, HttpRoute, Rule, ServiceRef

TARGET = ServiceRef("app", 80)


def a_route(name: str, *rules: Rule, created: str = "1", namespace: str = "ns") -> HttpRoute:
    return HttpRoute(namespace, name, created, TARGET, rules=rules)


def find(
    routes: list[HttpRoute], host: str, path: str, fields: list[tuple[bytes, bytes]]
) -> str | None:
    table: AddonRoutes[str] = AddonRoutes()
    for route in routes:
        table.put(route, f"{route.namespace}/{route.name}")
    empty: RouteTable[str] = RouteTable(HostMap({}, {}), HostMap({}, {}), {})
    external = empty.beside(table.hosts).external
    exact = external.find(host.encode())
    for each in ([] if exact is None else [exact]) + list(external.further(host.encode())):
        found = each.find(path.encode(), fields)
        if found is not None:
            return found.splits[0].target
    return None


def naive(
    routes: list[HttpRoute], host: str, path: str, fields: list[tuple[bytes, bytes]]
) -> str | None:
    """All that match, and of those the one that the add-on's page about routing puts first."""
    path = path.partition("?")[0].strip("/")
    matching = []
    for route in routes:
        for rule in route.rules:
            if not all(_has(fields, header) for header in rule.headers):
                continue
            exact = sum(header.value is not None for header in rule.headers)
            for pattern in rule.hosts or ("*",):
                for prefix in rule.paths or ("/",):
                    stripped = prefix.strip("/")
                    if _is_host(host, pattern) and f"{path}/".startswith(
                        f"{stripped}/" if stripped else ""
                    ):
                        rank = (
                            not pattern.startswith("*"),
                            len(pattern),
                            len(stripped),
                            len(rule.headers),
                            exact,
                        )
                        age = tuple(-ord(char) for char in route.created)
                        matching.append((rank, age, (route.namespace, route.name)))
    if not matching:
        return None
    return "/".join(max(matching)[2])


def _has(fields: list[tuple[bytes, bytes]], header: HeaderMatch) -> bool:
    values = [value.decode() for name, value in fields if name.decode() == header.name]
    return bool(values) if header.value is None else header.value in values


def _is_host(host: str, pattern: str) -> bool:
    return pattern in ("*", host) or (pattern[:2] == "*." and host.endswith(pattern[1:]))


HOSTS = ["a.test", "b.a.test", "c.b.a.test", "test", "x"]
PATTERNS = [*HOSTS, "*", "*.test", "*.a.test", "*.b.a.test"]
PATHS = ["/", "/api", "/api/v1", "/api/v1/", "/apis", "/other"]
HEADERS = st.lists(
    st.builds(HeaderMatch, st.sampled_from(["x-a", "x-b"]), st.sampled_from([None, "1", "2"])),
    max_size=2,
    unique_by=lambda header: header.name,
).map(tuple)
RULES = st.builds(
    Rule,
    st.lists(st.sampled_from(PATTERNS), max_size=2, unique=True).map(tuple),
    st.lists(st.sampled_from(PATHS), max_size=2, unique=True).map(tuple),
    HEADERS,
)
ROUTES = st.lists(
    st.builds(
        HttpRoute,
        st.sampled_from(["n1", "n2"]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["1", "2"]),
        st.just(TARGET),
        rules=st.lists(RULES, max_size=2).map(tuple),
    ),
    max_size=5,
    unique_by=lambda route: (route.namespace, route.name),
)
FIELDS = st.lists(
    st.tuples(st.sampled_from([b"x-a", b"x-b"]), st.sampled_from([b"1", b"2", b"3"])), max_size=3
)


@given(
    ROUTES,
    st.sampled_from(HOSTS),
    st.sampled_from([*PATHS, "/api/v1/users", "/api?x=/api/v1", "/ap"]),
    FIELDS,
)
def test_a_request_has_the_route_that_a_look_at_all_of_them_finds(
    routes: list[HttpRoute], host: str, path: str, fields: list[tuple[bytes, bytes]]
) -> None:
    assert find(routes, host, path, fields) == naive(routes, host, path, fields)


@given(ROUTES, st.lists(st.integers(0, 4), max_size=6))
def test_what_is_left_after_changes_is_as_if_it_had_been_there_alone(
    routes: list[HttpRoute], removed: list[int]
) -> None:
    changed: AddonRoutes[str] = AddonRoutes()
    for route in [*routes, *routes]:
        changed.put(route, route.name)
    gone = {id(routes[index]) for index in removed if index < len(routes)}
    for route in routes:
        if id(route) in gone:
            changed.remove(route.namespace, route.name)
    fresh: AddonRoutes[str] = AddonRoutes()
    for route in routes:
        if id(route) not in gone:
            fresh.put(route, route.name)
    assert changed.hosts == fresh.hosts


def test_a_route_with_a_bad_host_leaves_what_was_there() -> None:
    table: AddonRoutes[str] = AddonRoutes()
    table.put(a_route("a", Rule(hosts=("a.test",))), "a")
    with pytest.raises(ValueError, match="is no host name"):
        table.put(a_route("a", Rule(hosts=("b.test", "no host"))), "a")
    assert list(table.hosts) == [b"a.test"]
    assert table.hosts_of(("ns", "a")) == {b"a.test"}
    assert list(table.owners_of(b"a.test")) == [("ns", "a")]


def test_a_kingress_keeps_its_host() -> None:
    table: AddonRoutes[str] = AddonRoutes()
    table.put(a_route("a", Rule(hosts=("a.test", "*"))), "addon")
    theirs: AddonRoutes[str] = AddonRoutes()
    theirs.put(a_route("b", Rule(hosts=("a.test",))), "kingress")
    kingresses = HostMap(dict(theirs.hosts), {})
    merged = RouteTable(kingresses, kingresses, {}).beside(table.hosts)
    assert merged.has_any_host
    found = merged.external.find(b"a.test")
    assert found is not None
    assert found.find(b"/", []) is not None
    assert [split.target for split in found.find(b"/", []).splits] == ["kingress"]  # type: ignore[union-attr]
