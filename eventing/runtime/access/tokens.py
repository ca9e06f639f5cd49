"""Tokens of service accounts: whose they are, and whom they are meant for. Pure.

They are checked here, by the public keys that the API server shows everybody who has a token of
its own: nothing is asked of it for an event, and no right is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512")
"""Those of public keys; a token that is signed with a shared secret, or not at all, is none."""
_REMEMBERED = 4096


class BadToken(Exception):
    """The token says nothing that can be believed."""


class UnknownKey(BadToken):
    """The token is signed with a key that we do not know, perhaps not yet."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs the tokens, and the keys that it is known by."""

    name: str
    keys: Mapping[str, Any]

    @classmethod
    def of(cls, discovery: Mapping[str, Any], key_set: Mapping[str, Any]) -> Issuer:
        """Read what an issuer says of itself (OpenID Connect Discovery) and its JSON Web Keys."""
        from jwt import PyJWKSet

        keys = PyJWKSet.from_dict(dict(key_set)).keys
        return cls(str(discovery["issuer"]), {each.key_id or "": each for each in keys})


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token that is signed well says."""

    subject: str
    audiences: Sequence[str]
    not_before: float
    expires: float


class Verifier:
    """Tells the subject of tokens; what was checked once is remembered as long as it is good."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self._known: dict[str, Claims] = {}

    def subject(self, token: str, audience: str, *, now: float) -> str:
        """Return who shows a token; raise BadToken where it is not good, or for another place."""
        claims = self._known.get(token)
        if claims is None:
            claims = self._read(token)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[token] = claims
        if not claims.not_before <= now < claims.expires:
            self._known.pop(token, None)
            raise BadToken("the token has expired, or is not valid yet")
        if audience not in claims.audiences:
            raise BadToken(f"the token is meant for another audience than {audience}")
        return claims.subject

    def _read(self, token: str) -> Claims:
        import jwt

        try:
            key_id = str(jwt.get_unverified_header(token).get("kid", ""))
            key = self.issuer.keys.get(key_id)
            if key is None:
                raise UnknownKey("the token is signed with a key that is not known")
            claims = jwt.decode(
                token,
                key,
                algorithms=list(_ALGORITHMS),
                issuer=self.issuer.name,
                options={
                    "require": ["exp", "sub", "aud"],
                    # Looked at for each event: the time and the place it is shown at differ.
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_aud": False,
                },
            )
            audiences = claims["aud"]
            return Claims(
                str(claims["sub"]),
                [audiences] if isinstance(audiences, str) else list(audiences),
                float(claims.get("nbf", 0)),
                float(claims["exp"]),
            )
        except (jwt.InvalidTokenError, TypeError, ValueError) as error:
            raise BadToken(str(error) or "the token cannot be read") from error
