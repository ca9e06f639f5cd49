"""What a TriggerAuthentication says of identities and of stores of secrets outside the cluster."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from hearth.keda.api.shapes import Needed, one_of
from hearth.kube.models import Keep, Model, Required, Schema

_SOME = Schema({"minItems": 1})


class PodIdentity(Model):
    """An identity that a cloud gives to pods."""

    go_type: ClassVar[str] = "v1alpha1.AuthPodIdentity"

    provider: Annotated[
        str, Keep(), Required(), one_of("azure-workload", "gcp", "aws", "aws-eks", "none")
    ] = ""
    """The cloud, or none."""
    identity_id: str | None = None
    """azure-workload: the client's id."""
    identity_tenant_id: str | None = None
    """azure-workload: another tenant than the default; asks for identityId."""
    identity_authority_host: str | None = None
    """azure-workload: another authority than the default; asks for identityTenantId."""
    role_arn: str | None = None
    """aws: the role to take; not with identityOwner."""
    external_id: Annotated[str | None, Field(alias="externalID")] = None
    """aws: the external id with which the role is taken."""
    identity_owner: Annotated[str, one_of("keda", "workload")] | None = None
    """aws: whose identity counts, that of the operator or of what is scaled."""


class SecretKeyRef(Model):
    """One member of a Secret."""

    go_type: ClassVar[str] = "v1alpha1.SecretKeyRef"

    name: Needed[str] = ""
    key: Needed[str] = ""


class ValueFromSecret(Model):
    """A value that is a member of a Secret."""

    go_type: ClassVar[str] = "v1alpha1.ValueFromSecret"

    secret_key_ref: Needed[SecretKeyRef] = Field(default_factory=SecretKeyRef)


class Credential(Model):
    """How one signs in at Vault."""

    go_type: ClassVar[str] = "v1alpha1.Credential"

    token: str = ""
    """token: the token itself."""
    service_account: str = ""
    """kubernetes: a file with the token of a service account."""
    service_account_name: str = ""
    """kubernetes: the service account whose token is asked for."""


class VaultPkiData(Model):
    """What a certificate is asked for with."""

    go_type: ClassVar[str] = "v1alpha1.VaultPkiData"

    common_name: str = ""
    alt_names: str = ""
    ip_sans: str = ""
    uri_sans: str = ""
    other_sans: str = ""
    ttl: str = ""
    format: str = ""


class VaultSecret(Model):
    """One member of a secret in Vault, as a parameter."""

    go_type: ClassVar[str] = "v1alpha1.VaultSecret"

    parameter: Needed[str] = ""
    """The parameter of the scaler."""
    path: Needed[str] = ""
    """Where the secret is in Vault."""
    key: Needed[str] = ""
    """The member that has the value."""
    type: Annotated[str, one_of("", "secretV2", "secret", "pki")] = ""
    """The engine; read off the answer where nothing is said."""
    pki_data: VaultPkiData = Field(default_factory=VaultPkiData)
    """pki: what a certificate is asked for with."""


class Vault(Model):
    """Secrets in Vault."""

    go_type: ClassVar[str] = "v1alpha1.HashiCorpVault"

    address: Needed[str] = ""
    """Where Vault is: https://vault:8200."""
    authentication: Annotated[str, Keep(), Required(), one_of("token", "kubernetes")] = ""
    """How one signs in."""
    secrets: Annotated[Needed[list[VaultSecret]], _SOME] = Field(default_factory=list)
    """What is read."""
    namespace: str = ""
    """Vault's namespace."""
    credential: Credential | None = None
    """With what one signs in."""
    role: str = ""
    """kubernetes: the role that is asked for."""
    mount: str = ""
    """kubernetes: where the method is mounted."""


class AzureClientSecret(Model):
    """Where the client's secret is."""

    go_type: ClassVar[str] = "v1alpha1.AzureKeyVaultClientSecret"

    value_from: Needed[ValueFromSecret] = Field(default_factory=ValueFromSecret)


class AzureCredentials(Model):
    """Who asks Azure Key Vault."""

    go_type: ClassVar[str] = "v1alpha1.AzureKeyVaultCredentials"

    client_id: Needed[str] = ""
    tenant_id: Needed[str] = ""
    client_secret: Needed[AzureClientSecret] = Field(default_factory=AzureClientSecret)


class AzureSecret(Model):
    """One secret of Azure Key Vault, as a parameter."""

    go_type: ClassVar[str] = "v1alpha1.AzureKeyVaultSecret"

    parameter: Needed[str] = ""
    """The parameter of the scaler."""
    name: Needed[str] = ""
    """The secret's name."""
    version: str = ""
    """Its version; the latest where nothing is said."""


class AzureCloud(Model):
    """Another cloud than Azure's public one."""

    go_type: ClassVar[str] = "v1alpha1.AzureKeyVaultCloudInfo"

    type: Needed[str] = ""
    """Its name, or Private."""
    key_vault_resource_url: Annotated[str, Keep(), Field(alias="keyVaultResourceURL")] = ""
    """Private: what the token is for."""
    active_directory_endpoint: Annotated[str, Keep()] = ""
    """Private: who gives tokens."""


class AzureKeyVault(Model):
    """Secrets in Azure Key Vault."""

    go_type: ClassVar[str] = "v1alpha1.AzureKeyVault"

    vault_uri: Needed[str] = ""
    """Where it is."""
    secrets: Annotated[Needed[list[AzureSecret]], _SOME] = Field(default_factory=list)
    """What is read."""
    credentials: AzureCredentials | None = None
    """Who asks."""
    pod_identity: PodIdentity | None = None
    """An identity instead."""
    cloud: AzureCloud | None = None
    """Another cloud than Azure's public one."""


class GCPClientSecret(Model):
    """Where the key of a service account is."""

    go_type: ClassVar[str] = "v1alpha1.GCPSecretmanagerClientSecret"

    value_from: Needed[ValueFromSecret] = Field(default_factory=ValueFromSecret)


class GCPCredentials(Model):
    """Who asks Google's Secret Manager."""

    go_type: ClassVar[str] = "v1alpha1.GCPCredentials"

    client_secret: Needed[GCPClientSecret] = Field(default_factory=GCPClientSecret)


class GCPSecret(Model):
    """One secret of Google's Secret Manager, as a parameter."""

    go_type: ClassVar[str] = "v1alpha1.GCPSecretManagerSecret"

    parameter: Needed[str] = ""
    """The parameter of the scaler."""
    id: Needed[str] = ""
    """The secret's name."""
    version: str = ""
    """Its version; the latest where nothing is said."""


class GCPSecretManager(Model):
    """Secrets in Google's Secret Manager."""

    go_type: ClassVar[str] = "v1alpha1.GCPSecretManager"

    secrets: Annotated[Needed[list[GCPSecret]], _SOME] = Field(default_factory=list)
    """What is read."""
    credentials: GCPCredentials | None = None
    """Who asks."""
    pod_identity: PodIdentity | None = None
    """An identity instead."""


class AwsValue(Model):
    """A value that is a member of a Secret."""

    go_type: ClassVar[str] = "v1alpha1.AwsSecretManagerValue"

    value_from: Needed[ValueFromSecret] = Field(default_factory=ValueFromSecret)


class AwsCredentials(Model):
    """Who asks AWS Secrets Manager."""

    go_type: ClassVar[str] = "v1alpha1.AwsSecretManagerCredentials"

    access_key: Needed[AwsValue] = Field(default_factory=AwsValue)
    access_secret_key: Needed[AwsValue] = Field(default_factory=AwsValue)
    access_token: AwsValue | None = None


class AwsSecret(Model):
    """One secret of AWS Secrets Manager, as a parameter."""

    go_type: ClassVar[str] = "v1alpha1.AwsSecretManagerSecret"

    parameter: Needed[str] = ""
    """The parameter of the scaler."""
    name: Needed[str] = ""
    """The secret's name."""
    version_id: str = ""
    """Its version; the latest where nothing is said."""
    version_stage: str = ""
    """The stage of its version."""
    secret_key: str = ""
    """A member of a secret that is JSON."""


class AwsSecretManager(Model):
    """Secrets in AWS Secrets Manager."""

    go_type: ClassVar[str] = "v1alpha1.AwsSecretManager"

    secrets: Annotated[Needed[list[AwsSecret]], _SOME] = Field(default_factory=list)
    """What is read."""
    credentials: AwsCredentials | None = None
    """Who asks."""
    pod_identity: PodIdentity | None = None
    """An identity instead."""
    region: str = ""
    """Where it is."""
