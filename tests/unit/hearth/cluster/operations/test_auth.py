from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hearth.cluster.model.objects import Change, Entry, Key
from hearth.cluster.operations.auth import (
    ADMIN,
    ISSUER,
    Authenticator,
    BadToken,
    Signer,
    claims_for,
)
from hearth.cluster.store.state import State

NOW = 1_800_000_000


class Office:
    """An authenticator over one ServiceAccount, with a clock that the test sets."""

    def __init__(self) -> None:
        self.now = float(NOW)
        self.signer = Signer(ec.generate_private_key(ec.SECP256R1()))
        self.state = State()
        key = Key("serviceaccounts", "ns", "robot")
        self.account = Entry(key, 1, b"{}", uid="u1", labels={})
        self.state.apply(Change(self.account, None, deleted=False))
        self.authenticator = Authenticator(
            admin_token="secret",
            component_tokens={"node": "node-secret"},
            signer=self.signer,
            state=self.state,
            clock=lambda: self.now,
        )

    def token(self, **changes: Any) -> str:
        claims = claims_for(
            namespace="ns", account="robot", uid="u1", audiences=(), now=NOW, seconds=60,
            token_id="t",
        )  # fmt: skip
        return self.signer.sign(claims | changes)


def test_a_request_without_a_token_is_anonymous() -> None:
    office = Office()
    assert office.authenticator.user("").is_anonymous
    assert office.authenticator.user("Basic abc").is_anonymous


def test_the_tokens_of_the_installation() -> None:
    office = Office()
    assert office.authenticator.user("Bearer secret") == ADMIN
    assert office.authenticator.user("bearer node-secret").name == "system:hearth:node"


def test_a_service_account_token_stands_for_its_account() -> None:
    office = Office()
    user = office.authenticator.token_user(office.token())
    assert (user.name, user.uid) == ("system:serviceaccount:ns:robot", "u1")
    assert "system:serviceaccounts:ns" in user.groups


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"iss": "https://elsewhere"}, id="another issuer"),
        pytest.param({"aud": ["vault"]}, id="another audience"),
        pytest.param({"exp": NOW}, id="expired"),
        pytest.param({"nbf": NOW + 1}, id="not yet valid"),
    ],
)
def test_tokens_that_are_not_for_this_server_or_this_moment(changes: dict[str, Any]) -> None:
    office = Office()
    with pytest.raises(BadToken):
        office.authenticator.token_user(office.token(**changes))


def test_a_token_ends_with_its_time_and_with_its_account() -> None:
    office = Office()
    token = office.token()
    assert office.authenticator.token_user(token).uid == "u1"
    office.state.apply(Change(office.account, office.account, deleted=True))
    with pytest.raises(BadToken, match="is gone"):
        office.authenticator.token_user(token)
    office.now += 61
    with pytest.raises(BadToken, match="expired"):
        office.authenticator.token_user(token)


@pytest.mark.parametrize("token", ["", "a.b.c", "...", "ü.ü.ü"])
def test_what_is_no_token(token: str) -> None:
    with pytest.raises(BadToken):
        Office().authenticator.token_user(token)


def test_a_signature_of_another_key_is_refused() -> None:
    stranger, office = Office(), Office()
    with pytest.raises(BadToken, match="signature"):
        office.authenticator.token_user(stranger.token())
    head, claims, _ = office.token().split(".")
    with pytest.raises(BadToken, match="signature"):
        office.authenticator.token_user(f"{head}.{claims}.{stranger.token().split('.')[2]}")


def test_the_audience_is_said_to_those_who_ask_for_another() -> None:
    office = Office()
    _, audiences = office.authenticator.token_user_and_audiences(
        office.token(aud=["vault", ISSUER])
    )
    assert audiences == ("vault", ISSUER)
