"""Secrets in HashiCorp's Vault, by its HTTP API: signed in by a token or as a service account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from hearth.keda.api.secretstores import Credential, Vault, VaultPkiData, VaultSecret
from hearth.keda.auth.sources import Sources
from hearth.keda.scalers import http
from hearth.keda.scalers.seam import ConfigError, ScalerError
from hearth.keda.scalers.tls import client_context
from hearth.kube.errors import ApiError

_OWN_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"


async def read_secrets(
    vault: Vault, namespace: str, sources: Sources
) -> tuple[dict[str, str], list[str]]:
    """Return parameters, and warnings of those that are empty because they could not be read.

    Raises ConfigError for a sign-in that is written wrong, ScalerError for one that is refused.
    """
    headers = {"X-Vault-Namespace": vault.namespace} if vault.namespace else {}
    context = client_context()
    async with httpx.AsyncClient(
        base_url=f"{vault.address.rstrip('/')}/v1/",
        headers=headers,
        verify=context,
        timeout=sources.timeout,
    ) as client:
        client.headers["X-Vault-Token"] = await _token(client, vault, namespace, sources)
        await _ask(client, "auth/token/lookup-self")
        return await _read_all(client, vault.secrets)


async def _token(client: httpx.AsyncClient, vault: Vault, namespace: str, sources: Sources) -> str:
    credential = vault.credential or Credential()
    if vault.authentication == "token":
        if not (token := sources.vault_token or credential.token):
            raise ConfigError("could not get Vault token")
        return token
    if vault.authentication != "kubernetes":
        raise ConfigError(f"vault auth method {vault.authentication} is not supported")
    if not vault.mount:
        raise ConfigError("auth mount not in config")
    if not vault.role:
        raise ConfigError("k8s role not in config")
    shown = await _service_account(vault.credential, namespace, sources)
    said = await _ask(
        client, f"auth/{vault.mount}/login", method="POST", json={"jwt": shown, "role": vault.role}
    )
    given = (said.get("auth") or {}).get("client_token")
    if not isinstance(given, str):
        raise ScalerError("Vault gave no token")
    return given


async def _service_account(credential: Credential | None, namespace: str, sources: Sources) -> str:
    if credential is None:
        return sources.projected_token(_OWN_TOKEN)
    if credential.service_account_name:
        try:
            return await sources.token(credential.service_account_name, namespace)
        except ApiError as error:
            raise ScalerError(f"no token of a service account for Vault: {error}") from None
    if credential.service_account:
        return sources.projected_token(credential.service_account)
    raise ConfigError("k8s SA file not in config or serviceAccountName not supplied")


async def _read_all(
    client: httpx.AsyncClient, secrets: list[VaultSecret]
) -> tuple[dict[str, str], list[str]]:
    """Each path is asked once, whatever number of its members is wanted: it may be made anew."""
    answers: dict[tuple[str, ...], Mapping[str, Any]] = {}
    found, warnings = dict[str, str](), list[str]()
    for secret in secrets:
        asked = (secret.type, secret.path, secret.pki_data.model_dump_json())
        try:
            if asked not in answers:
                answers[asked] = (await _fetch(client, secret)).get("data") or {}
            found[secret.parameter] = member(secret, answers[asked])
        except (ScalerError, ValueError) as error:
            found[secret.parameter] = ""
            warnings.append(f"{secret.parameter} of Vault is empty: {error}")
    return found, warnings


async def _fetch(client: httpx.AsyncClient, secret: VaultSecret) -> dict[str, Any]:
    if secret.type == "pki":
        return await _ask(client, secret.path, method="PUT", json=pki_request(secret.pki_data))
    return await _ask(client, secret.path)


async def _ask(client: httpx.AsyncClient, path: str, **how: Any) -> dict[str, Any]:
    said = await http.get_json(client, str(client.base_url.join(path.lstrip("/"))), **how)
    return said if isinstance(said, dict) else {}


def pki_request(asked: VaultPkiData) -> dict[str, str]:
    """Return what a certificate is asked for with, without what is empty."""
    return {name: value for name, value in asked.model_dump(by_alias=False).items() if value}


def member(secret: VaultSecret, data: Mapping[str, Any]) -> str:
    """Return the member that a parameter asks for. Raises ValueError in KEDA's words."""
    key = secret.key
    nested = data.get("data")
    if secret.type == "secretV2" or (not secret.type and "data" in data):
        data = nested if isinstance(nested, dict) else {}
    if key not in data:
        raise ValueError(f"key '{key}' not found")
    value = data[key]
    if secret.type == "pki" and key == "ca_chain":
        if not isinstance(value, list):
            raise ValueError(f"key '{key}' is not castable to []interface{{}}")
        return "\n".join(map(str, value))
    if not isinstance(value, str):
        raise ValueError(f"key '{key}' is not castable to string")
    return value
