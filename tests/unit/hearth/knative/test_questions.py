from __future__ import annotations

import json
from typing import Any

import pytest

from hearth.knative.questions import is_question, respond
from hearth.kube.tokens import Tokens


def explain(namespace: str, name: str) -> dict[str, Any] | None:
    return {"of": f"{namespace}/{name}"} if name == "hello" else None


def asked(target: str, *fields: str, method: str = "GET") -> tuple[int, dict[str, Any]]:
    lines = [f"{method} {target} HTTP/1.1", "Host: x", *fields]
    answer = respond("\r\n".join(lines).encode(), accepts=Tokens("secret").accepts, explain=explain)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    return int(head.split(b" ")[1]), json.loads(body)


TOKEN = "x-hearth-token: secret"


def test_a_question_is_answered() -> None:
    assert asked("/scale?namespace=a&name=hello", TOKEN) == (200, {"of": "a/hello"})


@pytest.mark.parametrize(
    ("target", "fields", "status", "said"),
    [
        ("/scale?namespace=a&name=hello", (), 403, "only those who show its token"),
        ("/scale?namespace=a&name=hello", ("X-Hearth-Token: secre",), 403, "only those"),
        ("/scale?namespace=a&name=hello", ("X-Hearth-Token: ü",), 403, "only those"),
        ("/scale?namespace=a", (TOKEN,), 400, "give a namespace and a name"),
        ("/scale?namespace=a&name=x", (TOKEN,), 404, "no revision a/x that is scaled"),
        ("/other", (TOKEN,), 404, "there is no /other to GET"),
    ],
)
def test_what_is_wrong_is_told_as_kubernetes_does(
    target: str, fields: tuple[str, ...], status: int, said: str
) -> None:
    found, body = asked(target, *fields)
    assert (found, body["kind"], body["code"]) == (status, "Status", status)
    assert said in body["message"]


def test_an_activator_is_no_question() -> None:
    assert is_question(b"GET /scale HTTP/1.1\r\n")
    assert not is_question(b'{"token": "G"}')
