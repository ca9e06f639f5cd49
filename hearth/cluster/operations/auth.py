"""Who asks: bearer tokens of the administrator, of Hearth's processes and of service accounts.

Used by ``http`` for every request and by the token reviews. Whoever has a valid token may do
everything, but for the reader, which the live page reads with; a request without one is anonymous
and may see health and version alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from hearth.cluster.model.objects import Key
from hearth.cluster.model.user import ANONYMOUS, READERS, User
from hearth.cluster.store.state import State
from hearth.kube.clock import Clock

ISSUER = "https://kubernetes.default.svc.cluster.local"
_AUTHENTICATED = "system:authenticated"
ADMIN = User("admin", uid="admin", groups=("system:masters", _AUTHENTICATED))
READER = "reader"
"""The component, in name, whose token reads and does nothing else."""
_SIZE = 32  # of a number in an ES256 signature


class BadToken(Exception):
    """The token is not one of ours, no longer valid, or for somebody else."""


def component_user(name: str) -> User:
    """One of Hearth's own processes; it may do everything, but for the reader."""
    if name == READER:
        return User(f"system:hearth:{name}", groups=(READERS, _AUTHENTICATED))
    return User(f"system:hearth:{name}", groups=("system:masters", _AUTHENTICATED))


def service_account_user(namespace: str, name: str, uid: str) -> User:
    """The user that tokens of a ServiceAccount stand for."""
    groups = (
        "system:serviceaccounts",
        f"system:serviceaccounts:{namespace}",
        _AUTHENTICATED,
    )
    return User(f"system:serviceaccount:{namespace}:{name}", uid=uid, groups=groups)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Signer:
    """Signs and verifies JSON Web Tokens with ES256."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self._public = key.public_key()
        numbers = self._public.public_numbers()
        self._x, self._y = (n.to_bytes(_SIZE, "big") for n in (numbers.x, numbers.y))
        self.key_id = _encode(hashlib.sha256(self._x + self._y).digest())[:16]
        self._header = _encode(orjson.dumps({"alg": "ES256", "kid": self.key_id, "typ": "JWT"}))

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A JSON Web Token (RFC 7519) with these claims."""
        signed = f"{self._header}.{_encode(orjson.dumps(claims))}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_encode(r.to_bytes(_SIZE, 'big') + s.to_bytes(_SIZE, 'big'))}"

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token that this key signed, or ``BadToken``."""
        signed, _, signature = token.rpartition(".")
        try:
            raw = _decode(signature)
            r, s = int.from_bytes(raw[:_SIZE], "big"), int.from_bytes(raw[_SIZE:], "big")
            der = encode_dss_signature(r, s)
            self._public.verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))
            claims = orjson.loads(_decode(signed.partition(".")[2]))
        except (InvalidSignature, ValueError, UnicodeError) as error:
            raise BadToken("the signature does not fit") from error
        if not isinstance(claims, dict):
            raise BadToken("there are no claims")
        return claims

    def keys(self) -> dict[str, Any]:
        """The public key as a JSON Web Key Set, for those who verify tokens themselves."""
        key = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.key_id}
        return {"keys": [key | {"x": _encode(self._x), "y": _encode(self._y)}]}


class Authenticator:
    """Tells the user behind a token."""

    def __init__(
        self,
        *,
        admin_token: str,
        component_tokens: Mapping[str, str],
        signer: Signer,
        state: State,
        clock: Clock,
    ) -> None:
        self._static = [(admin_token.encode(), ADMIN)]
        self._static += [
            (token.encode(), component_user(name)) for name, token in component_tokens.items()
        ]
        self._signer = signer
        self._state = state
        self._clock = clock
        self._verified: dict[str, dict[str, Any]] = {}

    def user(self, authorization: str) -> User:
        """Who sent this Authorization header; anonymous without one, ``BadToken`` for a bad one."""
        scheme, _, token = authorization.partition(" ")
        if not authorization or scheme.lower() != "bearer":
            return ANONYMOUS
        return self.token_user(token.strip())

    def token_user(self, token: str) -> User:
        """Who a token stands for; service account tokens must be meant for this server."""
        user, audiences = self.token_user_and_audiences(token)
        if ISSUER not in audiences:
            raise BadToken("the token is meant for another audience")
        return user

    def token_user_and_audiences(self, token: str) -> tuple[User, tuple[str, ...]]:
        """Who a token stands for and whom it is meant for."""
        user = self._static_user(token)
        if user is not None:
            return user, (ISSUER,)
        return self._grant(token)

    def _static_user(self, token: str) -> User | None:
        """Compares with every token, so that the time taken tells nothing."""
        given, user_of_token = token.encode(), None
        for known, user in self._static:
            if hmac.compare_digest(given, known):
                user_of_token = user
        return user_of_token

    def _grant(self, token: str) -> tuple[User, tuple[str, ...]]:
        claims = self._claims(token)
        if not claims.get("nbf", 0) <= self._clock() < claims.get("exp", 0):
            self._verified.pop(token, None)
            raise BadToken("the token has expired")
        if claims.get("iss") != ISSUER:
            raise BadToken("the token has another issuer")
        return self._account(claims["kubernetes.io"]), tuple(claims["aud"])

    def _claims(self, token: str) -> dict[str, Any]:
        claims = self._verified.get(token)
        if claims is None:
            claims = self._signer.verify(token)
            if len(self._verified) > 1000:
                self._verified.clear()
            self._verified[token] = claims
        return claims

    def _account(self, bound: Mapping[str, Any]) -> User:
        """The account and what the token is bound to must still be there."""
        namespace, account = bound["namespace"], bound["serviceaccount"]
        self._must_exist(Key("serviceaccounts", namespace, account["name"]), account["uid"])
        for resource in ("pod", "secret"):
            if resource in bound:
                key = Key(f"{resource}s", namespace, bound[resource]["name"])
                self._must_exist(key, bound[resource]["uid"])
        return service_account_user(namespace, account["name"], account["uid"])

    def _must_exist(self, key: Key, uid: str) -> None:
        entry = self._state.get(key)
        if entry is None or entry.uid != uid:
            raise BadToken(f"{key.text} is gone")


def claims_for(
    *,
    namespace: str,
    account: str,
    uid: str,
    audiences: Sequence[str],
    now: int,
    seconds: int,
    token_id: str,
    bound: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Any]:
    """The claims of a new service account token."""
    return {
        "aud": list(audiences) or [ISSUER],
        "exp": now + seconds,
        "iat": now,
        "iss": ISSUER,
        "jti": token_id,
        "nbf": now,
        "sub": f"system:serviceaccount:{namespace}:{account}",
        "kubernetes.io": {
            "namespace": namespace,
            "serviceaccount": {"name": account, "uid": uid},
            **(bound or {}),
        },
    }
