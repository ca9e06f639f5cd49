"""The pod part of a revision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hearth.knative import fielderrors as fe
from hearth.knative.fielderrors import Errors, FieldError
from hearth.kube.gotext import quote
from hearth.kube.names import dns1123_subdomain_problems
from serving.api.config.features import DISABLED, ENABLED, FeaturesConfig
from serving.api.podspec import (
    Container,
    PodSecurityContext,
    PodSpec,
    SeccompProfile,
    SecurityContext,
)
from serving.api.validation.container import (
    MAX_ID,
    validate_init_container,
    validate_sidecar,
    validate_user_container,
)
from serving.api.validation.volumes import mounted_volumes, validate_volumes
from serving.api.volumes import Volume

_GATED = {
    "affinity": "podspec_affinity",
    "topology_spread_constraints": "podspec_topologyspreadconstraints",
    "host_aliases": "podspec_hostaliases",
    "node_selector": "podspec_nodeselector",
    "runtime_class_name": "podspec_runtimeclassname",
    "tolerations": "podspec_tolerations",
    "share_process_namespace": "podspec_shareprocessnamespace",
    "priority_class_name": "podspec_priorityclassname",
    "scheduler_name": "podspec_schedulername",
    "init_containers": "podspec_init_containers",
    "dns_policy": "podspec_dnspolicy",
    "dns_config": "podspec_dnsconfig",
    "host_ipc": "podspec_hostipc",
    "host_pid": "podspec_hostpid",
    "host_network": "podspec_hostnetwork",
}
"""Fields of the pod and the flag each needs."""
_ALIASES = {name: str(PodSpec.model_fields[name].alias) for name in PodSpec.model_fields}
_INSECURE = (
    "Kubernetes default value is insecure, Knative may default this to secure in a future release"
)


def validate_pod_spec(pod: PodSpec, features: FeaturesConfig) -> Errors:
    """Check the pod of a Revision: what it may have, by feature flags, and its parts."""
    containers = pod.containers or []
    hidden = disallowed_fields(pod, features)
    errors: Errors = [fe.disallowed(*hidden)] if hidden else []
    errors += fe.via(_pod_security(pod.security_context, features), "securityContext")
    if not features.secure_defaults:
        for index, container in enumerate(containers):
            errors += _insecure(pod, container, f"containers[{index}]")
        for index, container in enumerate(pod.init_containers):
            errors += _insecure(pod, container, f"initContainers[{index}]")
    volumes = {volume.name: volume for volume in pod.volumes}
    mounted = mounted_volumes([*pod.init_containers, *containers])
    errors += fe.via(validate_volumes(pod.volumes, mounted, features), "volumes")
    errors += _init_containers(pod, volumes, features)
    errors += fe.via(_port_count(containers), "containers[*]")
    errors += _containers(containers, volumes, features)
    if pod.service_account_name:
        errors += [
            fe.invalid(pod.service_account_name, "serviceAccountName", problem)
            for problem in dns1123_subdomain_problems(pod.service_account_name)
        ]
    return errors


def disallowed_fields(pod: PodSpec, features: FeaturesConfig) -> list[str]:
    """Fields that are set although no flag allows them, sorted."""
    fields = [
        _ALIASES[name]
        for name, flag in _GATED.items()
        if getattr(features, flag) == DISABLED and _is_set(pod, name)
    ]
    if pod.automount_service_account_token:
        fields.append("automountServiceAccountToken")
    if (
        pod.security_context is not None
        and features.podspec_securitycontext == DISABLED
        and features.secure_pod_defaults == DISABLED
    ):
        fields.append("securityContext")
    return sorted(fields)


def _is_set(pod: PodSpec, name: str) -> bool:
    """A pointer is set even when it points to false or to an empty text."""
    value = getattr(pod, name)
    return value is not None if PodSpec.model_fields[name].default is None else bool(value)


def _pod_security(context: PodSecurityContext | None, features: FeaturesConfig) -> Errors:
    if context is None:
        return []
    hidden = _hidden_security(context, features)
    errors: Errors = [fe.disallowed(*hidden)] if hidden else []
    for name, number in (
        ("runAsUser", context.run_as_user),
        ("runAsGroup", context.run_as_group),
        ("fsGroup", context.fs_group),
        *((f"supplementalGroups[{i}]", n) for i, n in enumerate(context.supplemental_groups)),
    ):
        if number is not None and not 0 <= number <= MAX_ID:
            errors.append(fe.out_of_bounds(0, number, MAX_ID, field=name))
    return errors


def _hidden_security(context: PodSecurityContext, features: FeaturesConfig) -> list[str]:
    allowed: set[str] = set()
    if features.podspec_securitycontext != DISABLED:
        allowed = {
            "run_as_user",
            "run_as_group",
            "run_as_non_root",
            "fs_group",
            "supplemental_groups",
            "seccomp_profile",
        }
    elif features.secure_defaults and _is_plain(context.seccomp_profile):
        allowed = {"seccomp_profile"}
    return sorted(
        str(info.alias)
        for name, info in PodSecurityContext.model_fields.items()
        if name not in allowed and getattr(context, name) not in (None, [])
    )


def _is_plain(profile: SeccompProfile | None) -> bool:
    return (
        profile is not None
        and profile.type in ("RuntimeDefault", "Unconfined")
        and profile.localhost_profile is None
    )


def _insecure(pod: PodSpec, container: Container, at: str) -> Errors:
    """Warnings about what Kubernetes leaves open when nothing is said."""
    outer = pod.security_context or PodSecurityContext()
    inner = container.security_context or SecurityContext()
    open_fields: list[str] = []
    errors: Errors = []
    if outer.run_as_non_root is None and inner.run_as_non_root is None:
        open_fields.append("runAsNonRoot")
    if inner.allow_privilege_escalation is None:
        open_fields.append("allowPrivilegeEscalation")
    profiles = [profile for profile in (outer.seccomp_profile, inner.seccomp_profile) if profile]
    if not profiles:
        open_fields.append("seccompProfile")
    elif not any(profile.type for profile in profiles):
        open_fields.append("seccompProfile.type")
    if inner.capabilities is None:
        open_fields.append("capabilities")
    elif not inner.capabilities.drop:
        open_fields.append("capabilities.drop")
    elif inner.capabilities.drop[0] == "all":
        errors.append(
            FieldError(
                "invalid value: all", ("capabilities.drop",), "Must be spelled as 'ALL'", True
            )
        )
    errors += [FieldError(_INSECURE, (name,), "", True) for name in open_fields]
    return fe.via(errors, at, "securityContext")


def _init_containers(
    pod: PodSpec, volumes: Mapping[str, Volume], features: FeaturesConfig
) -> Errors:
    containers = pod.init_containers
    if not containers:
        return []
    if features.podspec_init_containers != ENABLED:
        count = len(containers)
        return [
            FieldError(
                f"pod spec support for init-containers is off, but found {count} init containers"
            )
        ]
    names = {container.name for container in pod.containers or ()}
    errors: Errors = []
    for index, container in enumerate(containers):
        if container.name in names:
            errors = fe.via_index([*errors, _duplicate(container)], "containers", index)
        errors += fe.via_index(
            validate_init_container(container, volumes, features=features), "containers", index
        )
    return errors


def _duplicate(container: Container) -> FieldError:
    return FieldError(f"duplicate container name {quote(container.name)}", ("name",))


def _port_count(containers: Sequence[Container]) -> Errors:
    count = sum(len(container.ports) for container in containers)
    if count == 0 and len(containers) > 1:
        return [fe.missing("ports")]
    if count > 1:
        return [
            FieldError(
                "more than one container port is set",
                ("ports",),
                "Only a single port is allowed across all containers",
            )
        ]
    return []


def _containers(
    containers: Sequence[Container], volumes: Mapping[str, Volume], features: FeaturesConfig
) -> Errors:
    if not containers:
        return [fe.missing("containers")]
    port_name = _serving_port_name(containers)
    if len(containers) == 1:
        errors = validate_user_container(
            containers[0], volumes, port_name=port_name, features=features
        )
        return fe.via_index(errors, "containers", 0)
    if features.multi_container != ENABLED:
        return [FieldError(f"multi-container is off, but found {len(containers)} containers")]
    errors = []
    names: set[str] = set()
    for index, container in enumerate(containers):
        if container.name in names:
            errors = fe.via_index([*errors, _duplicate(container)], "containers", index)
        names.add(container.name)
        if container.ports:
            problems = validate_user_container(
                container, volumes, port_name=port_name, features=features
            )
        else:
            problems = validate_sidecar(container, volumes, features=features)
        errors += fe.via_index(problems, "containers", index)
    return errors


def _serving_port_name(containers: Sequence[Container]) -> str:
    """The name of the last port declared; probes may name no other."""
    names = [container.ports[0].name for container in containers if container.ports]
    return (names[-1] if names else "") or "http"
