"""Volumes of a revision, and references to objects: what ``podspec`` builds on.

See there for what the schema keeps.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hearth.kube.models import (
    PRESERVE,
    GoType,
    Int32,
    Int64,
    Kept,
    Model,
    Opaque,
    Quantity,
    Required,
    Schema,
)

ATOMIC_LIST = Schema({"x-kubernetes-list-type": "atomic"})
ATOMIC_MAP = {"x-kubernetes-map-type": "atomic"}
PRESERVED = Schema(PRESERVE, whole=True)
EMPTY_DEFAULT = Schema({"default": ""})


class LocalObjectReference(Model):
    """An object of the same namespace, by name."""

    schema_extra = ATOMIC_MAP
    name: Annotated[str, EMPTY_DEFAULT] = ""
    """Name of the object."""


class KeyToPath(Model):
    """A key, and the file it becomes."""

    key: Annotated[Kept[str], Required()] = ""
    """The key of the Secret or ConfigMap."""
    path: Annotated[Kept[str], Required()] = ""
    """The file, below the mount."""
    mode: Int32 | None = None


class SecretVolumeSource(Model):
    """The keys of a Secret as files."""

    secret_name: str = ""
    items: Annotated[list[KeyToPath], ATOMIC_LIST] = Field(default_factory=list)
    default_mode: Int32 | None = None
    optional: bool | None = None


class ConfigMapVolumeSource(LocalObjectReference):
    """The keys of a ConfigMap as files."""

    items: Annotated[list[KeyToPath], ATOMIC_LIST] = Field(default_factory=list)
    default_mode: Int32 | None = None
    optional: bool | None = None


class SecretProjection(LocalObjectReference):
    """Keys of a Secret in a projected volume."""

    items: Annotated[list[KeyToPath], ATOMIC_LIST] = Field(default_factory=list)
    optional: bool | None = None


class ConfigMapProjection(LocalObjectReference):
    """Keys of a ConfigMap in a projected volume."""

    items: Annotated[list[KeyToPath], ATOMIC_LIST] = Field(default_factory=list)
    optional: bool | None = None


class ServiceAccountTokenProjection(Model):
    """A token of the pod's account in a projected volume."""

    audience: str = ""
    expiration_seconds: Int64 | None = None
    path: Annotated[Kept[str], Required()] = ""


class ObjectFieldSelector(Model):
    """A field of the pod."""

    schema_extra = ATOMIC_MAP
    api_version: str = ""
    field_path: Annotated[Kept[str], Required()] = ""


class ResourceFieldSelector(Model):
    """A resource of a container."""

    schema_extra = ATOMIC_MAP
    container_name: str = ""
    resource: Annotated[Kept[str], Required()] = ""
    divisor: Kept[Quantity] = "0"


class DownwardAPIVolumeFile(Model):
    """A file with a field or a resource of the pod."""

    path: Annotated[Kept[str], Required()] = ""
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    mode: Int32 | None = None


class DownwardAPIProjection(Model):
    """Fields of the pod in a projected volume."""

    items: Annotated[list[DownwardAPIVolumeFile], ATOMIC_LIST] = Field(default_factory=list)


class VolumeProjection(Model):
    """One source of a projected volume."""

    secret: SecretProjection | None = None
    downward_api: DownwardAPIProjection | None = Field(default=None, alias="downwardAPI")
    config_map: ConfigMapProjection | None = None
    service_account_token: ServiceAccountTokenProjection | None = None


class ProjectedVolumeSource(Model):
    """Several sources as one volume."""

    sources: Annotated[Kept[list[VolumeProjection] | None], ATOMIC_LIST] = None
    default_mode: Int32 | None = None


class EmptyDirVolumeSource(Model):
    """A folder that lives as long as the pod."""

    medium: Annotated[str, GoType("v1.StorageMedium")] = ""
    size_limit: Quantity | None = None


class PersistentVolumeClaimVolumeSource(Model):
    """The volume of a claim."""

    claim_name: Kept[str] = ""
    read_only: bool = False


class HostPathVolumeSource(Model):
    """A path of the node."""

    path: Kept[str] = ""
    type: str | None = None


class CSIVolumeSource(Model):
    """A volume of a CSI driver."""

    driver: Kept[str] = ""
    read_only: bool | None = None
    fs_type: str | None = Field(default=None, alias="fsType")
    volume_attributes: dict[str, str] = Field(default_factory=dict)
    node_publish_secret_ref: LocalObjectReference | None = None


class VolumeResourceRequirements(Model):
    """The size of a claim."""

    limits: dict[str, Quantity] = Field(default_factory=dict)
    requests: dict[str, Quantity] = Field(default_factory=dict)


class PersistentVolumeClaimSpec(Model):
    """What an ephemeral volume claims."""

    access_modes: list[str] = Field(default_factory=list)
    selector: Opaque | None = None
    resources: Kept[VolumeResourceRequirements] = Field(default_factory=VolumeResourceRequirements)
    volume_name: str = ""
    storage_class_name: str | None = None
    volume_mode: str | None = None
    data_source: Opaque | None = None
    data_source_ref: Opaque | None = None
    volume_attributes_class_name: str | None = None


class PersistentVolumeClaimTemplate(Model):
    """The claim an ephemeral volume makes."""

    metadata: Kept[Opaque] = Field(default_factory=dict)
    spec: Kept[PersistentVolumeClaimSpec] = Field(default_factory=PersistentVolumeClaimSpec)


class EphemeralVolumeSource(Model):
    """A claim that lives as long as the pod."""

    volume_claim_template: PersistentVolumeClaimTemplate | None = None


class ImageVolumeSource(Model):
    """The files of an image."""

    reference: str = ""
    pull_policy: Annotated[str, GoType("v1.PullPolicy")] = ""


class VolumeSource(Model):
    """Where a volume comes from; one of its fields is set."""

    host_path: Annotated[HostPathVolumeSource | None, PRESERVED] = None
    """Needs the feature kubernetes.podspec-volumes-hostpath."""
    empty_dir: Annotated[EmptyDirVolumeSource | None, PRESERVED] = None
    """A folder that lives as long as the pod."""
    secret: SecretVolumeSource | None = None
    """A Secret as files."""
    persistent_volume_claim: Annotated[PersistentVolumeClaimVolumeSource | None, PRESERVED] = None
    """Needs the feature kubernetes.podspec-persistent-volume-claim."""
    config_map: ConfigMapVolumeSource | None = None
    """A ConfigMap as files."""
    projected: ProjectedVolumeSource | None = None
    """Several sources in one folder."""
    csi: Annotated[CSIVolumeSource | None, PRESERVED] = None
    """Needs the feature kubernetes.podspec-volumes-csi."""
    ephemeral: Annotated[EphemeralVolumeSource | None, PRESERVED] = None
    """Needs the feature kubernetes.podspec-volumes-ephemeral."""
    image: Annotated[ImageVolumeSource | None, PRESERVED] = None
    """Needs the feature kubernetes.podspec-volumes-image."""


class Volume(VolumeSource):
    """A volume with its name."""

    name: Annotated[Kept[str], Required()] = ""
    """What a mount calls it."""
