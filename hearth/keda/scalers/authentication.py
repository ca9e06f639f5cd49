"""``authModes`` of HTTP triggers: which ways of authentication, and what each needs.

Names, rules and messages are those of KEDA's ``pkg/scalers/authentication``.
"""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass

from hearth.keda.scalers.params import AUTH, METADATA, param
from hearth.keda.scalers.seam import ConfigError

_BOTH = (METADATA, AUTH)


@dataclass(frozen=True, slots=True)
class TokenSource:
    """A server of OAuth 2 and the client that it knows."""

    uri: str
    client_id: str
    client_secret: str
    scopes: tuple[str, ...] = ()
    more: tuple[tuple[str, str], ...] = ()

    @property
    def form(self) -> dict[str, str]:
        """What asks for a token (RFC 6749, 4.4), but for the client's secret."""
        form = {"grant_type": "client_credentials", **dict(self.more)}
        scopes = " ".join(scope.strip() for scope in self.scopes if scope.strip())
        return {**form, "scope": scopes} if scopes else form


@dataclass(frozen=True)
class Authentication:
    """Settings that a trigger's own inherit; ``check`` of theirs calls this one's."""

    modes: list[str] = param(
        "authModes",
        "authMode",
        order=_BOTH,
        enum=("apiKey", "basic", "tls", "bearer", "custom", "oauth"),
        exclusive=("bearer", "basic", "oauth"),
        optional=True,
    )
    bearer_token: str = param("bearerToken", "token", order=(AUTH,), optional=True)
    username: str = param("username", order=(AUTH,), optional=True)
    password: str = param("password", order=(AUTH,), optional=True)
    cert: str = param("cert", order=(AUTH,), optional=True)
    key: str = param("key", order=(AUTH,), optional=True)
    ca: str = param("ca", order=(AUTH,), optional=True)
    oauth_token_uri: str = param("oauthTokenURI", order=(AUTH,), optional=True)
    scopes: list[str] = param("scopes", "scope", order=(AUTH,), optional=True)
    client_id: str = param("clientID", order=(AUTH,), optional=True)
    client_secret: str = param("clientSecret", order=(AUTH,), optional=True)
    endpoint_params: str = param("endpointParams", order=(AUTH,), optional=True)
    custom_header: str = param("customAuthHeader", order=(AUTH,), optional=True)
    custom_value: str = param("customAuthValue", order=(AUTH,), optional=True)
    api_key: str = param("apiKey", order=_BOTH, optional=True)
    api_key_method: str = param(
        "method", order=_BOTH, default="header", enum=("header", "query"), optional=True
    )
    api_key_name: str = param("keyParamName", order=_BOTH, optional=True)

    def check(self) -> None:
        """Raises ConfigError for a mode without what it needs."""
        for mode, missing in (
            ("bearer", _lacking("bearer token", self.bearer_token)),
            ("basic", _lacking("username", self.username)),
            ("tls", _lacking("cert", self.cert, "key", self.key)),
            ("oauth", _lacking("oauthTokenURI", self.oauth_token_uri, "clientID", self.client_id)),
            (
                "custom",
                _lacking(
                    "customAuthHeader", self.custom_header, "customAuthValue", self.custom_value
                ),
            ),
        ):
            if mode in self.modes and missing:
                words = _WORDS.get(mode, f"{mode} auth is")
                raise ConfigError(f"{missing} required when {words} enabled")
        if "apiKey" in self.modes and not self.api_key:
            raise ConfigError("apiKey is required when apiKey auth is enabled")

    @property
    def token_source(self) -> TokenSource:
        """Where tokens of OAuth 2 come from."""
        return TokenSource(
            self.oauth_token_uri,
            self.client_id,
            self.client_secret,
            tuple(self.scopes),
            tuple(urllib.parse.parse_qsl(self.endpoint_params, keep_blank_values=True)),
        )


_WORDS = {"oauth": "oauth is", "custom": "custom auth is"}


def _lacking(*pairs: str) -> str:
    named = dict(zip(pairs[::2], pairs[1::2], strict=True))
    if all(named.values()):
        return ""
    said = (f"{name}={'<present>' if value else '<empty>'}" for name, value in named.items())
    return " and ".join(said) + (" is" if len(named) == 1 else " are")
