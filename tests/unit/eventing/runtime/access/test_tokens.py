"""Tokens: what is believed, and what is not."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from eventing.runtime.access.tokens import BadToken, Issuer, UnknownKey, Verifier

EC, RSA = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
OTHER = ec.generate_private_key(ec.SECP256R1())
SUBJECT = "system:serviceaccount:ns:default"
CLAIMS = {"iss": "https://api", "sub": SUBJECT, "aud": ["here"], "nbf": 100, "exp": 200}


def key_of(name: str, key: Any) -> dict[str, Any]:
    algorithm = jwt.get_algorithm_by_name("ES256" if isinstance(key, type(EC)) else "RS256")
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": name}


def verifier() -> Verifier:
    keys = {"keys": [key_of("ec", EC), key_of("rsa", RSA)]}
    return Verifier(Issuer.of({"issuer": "https://api"}, keys))


def signed(key: Any = EC, key_id: str = "ec", algorithm: str = "ES256", **claims: Any) -> str:
    return jwt.encode(CLAIMS | claims, key, algorithm=algorithm, headers={"kid": key_id})


@pytest.mark.parametrize(
    "token",
    [signed(), signed(RSA, "rsa", "RS256"), signed(aud="here"), signed(aud=["there", "here"])],
)
def test_a_good_token_tells_its_subject(token: str) -> None:
    found = verifier()
    for now in (100, 199.9, 150):
        assert found.subject(token, "here", now=now) == SUBJECT


@pytest.mark.parametrize(
    ("token", "now"),
    [
        (signed(), 99),
        (signed(), 200),
        (signed(aud=["there"]), 150),
        (signed(iss="https://another"), 150),
        (signed(OTHER), 150),
        (signed()[:-4] + "AAAA", 150),
        (jwt.encode(CLAIMS, "", algorithm="none", headers={"kid": "ec"}), 150),
        (jwt.encode(CLAIMS, "x" * 32, algorithm="HS256", headers={"kid": "ec"}), 150),
        (signed(exp=None), 150),
        ("x", 150),
        ("x.y.z", 150),
        ("", 150),
    ],
)
def test_a_bad_token_is_refused(token: str, now: float) -> None:
    found = verifier()
    for _ in range(2):
        with pytest.raises(BadToken):
            found.subject(token, "here", now=now)


def test_a_token_with_a_key_not_known_is_told_apart() -> None:
    with pytest.raises(UnknownKey):
        verifier().subject(signed(OTHER, "new"), "here", now=150)


def test_what_was_checked_once_is_good_for_its_own_audience_and_time_alone() -> None:
    found, token = verifier(), signed()
    assert found.subject(token, "here", now=150) == SUBJECT
    with pytest.raises(BadToken, match="another audience"):
        found.subject(token, "there", now=150)
    with pytest.raises(BadToken, match="expired"):
        found.subject(token, "here", now=201)
