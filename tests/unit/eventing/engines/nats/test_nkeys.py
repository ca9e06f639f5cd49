"""Keys of NATS as text."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from eventing.engines.nats.config import NatsServer
from eventing.engines.nats.login import options_of, user_of
from eventing.engines.nats.nkeys import Seed, text_of

SEED, USER = (  # made by NATS' own tool
    "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY",
    "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4",
)
OF_USER = bytes([(18 << 3) | (20 << 3 >> 5), (20 << 3) & 31])


def test_a_seed_says_who_it_is() -> None:
    assert Seed(SEED).public() == USER


@given(st.binary(min_size=32, max_size=32), st.binary())
def test_what_a_seed_signs_is_known_by_its_key(raw: bytes, data: bytes) -> None:
    seed = Seed(text_of(OF_USER, raw))
    key = seed._key.public_key().public_bytes_raw()
    Ed25519PublicKey.from_public_bytes(key).verify(seed.sign(data), data)
    assert seed.public().startswith("U")


@pytest.mark.parametrize("text", ["", "S", USER, SEED[:-1] + "A", "!"])
def test_what_is_no_seed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no seed"):
        Seed(text)


@pytest.mark.parametrize(
    ("credentials", "user", "has_jwt"),
    [
        (SEED, USER, False),
        (f"-----BEGIN USER NKEY SEED-----\n{SEED}\n------END USER NKEY SEED------\n", USER, False),
        (
            "-----BEGIN NATS USER JWT-----\nabc\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{SEED}\n------END USER NKEY SEED------\n",
            "",
            True,
        ),
        ("", "", False),
    ],
)
def test_credentials_are_a_jwt_and_a_seed_or_a_seed(
    credentials: str, user: str, has_jwt: bool
) -> None:
    server = NatsServer(credentials=credentials)
    options = options_of(server)
    assert user_of(server) == user
    assert ("user_jwt_cb" in options, "signature_cb" in options) == (has_jwt, bool(credentials))
