"""How servers greet: the first words of Debian's own."""

from __future__ import annotations

import pytest

from hearth.cli.binding.local import greets

MARIADB = b"\x70\x00\x00\x00\x0a5.5.5-10.11.14-MariaDB-0+deb12u2\x00"


@pytest.mark.parametrize(
    ("service", "greeting"),
    [
        ("postgresql", b"N"),
        ("postgresql", b"S"),
        ("redis", b"+PONG\r\n"),
        ("redis", b"-NOAUTH Authentication required.\r\n"),
        ("rabbitmq", b"AMQP\x00\x00\x09\x01"),
        ("mysql", MARIADB),
    ],
)
def test_a_greeting_is_known(service: str, greeting: bytes) -> None:
    assert greets(service, greeting)


@pytest.mark.parametrize("service", ["postgresql", "redis", "rabbitmq", "mysql", "other"])
@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n", b"SSH-2.0-x\r\n"])
def test_others_are_not_taken_for_it(service: str, greeting: bytes) -> None:
    assert not greets(service, greeting)
