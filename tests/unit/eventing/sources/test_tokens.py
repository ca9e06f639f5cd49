"""Tokens for sinks with an audience."""

from __future__ import annotations

from typing import Any

import pytest

from eventing.runtime.target import Bearer
from eventing.sources.tokens import NoToken, Tokens
from hearth.kube.errors import Forbidden
from hearth.kube.testing import FakeClient

BEARER = Bearer("ns", "who", "it")


class Issuing(FakeClient):
    def __init__(self, *, refuses: bool = False) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.refuses = refuses

    async def request(self, method: str, path: str, **more: Any) -> Any:
        self.asked.append(path)
        if self.refuses:
            raise Forbidden({"message": "no", "code": 403, "reason": "Forbidden"})
        assert more["body"]["spec"]["audiences"] == ["it"]
        return {"status": {"token": "t", "expirationTimestamp": "2999-01-01T00:00:00Z"}}


async def test_a_token_is_asked_for_once() -> None:
    client = Issuing()
    tokens = Tokens(client)
    assert [await tokens.get(BEARER), await tokens.get(BEARER)] == ["t", "t"]
    assert client.asked == ["/api/v1/namespaces/ns/serviceaccounts/who/token"]
    await tokens.close()


async def test_what_cannot_be_had_is_told() -> None:
    tokens = Tokens(Issuing(refuses=True))
    with pytest.raises(NoToken, match="no token for ns/who"):
        await tokens.get(BEARER)
    await tokens.close()
