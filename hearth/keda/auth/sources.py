"""Where parameters are read from: a Kubernetes API, and files of the operator."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import jwt

from hearth.keda.api import keys
from hearth.keda.api.shapes import AuthenticationRef
from hearth.keda.api.triggerauthentication import TriggerAuthentication, TriggerAuthenticationSpec
from hearth.keda.auth.environment import Data, Wanted
from hearth.keda.scalers.seam import ConfigError
from hearth.kube.client import KubeClient
from hearth.kube.errors import NotFound
from hearth.kube.resources import CONFIGMAPS, SECRETS, SERVICEACCOUNTS

_LARGEST_TOKEN = 2**16
"""Bytes; KEDA reads no larger file as a token."""
_SERVICE_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Sources:
    """What the operator may read, and its settings for that."""

    client: KubeClient
    cluster_namespace: str = keys.NAMESPACE
    """Where Secrets of ClusterTriggerAuthentications are (KEDA_CLUSTER_OBJECT_NAMESPACE)."""
    file_root: Path | None = None
    """Below which files with parameters may be (--filepath-auth-root-path)."""
    restrict_secrets: bool = False
    """Only Secrets of the cluster's namespace are read (KEDA_RESTRICT_SECRET_ACCESS)."""
    token_seconds: int = 3600
    """How long tokens of service accounts are good (KEDA_BOUND_SERVICE_ACCOUNT_TOKEN_EXPIRY)."""
    vault_token: str = ""
    """The operator's own for Vault (VAULT_TOKEN); it comes before a TriggerAuthentication's."""
    timeout: float = 3.0
    """Seconds that an answer of Vault may take."""

    def secrets_namespace(self, namespace: str) -> str:
        """Return where Secrets of a namespace's objects are read."""
        return self.cluster_namespace if self.restrict_secrets else namespace

    async def data(self, wanted: Wanted, namespace: str) -> Data | None:
        """Return members of a ConfigMap or Secret as text; None where there is none."""
        is_secret = wanted.kind == "Secret"
        resource = SECRETS if is_secret else CONFIGMAPS
        place = self.secrets_namespace(namespace) if is_secret else namespace
        try:
            found = (await self.client.get(resource, wanted.name, place)).get("data") or {}
        except NotFound:
            return None
        if not is_secret:
            return found
        return {key: base64.b64decode(text).decode(errors="replace") for key, text in found.items()}

    async def specification(
        self, reference: AuthenticationRef, namespace: str
    ) -> tuple[TriggerAuthenticationSpec, str]:
        """Return what a TriggerAuthentication says, and the namespace of what it names.

        Raises ApiError.
        """
        if reference.is_cluster_wide:
            found = await self.client.get(keys.CLUSTERTRIGGERAUTHENTICATIONS, reference.name)
            namespace = self.cluster_namespace
        else:
            found = await self.client.get(keys.TRIGGERAUTHENTICATIONS, reference.name, namespace)
        return TriggerAuthentication.model_validate(found).spec, namespace

    async def token(self, account: str, namespace: str) -> str:
        """Ask for a token of a service account. Raises ApiError."""
        said = await self.client.request(
            "POST",
            SERVICEACCOUNTS.path(namespace, account, "token"),
            body={
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": self.token_seconds},
            },
        )
        return str(said["status"]["token"])

    async def annotation(self, account: str, namespace: str, name: str) -> str | None:
        """Return an annotation of a service account. Raises ApiError."""
        found = await self.client.get(SERVICEACCOUNTS, account, namespace)
        annotations: dict[str, str] = found["metadata"].get("annotations") or {}
        return annotations.get(name)

    def file(self, relative: str) -> dict[str, str]:
        """Return the parameters of a file below the root. Raises ConfigError."""
        if self.file_root is None:
            raise ConfigError("filepath-auth-root-path not configured")
        if PurePosixPath(relative).is_absolute() or ".." in relative:
            raise ConfigError("filePath must be relative and not contain '..'")
        path = self.file_root / relative
        try:
            found = json.loads(path.read_text())
        except OSError as error:
            raise ConfigError(f"failed to read auth file {path}: {error.strerror}") from None
        except ValueError:
            found = None
        if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
            raise ConfigError(f"failed to unmarshal auth params from {path}: no map of texts")
        return found

    def projected_token(self, path: str) -> str:
        """Return a service account's token in a file, and nothing else that is in one.

        Who writes a TriggerAuthentication says the path and the server that gets the content.
        """
        if not Path(path).is_file():
            raise ConfigError(f"service account token path {path} is not a regular file")
        try:
            with Path(path).open("rb") as file:
                text = file.read(_LARGEST_TOKEN).strip()
            claims = jwt.decode(text, options={"verify_signature": False})
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from None
        except jwt.PyJWTError:
            raise ConfigError("error validating token: the file has no token") from None
        if not str(claims.get("sub", "")).startswith(_SERVICE_ACCOUNT):
            raise ConfigError("error validating token: subject isn't a service account")
        return text.decode()
