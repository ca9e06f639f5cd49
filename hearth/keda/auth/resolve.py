"""A trigger's authentication, resolved: its parameters, whose identity counts, what was missing.

KEDA's rules (``pkg/scaling/resolver/scale_resolvers.go``): what is not there is an empty parameter
and a warning, and the scaler says what it lacks; what is written wrong is an error.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hearth.keda.api.shapes import AuthenticationRef
from hearth.keda.api.triggerauthentication import NOT_READ, OAuth2, TriggerAuthenticationSpec
from hearth.keda.auth.environment import Data, Wanted, container_of, environment, wanted
from hearth.keda.auth.sources import Sources
from hearth.keda.auth.vault import read_secrets
from hearth.keda.scalers.seam import ConfigError, PodIdentity
from hearth.kube.errors import ApiError

_ROLE = "eks.amazonaws.com/role-arn"
_DEFAULT_ACCOUNT = "default"


@dataclass(slots=True)
class Resolved:
    """What a scaler is given."""

    parameters: dict[str, str] = field(default_factory=dict)
    pod_identity: PodIdentity = field(default_factory=PodIdentity)
    warnings: list[str] = field(default_factory=list)
    """What could not be read, without secrets."""


async def container_env(
    pod: Mapping[str, Any] | None, container: str, namespace: str, sources: Sources
) -> dict[str, str]:
    """Return the environment of a pod's container. Raises ConfigError, ApiError."""
    chosen = container_of(pod, container)
    allowed = not sources.restrict_secrets or namespace == sources.cluster_namespace
    names = [each for each in wanted(chosen) if allowed or each.kind != "Secret"]
    found = await asyncio.gather(*(sources.data(each, namespace) for each in names))
    known = dict(zip(names, found, strict=True))
    return environment(chosen, known, namespace, with_secrets=allowed)


async def resolve(
    reference: AuthenticationRef | None,
    pod: Mapping[str, Any] | None,
    *,
    namespace: str,
    sources: Sources,
) -> Resolved:
    """Resolve what a trigger's ``authenticationRef`` names; ``pod`` is the target's pod spec.

    Raises ConfigError for what is written wrong, ScalerError where Vault does not let us in.
    """
    resolved = Resolved()
    if reference is None or not reference.name:
        return resolved
    try:
        spec, place = await sources.specification(reference, namespace)
    except (ApiError, ValueError) as error:
        resolved.warnings.append(f"error getting triggerAuth {reference.name}: {error}")
        return resolved
    if spec.file_path:
        if not reference.is_cluster_wide:
            raise ConfigError(
                "filePath is only supported for ClusterTriggerAuthentication, got kind: "
                f"{reference.kind}"
            )
        resolved.parameters = sources.file(spec.file_path)
    else:
        await _Resolver(spec, namespace, place, sources, resolved).run(pod)
    resolved.pod_identity = await _identity(spec, pod, namespace, sources, resolved)
    return resolved


@dataclass(slots=True)
class _Resolver:
    spec: TriggerAuthenticationSpec
    namespace: str
    """Of the object that is scaled."""
    place: str
    """Of what the TriggerAuthentication names."""
    sources: Sources
    resolved: Resolved
    read: dict[Wanted, Data] = field(default_factory=dict)
    environments: dict[str, Data] = field(default_factory=dict)

    async def run(self, pod: Mapping[str, Any] | None) -> None:
        """In KEDA's order: what comes later has the last word on a parameter."""
        spec, parameters = self.spec, self.resolved.parameters
        for each in spec.env:
            parameters[each.parameter] = await self._variable(pod, each.container_name, each.name)
        for kind, references in (
            ("ConfigMap", spec.config_map_target_ref),
            ("Secret", spec.secret_target_ref),
        ):
            for at in references:
                parameters[at.parameter] = await self._member(kind, at.name, at.key)
        if spec.hashi_corp_vault and spec.hashi_corp_vault.secrets:
            found, warnings = await read_secrets(
                spec.hashi_corp_vault, self.namespace, self.sources
            )
            parameters |= found
            self.resolved.warnings += warnings
        for member, name in NOT_READ.items():
            if getattr(spec, member):
                raise ConfigError(f"{name} is not supported here: give a Secret or Vault")
        for account in spec.bound_service_account_token:
            parameters[account.parameter] = await self._or_empty(
                self.sources.token(account.service_account_name, self.place),
                f"error trying to get a token of service account {account.service_account_name}",
            )
        if spec.oauth2:
            parameters |= await self._oauth(spec.oauth2)

    async def _variable(self, pod: Mapping[str, Any] | None, container: str, name: str) -> str:
        """A variable of one of the target's containers, of which each is read once."""
        if pod is None:
            return ""
        if container not in self.environments:
            found: Data = {}
            try:
                found = await container_env(pod, container, self.namespace, self.sources)
            except (ApiError, ConfigError) as error:
                self.resolved.warnings.append(f"variable {name} is empty: {error}")
            self.environments[container] = found
        return self.environments[container].get(name, "")

    async def _member(self, kind: str, name: str, key: str) -> str:
        """A member of a ConfigMap or Secret, of which each is read once."""
        at, doing = Wanted(kind, name), f"error trying to get {kind} {self.place}/{name}"
        if at not in self.read:
            try:
                found = await self.sources.data(at, self.place)
            except ApiError as error:
                self.resolved.warnings.append(f"{doing}: {error}")
                found = {}
            if found is None:
                self.resolved.warnings.append(f"{doing}: there is none")
            self.read[at] = found or {}
        return self.read[at].get(key, "")

    async def _oauth(self, asked: OAuth2) -> dict[str, str]:
        at = asked.client_secret.value_from.secret_key_ref
        found = {
            "oauthTokenURI": asked.token_url,
            "clientID": asked.client_id,
            "clientSecret": await self._member("Secret", at.name, at.key),
        }
        if asked.scopes:
            found["scopes"] = ",".join(asked.scopes)
        if asked.token_url_params:
            found["endpointParams"] = urllib.parse.urlencode(sorted(asked.token_url_params.items()))
        return found

    async def _or_empty(self, asking: Awaitable[str], doing: str) -> str:
        try:
            return await asking
        except ApiError as error:
            self.resolved.warnings.append(f"{doing}: {error}")
            return ""


async def _identity(
    spec: TriggerAuthenticationSpec,
    pod: Mapping[str, Any] | None,
    namespace: str,
    sources: Sources,
    resolved: Resolved,
) -> PodIdentity:
    """The identity that counts; a role of AWS becomes the parameter ``awsRoleArn``."""
    given = spec.pod_identity
    if given is None:
        return PodIdentity()
    owner, role = given.identity_owner or "", given.role_arn or ""
    if pod is not None and given.provider in ("aws", "aws-eks"):
        of_workload = given.provider == "aws-eks" or owner == "workload"
        if role and owner == "workload":
            raise ConfigError(
                f"roleArn can't be set if KEDA isn't identity owner, current value: '{owner}'"
            )
        if of_workload:
            required = given.provider == "aws"
            role = await _role_of(pod, namespace, sources, required=required)
        if role or of_workload:
            resolved.parameters["awsRoleArn"] = role
    if pod is not None and given.provider == "azure-workload" and given.identity_id == "":
        raise ConfigError("IdentityID of PodIdentity should not be empty")
    return PodIdentity(given.provider or "none", given.identity_id or "", owner, role)


async def _role_of(
    pod: Mapping[str, Any], namespace: str, sources: Sources, *, required: bool
) -> str:
    account = pod.get("serviceAccountName") or _DEFAULT_ACCOUNT
    try:
        role = await sources.annotation(account, namespace, _ROLE)
    except ApiError as error:
        raise ConfigError(f"error getting service account: '{account}', error: {error}") from None
    if role is None and required:
        raise ConfigError(
            f"error getting service account: '{account}', error: annotation '{_ROLE}' not found"
        )
    return role or ""
