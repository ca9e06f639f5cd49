"""Alive and ready: what is answered in each state."""

from __future__ import annotations

import pytest

from hearth.observability.health import DRAINING, READY, STARTING, Health, respond


@pytest.mark.parametrize(
    ("state", "target", "status"),
    [
        (STARTING, "/healthz", b"200 OK"),
        (STARTING, "/readyz", b"503 Service Unavailable"),
        (READY, "/readyz", b"200 OK"),
        (READY, "/readyz?verbose=1", b"200 OK"),
        (DRAINING, "/readyz", b"503 Service Unavailable"),
        (DRAINING, "/healthz", b"200 OK"),
        (READY, "/metrics", b"404 Not Found"),
    ],
)
def test_answers(state: str, target: str, status: bytes) -> None:
    answer = respond(Health(state), f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n")


def test_the_body_says_why_it_is_not_ready() -> None:
    assert respond(Health(DRAINING), b"GET /readyz HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\ndraining")


def test_head_has_no_body() -> None:
    assert respond(Health(READY), b"HEAD /readyz HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\n")


@pytest.mark.parametrize("head", [b"POST /readyz HTTP/1.1\r\n\r\n", b"\r\n\r\n", b"\xff\r\n\r\n"])
def test_what_is_no_question_is_refused(head: bytes) -> None:
    assert respond(Health(READY), head).startswith(b"HTTP/1.1 405 ")


def test_what_drains_does_not_become_ready_again() -> None:
    health = Health(DRAINING)
    health.started()
    assert health.state == DRAINING
