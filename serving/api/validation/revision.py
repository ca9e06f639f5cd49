"""Revisions and the templates they are made from."""

from __future__ import annotations

from collections.abc import Mapping

from hearth.knative import fielderrors as fe
from hearth.knative.fielderrors import Errors, FieldError
from hearth.knative.structdiff import short_diff
from hearth.kube.gotext import format_float, format_list, parse_finite, quote
from hearth.kube.names import dns1035_label_problems
from hearth.kube.quantity import parse_quantity
from serving.api import keys
from serving.api.affinity import parse_affinity
from serving.api.config.defaults import DefaultsConfig
from serving.api.revision import RevisionSpec, RevisionTemplateSpec
from serving.api.settings import Context
from serving.api.validation.autoscaling import (
    no_live_annotations,
    validate_annotations,
    validate_own_annotations,
)
from serving.api.validation.hearth import validate_template_annotations
from serving.api.validation.metadata import networking_annotations, whole_positive_duration
from serving.api.validation.names import generate_name_problems
from serving.api.validation.podspec import validate_pod_spec


def validate_template(template: RevisionTemplateSpec, context: Context) -> Errors:
    """Check a template: spec, annotations and the Revision's name."""
    annotations = template.metadata.annotations
    errors = fe.via(validate_spec(template.spec, context), "spec")
    about_annotations = (
        validate_annotations(annotations, context.settings.autoscaler)
        + networking_annotations(annotations)
        + _sidecar_annotations(annotations)
        + whole_positive_duration(annotations, keys.PROGRESS_DEADLINE, called="progress-deadline")
        + _session_affinity(annotations)
        + validate_own_annotations(annotations, context.settings.autoscaler)
        + no_live_annotations(annotations)
        + validate_template_annotations(annotations, _own_port(template.spec))
    )
    errors += fe.via(about_annotations, "metadata", "annotations")
    return errors + _template_name(template, context)


def _own_port(spec: RevisionSpec) -> int:
    """The port of the serving container: the one there is, or the usual."""
    numbers = (port.container_port for each in spec.containers or () for port in each.ports or ())
    return next((number for number in numbers if number), keys.DEFAULT_USER_PORT)


def validate_spec(spec: RevisionSpec, context: Context) -> Errors:
    """Check pod, timeout and concurrency of a Revision."""
    defaults = context.settings.defaults
    errors = validate_pod_spec(spec, context.features)
    timeout, longest = spec.timeout_seconds, defaults.max_revision_timeout_seconds
    if timeout is not None and not 0 <= timeout <= longest:
        errors.append(fe.out_of_bounds(0, timeout, longest, field="timeoutSeconds"))
    concurrency = validate_concurrency(spec.container_concurrency, defaults)
    return errors + fe.via(concurrency, "containerConcurrency")


def validate_concurrency(concurrency: int | None, defaults: DefaultsConfig) -> Errors:
    """Check containerConcurrency against the limits of config-defaults."""
    low = 0 if defaults.allow_container_concurrency_zero else 1
    high = defaults.container_concurrency_max_limit
    if concurrency is None or low <= concurrency <= high:
        return []
    return [fe.out_of_bounds(low, concurrency, high, field="")]


def _template_name(template: RevisionTemplateSpec, context: Context) -> Errors:
    """A name given to the revision has to begin with that of its parent."""
    prefix, name = template.metadata.generate_name, template.metadata.name
    if prefix and (problems := generate_name_problems(prefix)):
        text = f"not a DNS 1035 label prefix: {format_list(problems)}"
        return [fe.invalid(text, "metadata.generateName")]
    if not name:
        return []
    if problems := dns1035_label_problems(name):
        return [fe.invalid(f"not a DNS 1035 label: {format_list(problems)}", "metadata.name")]
    parent = context.parent.get("name", "")
    if not parent and context.parent.get("generateName"):
        return [fe.disallowed("metadata.name")]
    if not name.startswith(f"{parent}-"):
        text = f"{quote(name)} must have prefix {quote(f'{parent}-')}"
        return [fe.invalid(text, "metadata.name")]
    return []


def _session_affinity(annotations: Mapping[str, str]) -> Errors:
    text = annotations.get(keys.SESSION_AFFINITY)
    if text is None:
        return []
    try:
        parse_affinity(text)
    except ValueError as error:
        return [fe.invalid(text, f"[{keys.SESSION_AFFINITY}]", str(error))]
    return []


def _sidecar_annotations(annotations: Mapping[str, str]) -> Errors:
    errors: Errors = []
    entry = keys.SIDECAR_RESOURCE_PERCENTAGE.find(annotations)
    if entry is not None:
        errors += _percentage(*entry)
    for aliases in keys.SIDECAR_RESOURCES:
        entry = aliases.find(annotations)
        if entry is None:
            continue
        try:
            parse_quantity(entry[1])
        except ValueError:
            errors.append(fe.invalid(entry[1], f"[{entry[0]}]"))
    return errors


def _percentage(key: str, text: str) -> Errors:
    errors: Errors = [
        FieldError(
            "Queue proxy resource percentage annotation is deprecated. Please use the available "
            "annotations to explicitly set resource values per service",
            warning=True,
        )
    ]
    try:
        value = parse_finite(text)
    except ValueError:
        return [*errors, fe.invalid(text, f"[{key}]")]
    if not 0.1 <= value <= 100:
        errors.append(fe.out_of_bounds("0.1", format_float(value), "100", field=f"[{key}]"))
    return errors


def validate_name_change(old: RevisionTemplateSpec, new: RevisionTemplateSpec) -> Errors:
    """A template that names its revision gets a new name with each change."""
    if not new.metadata.name or new.metadata.name != old.metadata.name:
        return []
    diff = short_diff(old, new, "*v1.RevisionTemplateSpec")
    if not diff:
        return []
    message = "Saw the following changes without a name change (-old +new)"
    return [FieldError(message, ("metadata.name",), diff)]


def validate_immutable(old: RevisionSpec, new: RevisionSpec) -> Errors:
    """Complain about any change of a Revision."""
    diff = short_diff(old, new, "v1.RevisionSpec")
    return [FieldError("Immutable fields changed (-old +new)", ("spec",), diff)] if diff else []
