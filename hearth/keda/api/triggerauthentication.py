"""TriggerAuthentication and ClusterTriggerAuthentication: where triggers' credentials come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from hearth.keda.api import keys
from hearth.keda.api.secretstores import (
    AwsSecretManager,
    AzureKeyVault,
    GCPSecretManager,
    PodIdentity,
    ValueFromSecret,
    Vault,
)
from hearth.keda.api.shapes import Kind, Needed, crd, one_of
from hearth.kube.crdgen import Column, Version
from hearth.kube.models import Keep, Model, Required, Schema
from hearth.kube.resources import Resource


class TargetRef(Model):
    """One member of a Secret or ConfigMap, as a parameter."""

    go_type: ClassVar[str] = "v1alpha1.AuthTargetRef"

    parameter: Needed[str] = ""
    """The parameter of the scaler."""
    name: Needed[str] = ""
    """Name of the Secret or ConfigMap."""
    key: Needed[str] = ""
    """The member that has the value."""


class Environment(Model):
    """One variable of the target's containers, as a parameter."""

    go_type: ClassVar[str] = "v1alpha1.AuthEnvironment"

    parameter: Needed[str] = ""
    """The parameter of the scaler."""
    name: Needed[str] = ""
    """Name of the variable."""
    container_name: str = ""
    """The container that has it; the first where nothing is said."""


class BoundServiceAccountToken(Model):
    """A token of a service account, as a parameter."""

    go_type: ClassVar[str] = "v1alpha1.BoundServiceAccountToken"

    parameter: Needed[str] = ""
    """The parameter of the scaler."""
    service_account_name: Needed[str] = ""
    """Whose token is asked for."""


class OAuth2ClientSecret(Model):
    """Where the client's secret is."""

    go_type: ClassVar[str] = "v1alpha1.OAuth2ClientSecret"

    value_from: Needed[ValueFromSecret] = Field(default_factory=ValueFromSecret)


class OAuth2(Model):
    """A token that an authorization server gives to clients."""

    go_type: ClassVar[str] = "v1alpha1.OAuth2"

    type: Annotated[
        str,
        Keep(),
        Required(),
        one_of("clientCredentials"),
        Schema({"default": "clientCredentials"}),
    ] = "clientCredentials"
    """The kind of grant."""
    client_id: Needed[str] = ""
    """Who asks."""
    client_secret: OAuth2ClientSecret = Field(default_factory=OAuth2ClientSecret)
    """Where the client's secret is."""
    token_url: Needed[str] = ""
    """Where tokens are asked for."""
    scopes: list[str] = Field(default_factory=list)
    """What the token is to be good for."""
    token_url_params: dict[str, str] = Field(default_factory=dict)
    """Further members of what is asked."""


class TriggerAuthenticationSpec(Model):
    """Where parameters come from; all that is given counts together."""

    go_type: ClassVar[str] = "v1alpha1.TriggerAuthenticationSpec"

    pod_identity: PodIdentity | None = None
    """An identity that a cloud gives to pods."""
    secret_target_ref: list[TargetRef] = Field(default_factory=list)
    """Members of Secrets."""
    config_map_target_ref: list[TargetRef] = Field(default_factory=list)
    """Members of ConfigMaps."""
    env: list[Environment] = Field(default_factory=list)
    """Variables of the target's containers."""
    file_path: str = ""
    """A file of the operator with a JSON map of parameters; cluster-wide objects alone."""
    hashi_corp_vault: Vault | None = None
    """Secrets in Vault."""
    azure_key_vault: AzureKeyVault | None = None
    """Secrets in Azure Key Vault."""
    gcp_secret_manager: GCPSecretManager | None = None
    """Secrets in Google's Secret Manager."""
    aws_secret_manager: AwsSecretManager | None = None
    """Secrets in AWS Secrets Manager."""
    bound_service_account_token: list[BoundServiceAccountToken] = Field(default_factory=list)
    """Tokens of service accounts."""
    oauth2: OAuth2 | None = None
    """A token that an authorization server gives to clients."""


NOT_READ = {
    "azure_key_vault": "azureKeyVault",
    "gcp_secret_manager": "gcpSecretManager",
    "aws_secret_manager": "awsSecretManager",
}
"""Stores that no secret is read from here: member of the spec, and what it is called."""


class TriggerAuthenticationStatus(Model):
    """Who uses it."""

    go_type: ClassVar[str] = "v1alpha1.TriggerAuthenticationStatus"

    scaledobjects: str = ""
    """Names of ScaledObjects."""
    scaledjobs: str = ""
    """Names of ScaledJobs."""


class TriggerAuthentication(Kind):
    """A whole TriggerAuthentication or ClusterTriggerAuthentication."""

    spec: TriggerAuthenticationSpec = Field(default_factory=TriggerAuthenticationSpec)
    status: TriggerAuthenticationStatus = Field(default_factory=TriggerAuthenticationStatus)


ClusterTriggerAuthentication = TriggerAuthentication

_FILE: Column = ("FilePath", "string", ".spec.filePath")


def _crd(resource: Resource, short: Sequence[str], *extra: Column, description: str) -> Any:
    return crd(
        resource,
        Version(
            "v1alpha1",
            TriggerAuthenticationSpec,
            TriggerAuthenticationStatus,
            columns=(
                ("PodIdentity", "string", ".spec.podIdentity.provider"),
                ("Secret", "string", ".spec.secretTargetRef[*].name"),
                ("Env", "string", ".spec.env[*].name"),
                *extra,
                ("VaultAddress", "string", ".spec.hashiCorpVault.address"),
            ),
            wide_columns=(
                ("ScaledObjects", "string", ".status.scaledobjects"),
                ("ScaledJobs", "string", ".status.scaledjobs"),
            ),
            required=("spec",),
            description=description,
        ),
        short_names=short,
    )


CRD = _crd(
    keys.TRIGGERAUTHENTICATIONS,
    ("ta", "triggerauth"),
    description="Where triggers of one namespace have their credentials from.",
)
CLUSTER_CRD = _crd(
    keys.CLUSTERTRIGGERAUTHENTICATIONS,
    ("cta", "clustertriggerauth"),
    _FILE,
    description="Where triggers of all namespaces have their credentials from.",
)
