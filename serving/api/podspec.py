"""The parts of a pod that a revision may describe.

The schema keeps what Knative's schema keeps: a field not declared here is dropped with a warning.
A field behind a feature flag is declared, and refused by validation while the flag is off. Fields
stand in the order of Kubernetes' Go structs, which decides the order of change reports.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from hearth.kube.models import (
    PRESERVE,
    GoType,
    Int32,
    Int64,
    IntOrString,
    Kept,
    Model,
    Opaque,
    Quantity,
    Required,
    Schema,
)

ATOMIC_LIST = Schema({"x-kubernetes-list-type": "atomic"})
_ATOMIC_MAP = {"x-kubernetes-map-type": "atomic"}
_EMPTY_DEFAULT = Schema({"default": ""})
_PRESERVED = Schema(PRESERVE, whole=True)
_PRESERVED_ITEMS = Schema({"type": "array", "items": PRESERVE}, whole=True)
_PRESERVED_ATOMIC = Schema(PRESERVE | _ATOMIC_MAP, whole=True)


ResourceList = Annotated[dict[str, Quantity], GoType("v1.ResourceList")]


def _keyed_list(key: str) -> Schema:
    return Schema({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]})


class LocalObjectReference(Model):
    schema_extra = _ATOMIC_MAP
    name: Annotated[str, _EMPTY_DEFAULT] = ""
    """Name of the object."""


class KeyToPath(Model):
    key: Annotated[Kept[str], Required()] = ""
    path: Annotated[Kept[str], Required()] = ""
    mode: Int32 | None = None


class SecretVolumeSource(Model):
    secret_name: str = ""
    items: Annotated[list[KeyToPath], ATOMIC_LIST] = Field(default_factory=list)
    default_mode: Int32 | None = None
    optional: bool | None = None


class ConfigMapVolumeSource(LocalObjectReference):
    items: Annotated[list[KeyToPath], ATOMIC_LIST] = Field(default_factory=list)
    default_mode: Int32 | None = None
    optional: bool | None = None


class SecretProjection(LocalObjectReference):
    items: Annotated[list[KeyToPath], ATOMIC_LIST] = Field(default_factory=list)
    optional: bool | None = None


class ConfigMapProjection(LocalObjectReference):
    items: Annotated[list[KeyToPath], ATOMIC_LIST] = Field(default_factory=list)
    optional: bool | None = None


class ServiceAccountTokenProjection(Model):
    audience: str = ""
    expiration_seconds: Int64 | None = None
    path: Annotated[Kept[str], Required()] = ""


class ObjectFieldSelector(Model):
    schema_extra = _ATOMIC_MAP
    api_version: str = ""
    field_path: Annotated[Kept[str], Required()] = ""


class ResourceFieldSelector(Model):
    schema_extra = _ATOMIC_MAP
    container_name: str = ""
    resource: Annotated[Kept[str], Required()] = ""
    divisor: Kept[Quantity] = "0"


class DownwardAPIVolumeFile(Model):
    path: Annotated[Kept[str], Required()] = ""
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    mode: Int32 | None = None


class DownwardAPIProjection(Model):
    items: Annotated[list[DownwardAPIVolumeFile], ATOMIC_LIST] = Field(default_factory=list)


class VolumeProjection(Model):
    secret: SecretProjection | None = None
    downward_api: DownwardAPIProjection | None = Field(default=None, alias="downwardAPI")
    config_map: ConfigMapProjection | None = None
    service_account_token: ServiceAccountTokenProjection | None = None


class ProjectedVolumeSource(Model):
    sources: Annotated[Kept[list[VolumeProjection] | None], ATOMIC_LIST] = None
    default_mode: Int32 | None = None


class EmptyDirVolumeSource(Model):
    medium: Annotated[str, GoType("v1.StorageMedium")] = ""
    size_limit: Quantity | None = None


class PersistentVolumeClaimVolumeSource(Model):
    claim_name: Kept[str] = ""
    read_only: bool = False


class ImageVolumeSource(Model):
    reference: str = ""
    pull_policy: Annotated[str, GoType("v1.PullPolicy")] = ""


class VolumeSource(Model):
    host_path: Opaque | None = None
    empty_dir: Annotated[EmptyDirVolumeSource | None, _PRESERVED] = None
    secret: SecretVolumeSource | None = None
    persistent_volume_claim: Annotated[PersistentVolumeClaimVolumeSource | None, _PRESERVED] = None
    config_map: ConfigMapVolumeSource | None = None
    projected: ProjectedVolumeSource | None = None
    csi: Opaque | None = None
    ephemeral: Opaque | None = None
    image: Annotated[ImageVolumeSource | None, _PRESERVED] = None


class Volume(VolumeSource):
    name: Annotated[Kept[str], Required()] = ""


class ContainerPort(Model):
    name: str = ""
    container_port: Kept[Int32] = 0
    protocol: Annotated[str, GoType("v1.Protocol"), Schema({"default": "TCP"})] = ""


class ConfigMapEnvSource(LocalObjectReference):
    optional: bool | None = None


class SecretEnvSource(LocalObjectReference):
    optional: bool | None = None


class EnvFromSource(Model):
    prefix: str = ""
    config_map_ref: ConfigMapEnvSource | None = None
    secret_ref: SecretEnvSource | None = None


class ConfigMapKeySelector(LocalObjectReference):
    key: Annotated[Kept[str], Required()] = ""
    optional: bool | None = None


class SecretKeySelector(LocalObjectReference):
    key: Annotated[Kept[str], Required()] = ""
    optional: bool | None = None


class EnvVarSource(Model):
    field_ref: Annotated[ObjectFieldSelector | None, _PRESERVED_ATOMIC] = None
    resource_field_ref: Annotated[ResourceFieldSelector | None, _PRESERVED_ATOMIC] = None
    config_map_key_ref: ConfigMapKeySelector | None = None
    secret_key_ref: SecretKeySelector | None = None


class EnvVar(Model):
    name: Annotated[Kept[str], Required()] = ""
    value: str = ""
    value_from: EnvVarSource | None = None


class ResourceRequirements(Model):
    limits: ResourceList = Field(default_factory=dict)
    requests: ResourceList = Field(default_factory=dict)


class VolumeMount(Model):
    name: Annotated[Kept[str], Required()] = ""
    read_only: bool = False
    mount_path: Annotated[Kept[str], Required()] = ""
    sub_path: str = ""
    mount_propagation: Annotated[str | None, GoType("v1.MountPropagationMode")] = None


class ExecAction(Model):
    command: Annotated[list[str], ATOMIC_LIST] = Field(default_factory=list)


class HTTPHeader(Model):
    name: Annotated[Kept[str], Required()] = ""
    value: Annotated[Kept[str], Required()] = ""


class HTTPGetAction(Model):
    path: str = ""
    port: Kept[IntOrString] = 0
    host: str = ""
    scheme: Annotated[str, GoType("v1.URIScheme")] = ""
    http_headers: Annotated[list[HTTPHeader], ATOMIC_LIST] = Field(default_factory=list)


class TCPSocketAction(Model):
    port: Kept[IntOrString] = 0
    host: str = ""


class GRPCAction(Model):
    port: Kept[Int32] = 0
    service: Annotated[str | None, _EMPTY_DEFAULT] = None


class ProbeHandler(Model):
    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    grpc: GRPCAction | None = None


class Probe(ProbeHandler):
    initial_delay_seconds: Int32 = 0
    timeout_seconds: Int32 = 0
    period_seconds: Int32 = 0
    success_threshold: Int32 = 0
    failure_threshold: Int32 = 0


_Capability = Annotated[str, GoType("v1.Capability")]


class Capabilities(Model):
    add: Annotated[list[_Capability], ATOMIC_LIST] = Field(default_factory=list)
    drop: Annotated[list[_Capability], ATOMIC_LIST] = Field(default_factory=list)


class SeccompProfile(Model):
    type: Annotated[Kept[str], GoType("v1.SeccompProfileType"), Required()] = ""
    localhost_profile: str | None = None


class SecurityContext(Model):
    capabilities: Capabilities | None = None
    privileged: bool | None = None
    run_as_user: Int64 | None = None
    run_as_group: Int64 | None = None
    run_as_non_root: bool | None = None
    read_only_root_filesystem: bool | None = None
    allow_privilege_escalation: bool | None = None
    seccomp_profile: SeccompProfile | None = None


class PodSecurityContext(Model):
    """Behind a feature flag, hence not part of the schema; fields no flag allows come last."""

    run_as_user: Int64 | None = None
    run_as_group: Int64 | None = None
    run_as_non_root: bool | None = None
    supplemental_groups: list[Int64] = Field(default_factory=list)
    fs_group: Int64 | None = Field(default=None, alias="fsGroup")
    seccomp_profile: SeccompProfile | None = None
    se_linux_options: Opaque | None = None
    windows_options: Opaque | None = None
    sysctls: list[Opaque] = Field(default_factory=list)
    fs_group_change_policy: str | None = Field(default=None, alias="fsGroupChangePolicy")


class Container(Model):
    name: Kept[str] = ""
    """Name of the container; user-container when left out and there is one."""
    image: str = ""
    """Image to run. On one machine, a name of the local image store."""
    command: Annotated[list[str], ATOMIC_LIST] = Field(default_factory=list)
    args: Annotated[list[str], ATOMIC_LIST] = Field(default_factory=list)
    working_dir: str = ""
    ports: list[ContainerPort] = Field(default_factory=list)
    """The port that takes requests; at most one. Named h2c it speaks HTTP/2 without TLS."""
    env_from: Annotated[list[EnvFromSource], ATOMIC_LIST] = Field(default_factory=list)
    env: Annotated[list[EnvVar], _keyed_list("name")] = Field(default_factory=list)
    resources: Kept[ResourceRequirements] = Field(default_factory=ResourceRequirements)
    volume_mounts: Annotated[list[VolumeMount], _keyed_list("mountPath")] = Field(
        default_factory=list
    )
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    """When it answers, requests are sent; by default a TCP connection to the port."""
    startup_probe: Probe | None = None
    termination_message_path: str = ""
    termination_message_policy: Annotated[str, GoType("v1.TerminationMessagePolicy")] = ""
    image_pull_policy: Annotated[str, GoType("v1.PullPolicy")] = ""
    security_context: SecurityContext | None = None


class InitContainer(Container):
    """A container that runs before the others, of which the schema keeps everything."""

    go_type: ClassVar[str] = "v1.Container"
    lifecycle: Opaque | None = None


class PodSpec(Model):
    volumes: Annotated[list[Volume], _keyed_list("name")] = Field(default_factory=list)
    init_containers: Annotated[list[InitContainer], _PRESERVED_ITEMS] = Field(default_factory=list)
    """Needs the feature kubernetes.podspec-init-containers."""
    containers: Annotated[Kept[list[Container] | None], Required()] = None
    """The containers; the one with a port takes the requests."""
    dns_policy: Annotated[str, GoType("v1.DNSPolicy")] = ""
    """Needs the feature kubernetes.podspec-dnspolicy."""
    node_selector: Annotated[dict[str, str], Schema(_ATOMIC_MAP)] = Field(default_factory=dict)
    """Needs the feature kubernetes.podspec-nodeselector."""
    service_account_name: str = ""
    automount_service_account_token: bool | None = None
    """May only be false."""
    host_network: bool = False
    """Needs the feature kubernetes.podspec-hostnetwork."""
    host_pid: bool = Field(default=False, alias="hostPID")
    """Needs the feature kubernetes.podspec-hostpid."""
    host_ipc: bool = Field(default=False, alias="hostIPC")
    """Needs the feature kubernetes.podspec-hostipc."""
    share_process_namespace: bool | None = None
    """Needs the feature kubernetes.podspec-shareprocessnamespace."""
    security_context: Annotated[PodSecurityContext | None, _PRESERVED] = None
    """Needs the feature kubernetes.podspec-securitycontext."""
    image_pull_secrets: Annotated[list[LocalObjectReference], _keyed_list("name")] = Field(
        default_factory=list
    )
    affinity: Opaque | None = None
    """Needs the feature kubernetes.podspec-affinity."""
    scheduler_name: str = ""
    """Needs the feature kubernetes.podspec-schedulername."""
    tolerations: Annotated[list[dict[str, Any]], _PRESERVED_ITEMS] = Field(default_factory=list)
    """Needs the feature kubernetes.podspec-tolerations."""
    host_aliases: Annotated[list[dict[str, Any]], _PRESERVED_ITEMS] = Field(default_factory=list)
    """Needs the feature kubernetes.podspec-hostaliases."""
    priority_class_name: str = ""
    """Needs the feature kubernetes.podspec-priorityclassname."""
    dns_config: Opaque | None = None
    """Needs the feature kubernetes.podspec-dnsconfig."""
    runtime_class_name: str | None = None
    """Needs the feature kubernetes.podspec-runtimeclassname."""
    enable_service_links: bool | None = None
    topology_spread_constraints: Annotated[list[dict[str, Any]], _PRESERVED_ITEMS] = Field(
        default_factory=list
    )
    """Needs the feature kubernetes.podspec-topologyspreadconstraints."""
