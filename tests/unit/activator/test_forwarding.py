"""Fields that tell an application who has asked for what."""

from __future__ import annotations

import pytest

from activator.forwarding import asking_namespace, extended_block, forwarded_block
from activator.http.events import Peer


def test_ipv6_and_ports_are_quoted_in_forwarded() -> None:
    lines = forwarded_block(Peer("::1"), b"h:80").wire
    assert b'forwarded: for="[::1]";host="h:80";proto=http\r\n' in lines
    assert b"x-forwarded-for: ::1\r\n" in lines


def test_what_a_proxy_before_us_said_is_kept() -> None:
    seen = {
        b"x-forwarded-for": b"10.0.0.1",
        b"x-forwarded-proto": b"https",
        b"x-forwarded-host": b"outer",
        b"forwarded": b"for=10.0.0.1",
    }
    assert extended_block(Peer("10.0.0.2"), b"h", seen).wire == (
        b"x-forwarded-for: 10.0.0.1, 10.0.0.2\r\nx-forwarded-proto: https\r\n"
        b"x-forwarded-host: outer\r\n"
        b"forwarded: for=10.0.0.1, for=10.0.0.2;host=h;proto=http\r\n"
    )


@pytest.mark.parametrize(
    ("credentials", "namespace"),
    [
        (b"Basic ZGVmYXVsdDpwb2Q=", "default"),
        (b"basic  ZGVmYXVsdA==", "default"),
        (b"Bearer ZGVmYXVsdDpwb2Q=", ""),
        (b"Basic !!!", ""),
        (b"Basic /w==", ""),
        (b"", ""),
    ],
)
def test_the_namespace_of_who_asks_a_proxy(credentials: bytes, namespace: str) -> None:
    assert asking_namespace(credentials) == namespace
