"""What pods that speak with AWS are told. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEYS = {"AWS_ACCESS_KEY_ID": "aws.accessKey", "AWS_SECRET_ACCESS_KEY": "aws.secretKey"}
"""Variables that AWS's libraries read, and where Knative's Secrets have their values."""
_OPTIONAL_KEYS = {"AWS_SESSION_TOKEN": "aws.sessionToken"}
"""For temporary credentials; Knative knows none."""


def secret_of(aws: Mapping[str, Any]) -> str:
    """Return the name of the Secret with the keys; "" where a service account has the rights."""
    secret = (aws.get("auth") or {}).get("secret") or {}
    return str((secret.get("ref") or {}).get("name") or "")


def account_of(aws: Mapping[str, Any]) -> str:
    """Return the service account of ``auth``; "" where there is none."""
    return str((aws.get("auth") or {}).get("serviceAccountName") or "")


def credentials(aws: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the variables that hold the keys, read off the Secret by the kubelet."""
    secret = secret_of(aws)
    if not secret:
        return []
    return [
        *(_variable(name, secret, key) for name, key in _KEYS.items()),
        *(_variable(name, secret, key, optional=True) for name, key in _OPTIONAL_KEYS.items()),
    ]


def _variable(name: str, secret: str, key: str, **more: bool) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key, **more}}}


def service_config(aws: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an adapter is told of ``spec.aws``: all but who it is."""
    told = {field: value for field, value in aws.items() if field != "auth"}
    secret = secret_of(aws)
    return {**told, **({"secret": secret} if secret else {})}
