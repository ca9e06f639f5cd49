"""Defaults of serving's specs. The functions change the model they are given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hearth.knative.names import child_name
from serving.api import keys
from serving.api.config.defaults import DefaultsConfig, container_name
from serving.api.config.features import ENABLED, FeaturesConfig
from serving.api.configuration import ConfigurationSpec
from serving.api.ingress import IngressSpec
from serving.api.podspec import (
    Capabilities,
    Container,
    PodSecurityContext,
    Probe,
    SeccompProfile,
    SecurityContext,
    TCPSocketAction,
)
from serving.api.revision import RevisionSpec
from serving.api.route import RouteSpec, TrafficTarget
from serving.api.settings import Context
from serving.api.validation.volumes import is_writable

_LOWEST_FREE_PORT = 1024


def default_configuration(
    spec: ConfigurationSpec, old: ConfigurationSpec | None, context: Context
) -> None:
    """A template that keeps its revision's name is left alone: defaults would be changes."""
    name = spec.template.metadata.name
    if old is None or not name or name != old.template.metadata.name:
        default_revision(spec.template.spec, context)


def default_route(spec: RouteSpec, *, in_service: bool) -> None:
    """Complete the traffic; a Service without any sends all to its latest Revision."""
    if in_service and not spec.traffic:
        spec.traffic = [TrafficTarget(percent=100, latest_revision=True)]
    for target in spec.traffic:
        if target.latest_revision is None:
            target.latest_revision = not target.revision_name
        if target.percent is None:
            target.percent = 0


def default_revision(spec: RevisionSpec, context: Context) -> None:
    """Complete timeouts, concurrency, names, resources, probes and security of a Revision."""
    defaults, features = context.settings.defaults, context.features
    _default_timeouts(spec, defaults)
    if spec.container_concurrency is None:
        spec.container_concurrency = defaults.container_concurrency
    containers = spec.containers or []
    taken = {container.name for container in (*containers, *spec.init_containers)}
    for group, template in (
        (containers, defaults.container_name_template),
        (spec.init_containers, defaults.init_container_name_template),
    ):
        _name_containers(group, taken, template=template, context=context)
    writable = {volume.name for volume in spec.volumes if is_writable(volume)}
    for container in containers:
        _default_container(container, defaults, writable=writable)
        if len(containers) == 1 or container.ports:
            _default_readiness(container)
        _complete_probes(container)
        _default_security(container, spec.security_context, features)
    for init in spec.init_containers:
        _default_security(init, spec.security_context, features)
    if containers and spec.enable_service_links is None and context.creating:
        spec.enable_service_links = defaults.enable_service_links


def _default_timeouts(spec: RevisionSpec, defaults: DefaultsConfig) -> None:
    """The narrower timeouts only where they are narrower."""
    timeout = spec.timeout_seconds = spec.timeout_seconds or defaults.revision_timeout_seconds
    idle = defaults.revision_idle_timeout_seconds
    if spec.idle_timeout_seconds is None and idle != 0 and idle < timeout:
        spec.idle_timeout_seconds = idle
    start = defaults.revision_response_start_timeout_seconds
    if spec.response_start_timeout_seconds is None and start != 0 and start < timeout:
        spec.response_start_timeout_seconds = start


def _name_containers(
    containers: Sequence[Container], taken: set[str], *, template: str, context: Context
) -> None:
    """The default name; with a number where there are several, or where it is taken."""
    number = 0
    for container in containers:
        if container.name:
            continue
        base = name = container_name(template, context.parent)
        if len(containers) > 1 or name in taken:
            while True:
                name, number = child_name(base, f"-{number}"), number + 1
                if name not in taken:
                    break
        container.name = name


def _default_container(
    container: Container, defaults: DefaultsConfig, *, writable: Iterable[str]
) -> None:
    resources = container.resources
    resources.requests = {**defaults.requests, **resources.requests}
    resources.limits = {**defaults.limits, **resources.limits}
    for mount in container.volume_mounts:
        if mount.name not in writable:
            mount.read_only = True


def _default_readiness(container: Container) -> None:
    probe = container.readiness_probe or Probe()
    container.readiness_probe = probe
    if not (probe.tcp_socket or probe.http_get or probe.exec or probe.grpc):
        probe.tcp_socket = TCPSocketAction()


def _complete_probes(container: Container) -> None:
    ready = container.readiness_probe
    if ready is not None:
        ready.success_threshold = ready.success_threshold or 1
        if ready.period_seconds:
            ready.failure_threshold = ready.failure_threshold or 3
            ready.timeout_seconds = ready.timeout_seconds or 1
    for probe in (ready, container.liveness_probe, container.startup_probe):
        if probe is not None and probe.grpc is not None and probe.grpc.service is None:
            probe.grpc.service = ""


def _default_security(
    container: Container, pod: PodSecurityContext | None, features: FeaturesConfig
) -> None:
    """The settings of Kubernetes' "restricted" profile, where the feature asks for them."""
    if not features.secure_defaults:
        return
    pod = pod or PodSecurityContext()
    context = container.security_context or SecurityContext()
    container.security_context = context
    if context.allow_privilege_escalation is None:
        context.allow_privilege_escalation = False
    if pod.seccomp_profile is None or not pod.seccomp_profile.type:
        profile = context.seccomp_profile = context.seccomp_profile or SeccompProfile()
        profile.type = profile.type or "RuntimeDefault"
    if context.capabilities is None:
        low = any(port.container_port < _LOWEST_FREE_PORT for port in container.ports)
        add = ["NET_BIND_SERVICE"] if low else []
        context.capabilities = Capabilities(drop=["ALL"], add=add)
    wanted = features.secure_pod_defaults == ENABLED and pod.run_as_non_root is None
    if wanted and context.run_as_non_root is None:
        context.run_as_non_root = True


def default_ingress(spec: IngressSpec) -> None:
    """Complete visibility and shares of a KIngress."""
    for rule in spec.rules:
        rule.visibility = rule.visibility or keys.EXTERNAL_IP
        for path in (rule.http.paths or ()) if rule.http else ():
            if path.splits and len(path.splits) == 1 and path.splits[0].percent == 0:
                path.splits[0].percent = 100
