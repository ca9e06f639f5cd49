"""Containers of a revision: the one that serves, its sidecars, and those that run before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hearth.knative import fielderrors as fe
from hearth.knative.fielderrors import Errors, FieldError
from hearth.kube.gotext import quote
from serving.api import keys
from serving.api.config.features import DISABLED, ENABLED, FeaturesConfig
from serving.api.podspec import (
    Capabilities,
    Container,
    ContainerPort,
    EnvFromSource,
    EnvVar,
    InitContainer,
    SecurityContext,
)
from serving.api.validation.image import is_reference
from serving.api.validation.probes import (
    disallowed_probe,
    validate_probe,
    validate_readiness_probe,
)
from serving.api.validation.volumes import validate_mounts
from serving.api.volumes import Volume

MAX_ID = 2**31 - 1
_PORT_NAMES = ("", keys.PROTOCOL_H2C, keys.PROTOCOL_HTTP1)
_TERMINATION_POLICIES = ("", "File", "FallbackToLogsOnError")
_SIDECAR_RESERVED = keys.RESERVED_ENVIRONMENT - {"PORT"}
_NOT_IN_INIT = "field not allowed in an init container"

Volumes = Mapping[str, Volume]


def validate_user_container(
    container: Container, volumes: Volumes, *, port_name: str, features: FeaturesConfig
) -> Errors:
    """The container that takes requests."""
    return (
        fe.via(validate_probe(container.liveness_probe, port_name), "livenessProbe")
        + fe.via(validate_readiness_probe(container.readiness_probe, port_name), "readinessProbe")
        + fe.via(validate_probe(container.startup_probe, port_name), "startupProbe")
        + _validate(container, volumes, features=features, reserved=keys.RESERVED_ENVIRONMENT)
    )


def validate_sidecar(container: Container, volumes: Volumes, *, features: FeaturesConfig) -> Errors:
    """Check a container that gets no requests."""
    probes = {
        "livenessProbe": container.liveness_probe,
        "readinessProbe": container.readiness_probe,
        "startupProbe": container.startup_probe,
    }
    errors: Errors = []
    for name, probe in probes.items():
        if features.multi_container_probing != ENABLED:
            errors += fe.via(disallowed_probe(probe), name)
        elif name == "readinessProbe":
            errors += fe.via(validate_readiness_probe(probe, None), name)
        else:
            errors += fe.via(validate_probe(probe, None), name)
    return errors + _validate(container, volumes, features=features, reserved=_SIDECAR_RESERVED)


def validate_init_container(
    container: InitContainer, volumes: Volumes, *, features: FeaturesConfig
) -> Errors:
    """Check a container that runs before the others."""
    unwanted = {
        "livenessProbe": container.liveness_probe,
        "readinessProbe": container.readiness_probe,
        "startupProbe": container.startup_probe,
        "lifecycle": container.lifecycle,
    }
    errors = [FieldError(_NOT_IN_INIT, (n,)) for n, value in unwanted.items() if value is not None]
    hidden = [
        str(InitContainer.model_fields[name].alias)
        for name in sorted(InitContainer.model_fields.keys() - Container.model_fields.keys())
        if getattr(container, name) not in (None, False, [])
    ]
    if hidden:
        errors.append(fe.disallowed(*hidden))
    errors += _validate(
        container, volumes, features=features, reserved=_SIDECAR_RESERVED, serves=False
    )
    return errors


def _validate(
    container: Container,
    volumes: Volumes,
    *,
    features: FeaturesConfig,
    reserved: frozenset[str],
    serves: bool = True,
) -> Errors:
    if container == type(container)():
        return [fe.missing("")]
    errors: Errors = []
    if container.name == keys.SIDECAR_CONTAINER:
        message = f"{quote(container.name)} is a reserved container name"
        errors.append(FieldError(message, ("name",)))
    errors += fe.via(_environment(container.env, reserved, features=features), "env")
    errors += fe.via(_environment_sources(container.env_from), "envFrom")
    errors += _image(container.image)
    ports = container.ports[:1] if serves else container.ports
    for port in ports:
        errors += fe.via(_port(port, serves=serves), "ports")
    errors += fe.via(_security(container.security_context, features), "securityContext")
    policy = container.termination_message_policy
    if policy not in _TERMINATION_POLICIES:
        errors.append(fe.invalid(policy, "terminationMessagePolicy"))
    errors += fe.via(validate_mounts(container.volume_mounts, volumes, features), "volumeMounts")
    return errors


def _image(image: str) -> Errors:
    if not image:
        return [fe.missing("image")]
    if is_reference(image):
        return []
    details = f"image: {quote(image)}, error: could not parse reference: {image}"
    return [FieldError("Failed to parse image reference", ("image",), details)]


def _environment(
    variables: Sequence[EnvVar], reserved: frozenset[str], *, features: FeaturesConfig
) -> Errors:
    errors: Errors = []
    for index, variable in enumerate(variables):
        problems: Errors = []
        if not variable.name:
            problems.append(fe.missing("name"))
        elif variable.name in reserved:
            message = f"{quote(variable.name)} is a reserved environment variable"
            problems.append(FieldError(message, ("name",)))
        source = variable.value_from
        if source is not None and features.podspec_fieldref == DISABLED:
            hidden = [
                name
                for name, value in (
                    ("fieldRef", source.field_ref),
                    ("resourceFieldRef", source.resource_field_ref),
                )
                if value is not None
            ]
            if hidden:
                problems += fe.via([fe.disallowed(*hidden)], "valueFrom")
        errors += fe.via(problems, f"[{index}]")
    return errors


def _environment_sources(sources: Sequence[EnvFromSource]) -> Errors:
    errors: Errors = []
    for index, source in enumerate(sources):
        # As in Knative, what was found before is put below this entry once more.
        if source.secret_ref is not None:
            errors = fe.via(errors, "secretRef", f"[{index}]")
        if source.config_map_ref is not None:
            errors = fe.via(errors, "configMapRef", f"[{index}]")
        both = ("configMapRef", "secretRef")
        if source.secret_ref is not None and source.config_map_ref is not None:
            errors.append(fe.multiple_one_of(*both))
        elif source.secret_ref is None and source.config_map_ref is None:
            errors.append(fe.missing_one_of(*both))
    return errors


def _port(port: ContainerPort, *, serves: bool) -> Errors:
    number = port.container_port
    errors: Errors = []
    if number in keys.RESERVED_PORTS:
        taken = f"{number} is a reserved port"
        errors.append(fe.invalid(taken, "containerPort", f"{taken}, please use a different value"))
    if not 0 <= number <= 65535:
        errors.append(fe.out_of_bounds(0, number, 65535, field="containerPort"))
    if not serves:
        return errors
    if port.protocol not in ("", "TCP"):
        errors.append(fe.invalid(port.protocol, "protocol"))
    if port.name not in _PORT_NAMES:
        errors.append(
            FieldError(
                f"Port name {port.name} is not allowed",
                ("",),
                "Name must be empty, or one of: 'h2c', 'http1'",
            )
        )
    return errors


def _security(context: SecurityContext | None, features: FeaturesConfig) -> Errors:
    if context is None:
        return []
    errors: Errors = [fe.disallowed("privileged")] if context.privileged else []
    if context.capabilities is not None and _adds_too_much(context.capabilities, features):
        errors.append(fe.disallowed("capabilities.add"))
    for name, number in (("runAsUser", context.run_as_user), ("runAsGroup", context.run_as_group)):
        if number is not None and not 0 <= number <= MAX_ID:
            errors.append(fe.out_of_bounds(0, number, MAX_ID, field=name))
    return errors


def _adds_too_much(capabilities: Capabilities, features: FeaturesConfig) -> bool:
    if not capabilities.add or features.containerspec_addcapabilities == ENABLED:
        return False
    return not (features.secure_defaults and capabilities.add == ["NET_BIND_SERVICE"])
