"""Serving's kinds as admission knows them: model, defaults, checks, what a dry run tries. Pure."""

from __future__ import annotations

from typing import Any

from hearth.knative import fielderrors as fe
from hearth.knative import resources
from hearth.knative.admission.kinds import Change, Decoded, Kind, Metadata, Trial
from hearth.knative.fielderrors import Errors
from hearth.kube.names import (
    c_identifier_problems,
    dns1123_label_problems,
    qualified_name_problems,
)
from hearth.kube.resources import PODS
from serving.api import keys
from serving.api.configuration import ConfigurationSpec
from serving.api.defaulting import (
    default_configuration,
    default_ingress,
    default_revision,
    default_route,
)
from serving.api.domainmapping import DomainMappingSpec, KReference
from serving.api.ingress import CertificateSpec, IngressSpec
from serving.api.podautoscaler import ObjectReference, PodAutoscalerSpec
from serving.api.revision import RevisionSpec
from serving.api.route import RouteSpec
from serving.api.service import ServiceSpec
from serving.api.settings import Context, Settings
from serving.api.validation.autoscaling import (
    validate_annotations,
    validate_live,
    validate_own_annotations,
)
from serving.api.validation.hearth import (
    validate_domain_annotations,
    validate_revision_annotations,
    validate_rollout_annotations,
    validate_service_annotations,
)
from serving.api.validation.ingress import validate_certificate, validate_ingress
from serving.api.validation.metadata import (
    annotations_of,
    creator_and_modifier,
    label_names_owner,
    no_autoscaling_annotations,
    validate_name,
    whole_positive_duration,
)
from serving.api.validation.names import domain_problem
from serving.api.validation.revision import (
    validate_concurrency,
    validate_immutable,
    validate_name_change,
    validate_spec,
    validate_template,
)
from serving.api.validation.route import validate_traffic
from serving.webhook.dryrun import make_pod


def _context(change: Change[Any, Settings]) -> Context:
    return Context(change.settings, creating=change.creating, parent=change.new.metadata)


def _always(obj: Decoded[Any]) -> bool:
    return True


def _is_unowned(obj: Decoded[Any]) -> bool:
    return not obj.is_owned


def _signature_errors(change: Change[Any, Settings]) -> Errors:
    """Complaints about creator and last modifier, which only the webhook may write."""
    if change.old is None:
        return []
    return creator_and_modifier(
        change.old.metadata, change.new.metadata, spec_changed=change.is_spec_changed
    )


def _parent_metadata(metadata: Metadata, *, rollout: bool) -> Errors:
    """Complaints about the metadata of a kind above revisions."""
    annotations = annotations_of(metadata)
    about = no_autoscaling_annotations(annotations)
    if rollout:
        about += whole_positive_duration(
            annotations, keys.ROLLOUT_DURATION, called="rollout-duration"
        )
    return validate_name(metadata) + fe.via(about, "annotations")


def _template_errors(
    change: Change[ServiceSpec, Settings] | Change[ConfigurationSpec, Settings],
) -> Errors:
    """Complaints about a revision template, seen from ``spec.template``."""
    template = change.new.spec.template
    errors = validate_template(template, _context(change))
    if change.old is not None:
        errors += validate_name_change(change.old.spec.template, template)
    return fe.via(errors, "spec", "template")


# -- Service -------------------------------------------------------------------------------------


def _default_service(change: Change[ServiceSpec, Settings]) -> None:
    old = change.old.spec if change.old else None
    default_configuration(change.new.spec, old, _context(change))
    default_route(change.new.spec, in_service=True)


def _validate_service(change: Change[ServiceSpec, Settings]) -> Errors:
    errors = _parent_metadata(change.new.metadata, rollout=True)
    about = _signature_errors(change)
    about += validate_own_annotations(change.new.annotations, change.settings.autoscaler)
    of_template = change.new.spec.template.metadata.annotations
    scaler = keys.CLASS.value(of_template) or change.settings.autoscaler.pod_autoscaler_class
    about += validate_rollout_annotations(change.new.annotations, scaler)
    about += validate_service_annotations(change.new.annotations)
    about += validate_live(change.new.annotations, of_template, change.settings.autoscaler)
    errors += fe.via(about, "annotations")
    traffic = validate_traffic(change.new.spec.traffic, in_service=True)
    return fe.via(errors, "metadata") + fe.via(traffic, "spec") + _template_errors(change)


def _pod(change: Change[Any, Settings]) -> Trial:
    """Try the pod that a revision of the template would get."""
    pod = make_pod(change.new.namespace, change.new.spec.template.spec, change.settings)
    return Trial(PODS, pod, "spec.template")


# -- Configuration -------------------------------------------------------------------------------


def _default_configuration(change: Change[ConfigurationSpec, Settings]) -> None:
    old = change.old.spec if change.old else None
    default_configuration(change.new.spec, old, _context(change))


def _validate_configuration(change: Change[ConfigurationSpec, Settings]) -> Errors:
    metadata = change.new.metadata
    errors = _parent_metadata(metadata, rollout=False)
    errors += fe.via(label_names_owner(metadata, keys.SERVICE, "Service"), "labels")
    if not change.new.is_owned:
        errors += fe.via(_signature_errors(change), "annotations")
    return fe.via(errors, "metadata") + _template_errors(change)


def _try_configuration(change: Change[ConfigurationSpec, Settings]) -> Trial | None:
    """Try the pod, unless a Service owns the Configuration and has tried it already."""
    return None if keys.SERVICE in change.new.labels else _pod(change)


# -- Route ---------------------------------------------------------------------------------------


def _default_route(change: Change[RouteSpec, Settings]) -> None:
    default_route(change.new.spec, in_service=False)


def _validate_route(change: Change[RouteSpec, Settings]) -> Errors:
    metadata = change.new.metadata
    errors = _parent_metadata(metadata, rollout=True)
    errors += fe.via(label_names_owner(metadata, keys.SERVICE, "Service"), "labels")
    if not change.new.is_owned:
        errors += fe.via(_signature_errors(change), "annotations")
    traffic = validate_traffic(change.new.spec.traffic, in_service=False)
    return fe.via(errors, "metadata") + fe.via(traffic, "spec")


# -- Revision ------------------------------------------------------------------------------------


def _default_revision(change: Change[RevisionSpec, Settings]) -> None:
    # An update must not change what never changes.
    if change.creating:
        default_revision(change.new.spec, _context(change))


def _validate_revision(change: Change[RevisionSpec, Settings]) -> Errors:
    new, old = change.new, change.old
    if old is not None and (changed := validate_immutable(old.spec, new.spec)):
        return changed
    about = validate_annotations(new.annotations, change.settings.autoscaler)
    about += validate_revision_annotations(new.annotations)
    labels = label_names_owner(new.metadata, keys.CONFIGURATION, "Configuration")
    errors = validate_name(new.metadata) + fe.via(about, "annotations") + fe.via(labels, "labels")
    errors = fe.via(errors, "metadata")
    if old is None:
        errors += fe.via(validate_spec(new.spec, _context(change)), "spec")
    return errors


# -- DomainMapping -------------------------------------------------------------------------------


def _default_domain_mapping(change: Change[DomainMappingSpec, Settings]) -> None:
    reference = change.new.spec.ref
    reference.namespace = reference.namespace or change.new.namespace


def _validate_domain_mapping(change: Change[DomainMappingSpec, Settings]) -> Errors:
    name = change.new.name
    errors: Errors = []
    if change.new.metadata.get("generateName"):
        errors.append(fe.disallowed("generateName"))
    if problem := domain_problem(name):
        errors.append(fe.FieldError(f'invalid name "{name}": {problem}', ("name",)))
    cluster_domain = change.settings.cluster_domain
    if name.endswith(f".{cluster_domain}"):
        errors.append(
            fe.FieldError(
                f'invalid name "{name}": must not be a subdomain of cluster local domain '
                f'"{cluster_domain}"',
                ("name",),
            )
        )
    about = _signature_errors(change) + validate_domain_annotations(change.new.annotations)
    errors += fe.via(about, "annotations")
    reference = _reference(change.new.spec.ref, change.new.namespace)
    return fe.via(errors, "metadata") + fe.via(reference, "spec", "ref")


def _reference(reference: KReference, namespace: str) -> Errors:
    absent = [
        field
        for field, value in (
            ("name", reference.name),
            ("apiVersion", reference.api_version),
            ("kind", reference.kind),
        )
        if not value
    ]
    errors = [fe.missing(field) for field in absent]
    if reference.group:
        errors.append(fe.disallowed("group"))
    if reference.namespace and namespace and reference.namespace != namespace:
        details = f'parent namespace: "{namespace}" does not match ref: "{reference.namespace}"'
        errors.append(fe.FieldError("mismatched namespaces", ("namespace",), details))
    return errors


# -- PodAutoscaler -------------------------------------------------------------------------------


def _default_podautoscaler(change: Change[PodAutoscalerSpec, Settings]) -> None:
    annotations = dict(change.new.annotations)
    scaler = annotations.setdefault(keys.CLASS.key, change.settings.autoscaler.pod_autoscaler_class)
    metrics = {keys.KPA_CLASS: keys.METRIC_CONCURRENCY, keys.HPA_CLASS: keys.METRIC_CPU}
    annotations.setdefault(keys.METRIC.key, metrics.get(scaler, ""))
    change.new.put("annotations", annotations)


def _validate_podautoscaler(change: Change[PodAutoscalerSpec, Settings]) -> Errors:
    about = validate_annotations(change.new.annotations, change.settings.autoscaler)
    errors = validate_name(change.new.metadata) + fe.via(about, "annotations")
    scaler = _scaler(change.new.spec, change.settings)
    return fe.via(errors, "metadata") + fe.via(scaler, "spec")


def _scaler(spec: PodAutoscalerSpec, settings: Settings) -> Errors:
    if spec == PodAutoscalerSpec():
        return [fe.missing("")]
    errors = fe.via(_scale_target(spec.scale_target_ref), "scaleTargetRef")
    concurrency = validate_concurrency(spec.container_concurrency, settings.defaults)
    errors += fe.via(concurrency, "containerConcurrency")
    if not spec.protocol_type:
        errors.append(fe.missing("protocolType"))
    elif spec.protocol_type not in (keys.PROTOCOL_H2C, keys.PROTOCOL_HTTP1):
        errors.append(fe.invalid(spec.protocol_type, "protocolType"))
    return errors


def _scale_target(reference: ObjectReference) -> Errors:
    errors: Errors = []
    for field, value, problems_of in (
        ("apiVersion", reference.api_version, qualified_name_problems),
        ("kind", reference.kind, c_identifier_problems),
        ("name", reference.name, dns1123_label_problems),
    ):
        if not value:
            errors.append(fe.missing(field))
        elif problems := problems_of(value):
            errors.append(fe.invalid(", ".join(problems), field))
    return errors


# -- Ingress and Certificate ---------------------------------------------------------------------


def _default_ingress(change: Change[IngressSpec, Settings]) -> None:
    default_ingress(change.new.spec)


def _validate_ingress(change: Change[IngressSpec, Settings]) -> Errors:
    return fe.via(validate_ingress(change.new.spec, change.new.namespace), "spec")


def _validate_certificate(change: Change[CertificateSpec, Settings]) -> Errors:
    return fe.via(validate_certificate(change.new.spec), "spec")


KINDS: tuple[Kind[Any, Settings], ...] = (
    Kind(
        resource=resources.KSERVICES,
        spec=ServiceSpec,
        default=_default_service,
        validate=_validate_service,
        is_signed=_always,
        trial=_pod,
    ),
    Kind(
        resource=resources.CONFIGURATIONS,
        spec=ConfigurationSpec,
        default=_default_configuration,
        validate=_validate_configuration,
        is_signed=_is_unowned,
        trial=_try_configuration,
    ),
    Kind(
        resource=resources.ROUTES,
        spec=RouteSpec,
        default=_default_route,
        validate=_validate_route,
        is_signed=_is_unowned,
    ),
    Kind(
        resource=resources.REVISIONS,
        spec=RevisionSpec,
        default=_default_revision,
        validate=_validate_revision,
    ),
    Kind(
        resource=resources.DOMAINMAPPINGS,
        spec=DomainMappingSpec,
        default=_default_domain_mapping,
        validate=_validate_domain_mapping,
        is_signed=_always,
    ),
    Kind(
        resource=resources.PODAUTOSCALERS,
        spec=PodAutoscalerSpec,
        default=_default_podautoscaler,
        validate=_validate_podautoscaler,
    ),
    Kind(
        resource=resources.KINGRESSES,
        spec=IngressSpec,
        default=_default_ingress,
        validate=_validate_ingress,
    ),
    Kind(resource=resources.CERTIFICATES, spec=CertificateSpec, validate=_validate_certificate),
)
