"""URLs: where to connect, what to send first."""

import pytest

from eventing.runtime.target import BadTarget, parse_target

GATEWAY = ("127.0.0.1", 9)


@pytest.mark.parametrize(
    ("url", "address", "path", "authority"),
    [
        ("http://a.b.example/x?y=1", ("a.b.example", 80), b"/x?y=1", b"a.b.example"),
        ("http://a.b.example", ("a.b.example", 80), b"/", b"a.b.example"),
        # A Service and its namespace, or a host elsewhere: the gateway knows.
        ("http://s.ns/p?q", GATEWAY, b"http://s.ns/p?q", b"s.ns"),
        ("http://s.ns:81", GATEWAY, b"http://s.ns:81/", b"s.ns:81"),
        ("http://1.2", ("1.2", 80), b"/", b"1.2"),
        ("http://a.localhost", ("127.0.0.1", 80), b"/", b"a.localhost"),
        ("http://name:81/", ("name", 81), b"/", b"name:81"),
        ("http://10.0.0.1:81", ("10.0.0.1", 81), b"/", b"10.0.0.1:81"),
        ("http://[::1]:81/", ("::1", 81), b"/", b"[::1]:81"),
        (
            "http://s.ns.svc.cluster.local/p",
            GATEWAY,
            b"/p",
            b"s.ns.svc.cluster.local",
        ),
        ("http://s.ns.svc", GATEWAY, b"/", b"s.ns.svc"),
        (
            "http://hello.ns.localhost:8080",
            ("127.0.0.1", 8080),
            b"/",
            b"hello.ns.localhost:8080",
        ),
        ("http://a/b c", None, b"", b""),
        ("http://a/é", ("a", 80), b"/%C3%A9", b"a"),
    ],
)
def test_targets(url, address, path, authority):
    if address is None:
        with pytest.raises(BadTarget):
            parse_target(url, GATEWAY)
        return
    target = parse_target(url, GATEWAY)
    assert target.address == address
    assert (target.path, target.authority) == (path, authority)
    assert target.tls_name is None


def test_without_a_gateway_cluster_names_are_resolved_by_the_cluster():
    assert parse_target("http://s.ns.svc.cluster.local", None).address == (
        "s.ns.svc.cluster.local",
        80,
    )
    assert parse_target("http://s.ns/", None).address == ("s.ns", 80)
    assert parse_target("http://s.ns/", None).path == b"/"


def test_https():
    target = parse_target("https://a.example", GATEWAY)
    assert (target.address, target.tls_name) == (("a.example", 443), "a.example")
    assert target.tunnel == GATEWAY
    assert parse_target("https://a.b.example", GATEWAY).tunnel is None


@pytest.mark.parametrize("url", ["", "/x", "ftp://a", "http://", "http://a:99999", "http://a\r\nb"])
def test_bad_targets(url):
    with pytest.raises(BadTarget):
        parse_target(url, None)


def test_what_is_served_here_is_reached_where_it_listens():
    def own(host):
        return ("127.0.0.1", 8082) if host == "c-kn-channel.ns.svc.cluster.local" else None

    url = "http://c-kn-channel.ns.svc.cluster.local/"
    assert parse_target(url, GATEWAY, own=own).address == ("127.0.0.1", 8082)
    assert parse_target(url, GATEWAY, own=own).authority == b"c-kn-channel.ns.svc.cluster.local"
    short = parse_target("http://c-kn-channel.ns/x", GATEWAY, own=own)
    assert (short.address, short.path) == (("127.0.0.1", 8082), b"/x")
    assert short.authority == b"c-kn-channel.ns.svc.cluster.local"
    other = "http://s.ns.svc.cluster.local/"
    assert parse_target(other, GATEWAY, own=own).address == GATEWAY
