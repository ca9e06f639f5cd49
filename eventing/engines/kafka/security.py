"""Upstream's Secrets (``auth.secret.ref.name``) as settings of librdkafka. Pure.

What is missing or wrong is said in upstream's words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_PROTOCOLS = ("PLAINTEXT", "SASL_PLAINTEXT", "SSL", "SASL_SSL")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_SUPPORTED = f"[{' '.join(_PROTOCOLS)}]"
_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")
_LEGACY_TLS = "tls.enabled"
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def security_of(data: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that a Secret's texts ask for; raise ValueError in upstream's words."""
    data = data if "protocol" in data else _legacy(data)
    protocol = data["protocol"]
    if protocol not in _PROTOCOLS:
        raise ValueError(
            f"protocol {protocol} unsupported (key: protocol), supported protocols: {_SUPPORTED}"
        )
    found = {"security.protocol": protocol}
    if protocol.startswith("SASL"):
        found |= _sasl(protocol, data)
    if protocol.endswith("SSL"):
        found |= _ssl(protocol, data)
    return found


def _legacy(data: Mapping[str, str]) -> Mapping[str, str]:
    """Secrets of KafkaChannels that name no protocol: what they have says which it is."""
    named = {"user": data.get("username") or data.get("user")}
    named["sasl.mechanism"] = data.get("saslType") or data.get("sasltype")
    has_tls = data.get(_LEGACY_TLS) in _TRUE or bool(data.get("ca.crt"))
    has_sasl = "password" in data and bool(named["user"])
    protocol = ("SASL_" if has_sasl else "") + ("SSL" if has_tls else "PLAINTEXT")
    return {**data, **{key: value for key, value in named.items() if value}, "protocol": protocol}


def _sasl(protocol: str, data: Mapping[str, str]) -> dict[str, str]:
    mechanism = data.get("sasl.mechanism", "PLAIN")
    if mechanism == "OAUTHBEARER":
        raise ValueError(f"[protocol {protocol}] OAUTHBEARER is not supported by Hearth yet")
    for key, what in (("user", "user"), ("password", "password")):
        if not data.get(key):
            raise ValueError(f"[protocol {protocol}] SASL {what} required (key: {key})")
    if mechanism not in _MECHANISMS:
        raise ValueError(f"[protocol {protocol}] unsupported SASL mechanism (key: sasl.mechanism)")
    return {
        "sasl.mechanism": mechanism,
        "sasl.username": data["user"],
        "sasl.password": data["password"],
    }


def _ssl(protocol: str, data: Mapping[str, str]) -> dict[str, str]:
    found = {}
    if (ca := data.get("ca.crt")) is not None:
        if _CERTIFICATE.search(ca) is None:
            raise ValueError(f"[protocol {protocol}] failed to parse CA certificates (key: ca.crt)")
        found["ssl.ca.pem"] = ca
    if protocol == "SSL" and not _skips_user(protocol, data):
        for key in ("user.key", "user.crt"):
            if key not in data:
                raise ValueError(
                    f"[protocol {protocol}] required user key (key: {key}) - "
                    'use "user.skip: true" to disable client auth'
                )
        found |= {"ssl.key.pem": data["user.key"], "ssl.certificate.pem": data["user.crt"]}
    return found


def _skips_user(protocol: str, data: Mapping[str, str]) -> bool:
    said = data.get("user.skip", "false")
    if said not in (*_TRUE, *_FALSE):
        raise ValueError(
            f"[protocol {protocol}] failed to parse client auth flag (key: user.skip): {said!r}"
        )
    return said in _TRUE
