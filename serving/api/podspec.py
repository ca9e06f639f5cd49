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
from serving.api.volumes import (
    ATOMIC_LIST,
    ATOMIC_MAP,
    EMPTY_DEFAULT,
    PRESERVED,
    LocalObjectReference,
    ObjectFieldSelector,
    ResourceFieldSelector,
    Volume,
)

ResourceList = Annotated[dict[str, Quantity], GoType("v1.ResourceList")]
_PRESERVED_ITEMS = Schema({"type": "array", "items": PRESERVE}, whole=True)
_PRESERVED_ATOMIC = Schema(PRESERVE | ATOMIC_MAP, whole=True)


def _keyed_list(key: str) -> Schema:
    return Schema({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]})


class ContainerPort(Model):
    """A port the container listens on."""

    name: str = ""
    """h2c for HTTP/2 without TLS, http1 or nothing for HTTP/1."""
    container_port: Kept[Int32] = 0
    """Where the container listens; PORT tells it, 8080 when left out."""
    protocol: Annotated[str, GoType("v1.Protocol"), Schema({"default": "TCP"})] = ""


class ConfigMapEnvSource(LocalObjectReference):
    """All keys of a ConfigMap as variables."""

    optional: bool | None = None


class SecretEnvSource(LocalObjectReference):
    """All keys of a Secret as variables."""

    optional: bool | None = None


class EnvFromSource(Model):
    """Where a set of variables comes from."""

    prefix: str = ""
    """Put before each name."""
    config_map_ref: ConfigMapEnvSource | None = None
    """All keys of a ConfigMap as variables."""
    secret_ref: SecretEnvSource | None = None
    """All keys of a Secret as variables."""


class ConfigMapKeySelector(LocalObjectReference):
    """One key of a ConfigMap."""

    key: Annotated[Kept[str], Required()] = ""
    optional: bool | None = None


class SecretKeySelector(LocalObjectReference):
    """One key of a Secret."""

    key: Annotated[Kept[str], Required()] = ""
    optional: bool | None = None


class EnvVarSource(Model):
    """Where the value of one variable comes from."""

    field_ref: Annotated[ObjectFieldSelector | None, _PRESERVED_ATOMIC] = None
    resource_field_ref: Annotated[ResourceFieldSelector | None, _PRESERVED_ATOMIC] = None
    config_map_key_ref: ConfigMapKeySelector | None = None
    """One key of a ConfigMap."""
    secret_key_ref: SecretKeySelector | None = None
    """One key of a Secret."""


class EnvVar(Model):
    """One variable of the environment."""

    name: Annotated[Kept[str], Required()] = ""
    """Not PORT, K_SERVICE, K_CONFIGURATION or K_REVISION: those are given."""
    value: str = ""
    value_from: EnvVarSource | None = None


class ResourceRequirements(Model):
    """What a container asks for and may use at most."""

    limits: ResourceList = Field(default_factory=dict)
    """The most it may use."""
    requests: ResourceList = Field(default_factory=dict)
    """What is kept for it."""


class VolumeMount(Model):
    """A volume as the container sees it."""

    name: Annotated[Kept[str], Required()] = ""
    """The volume."""
    read_only: bool = False
    """Always true but for emptyDir, persistentVolumeClaim and ephemeral."""
    mount_path: Annotated[Kept[str], Required()] = ""
    """Where it is found; not /, /dev or /dev/log."""
    sub_path: str = ""
    mount_propagation: Annotated[str | None, GoType("v1.MountPropagationMode")] = None


class ExecAction(Model):
    """A command that a probe runs."""

    command: Annotated[list[str], ATOMIC_LIST] = Field(default_factory=list)


class HTTPHeader(Model):
    """A header that a probe sends."""

    name: Annotated[Kept[str], Required()] = ""
    value: Annotated[Kept[str], Required()] = ""


class HTTPGetAction(Model):
    """An HTTP request that a probe makes."""

    path: str = ""
    """The path asked for."""
    port: Kept[IntOrString] = 0
    host: str = ""
    scheme: Annotated[str, GoType("v1.URIScheme")] = ""
    http_headers: Annotated[list[HTTPHeader], ATOMIC_LIST] = Field(default_factory=list)


class TCPSocketAction(Model):
    """A connection that a probe opens."""

    port: Kept[IntOrString] = 0
    host: str = ""


class GRPCAction(Model):
    """A gRPC health check that a probe makes."""

    port: Kept[Int32] = 0
    service: Annotated[str | None, EMPTY_DEFAULT] = None


class ProbeHandler(Model):
    """What a probe does; one of four."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    grpc: GRPCAction | None = None


class Probe(ProbeHandler):
    """What a probe does and how often; durations in seconds."""

    initial_delay_seconds: Int32 = 0
    """Time before the first try."""
    timeout_seconds: Int32 = 0
    """Time a try may take."""
    period_seconds: Int32 = 0
    """Time between tries; 0 for readiness: as often as possible until it is ready."""
    success_threshold: Int32 = 0
    """Successes in a row that count."""
    failure_threshold: Int32 = 0
    """Failures in a row that count."""


_Capability = Annotated[str, GoType("v1.Capability")]


class Capabilities(Model):
    """Capabilities to add and to drop."""

    add: Annotated[list[_Capability], ATOMIC_LIST] = Field(default_factory=list)
    drop: Annotated[list[_Capability], ATOMIC_LIST] = Field(default_factory=list)


class SeccompProfile(Model):
    """The system calls that are allowed."""

    type: Annotated[Kept[str], GoType("v1.SeccompProfileType"), Required()] = ""
    localhost_profile: str | None = None


class SecurityContext(Model):
    """The rights of one container."""

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
    app_armor_profile: Opaque | None = None
    supplemental_groups_policy: str | None = None
    se_linux_change_policy: str | None = Field(default=None, alias="seLinuxChangePolicy")


class Container(Model):
    """One container as a Revision may have it."""

    name: Kept[str] = ""
    """Name of the container; user-container when left out and there is one."""
    image: str = ""
    """Image to run. On one machine, a name of the local image store."""
    command: Annotated[list[str], ATOMIC_LIST] = Field(default_factory=list)
    """Instead of the image's entry point."""
    args: Annotated[list[str], ATOMIC_LIST] = Field(default_factory=list)
    """Instead of the image's arguments."""
    working_dir: str = ""
    """Instead of the image's working directory."""
    ports: list[ContainerPort] = Field(default_factory=list)
    """The port that takes requests; at most one. Named h2c it speaks HTTP/2 without TLS."""
    env_from: Annotated[list[EnvFromSource], ATOMIC_LIST] = Field(default_factory=list)
    """Environment from whole ConfigMaps and Secrets."""
    env: Annotated[list[EnvVar], _keyed_list("name")] = Field(default_factory=list)
    """Environment by name."""
    resources: Kept[ResourceRequirements] = Field(default_factory=ResourceRequirements)
    """Processor and memory."""
    volume_mounts: Annotated[list[VolumeMount], _keyed_list("mountPath")] = Field(
        default_factory=list
    )
    """Where volumes are found."""
    liveness_probe: Probe | None = None
    """When it fails, the container starts anew."""
    readiness_probe: Probe | None = None
    """When it answers, requests are sent; by default a TCP connection to the port."""
    startup_probe: Probe | None = None
    """Until it succeeds, no other probe runs."""
    termination_message_path: str = ""
    """File with last words."""
    termination_message_policy: Annotated[str, GoType("v1.TerminationMessagePolicy")] = ""
    """File, or FallbackToLogsOnError, which is the default here."""
    image_pull_policy: Annotated[str, GoType("v1.PullPolicy")] = ""
    """Always, IfNotPresent or Never."""
    security_context: SecurityContext | None = None
    """Who the process is, and what it may do."""


class InitContainer(Container):
    """A container that runs before the others, of which the schema keeps everything."""

    go_type: ClassVar[str] = "v1.Container"
    lifecycle: Opaque | None = None
    restart_policy: str | None = None
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    resize_policy: list[Opaque] = Field(default_factory=list)
    volume_devices: list[Opaque] = Field(default_factory=list)


class PodSpec(Model):
    """The parts of Kubernetes' PodSpec that a Revision may have."""

    volumes: Annotated[list[Volume], _keyed_list("name")] = Field(default_factory=list)
    """What containers can mount; each has to be mounted."""
    init_containers: Annotated[list[InitContainer], _PRESERVED_ITEMS] = Field(default_factory=list)
    """Needs the feature kubernetes.podspec-init-containers."""
    containers: Annotated[Kept[list[Container] | None], Required()] = None
    """The containers; the one with a port takes the requests."""
    dns_policy: Annotated[str, GoType("v1.DNSPolicy")] = ""
    """Needs the feature kubernetes.podspec-dnspolicy."""
    node_selector: Annotated[dict[str, str], Schema(ATOMIC_MAP)] = Field(default_factory=dict)
    """Needs the feature kubernetes.podspec-nodeselector."""
    service_account_name: str = ""
    """The account the pod talks to the API with."""
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
    security_context: Annotated[PodSecurityContext | None, PRESERVED] = None
    """Needs the feature kubernetes.podspec-securitycontext."""
    image_pull_secrets: Annotated[list[LocalObjectReference], _keyed_list("name")] = Field(
        default_factory=list
    )
    """Secrets with the passwords of registries."""
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
    """Whether each Service of the namespace is in the environment."""
    topology_spread_constraints: Annotated[list[dict[str, Any]], _PRESERVED_ITEMS] = Field(
        default_factory=list
    )
    """Needs the feature kubernetes.podspec-topologyspreadconstraints."""
