"""What the webhooks do with each kind: its model, its defaults, its checks. Pure.

A kind works on its decoded spec; metadata stays a dictionary, status is never looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from hearth.knative import fielderrors as fe
from hearth.knative.fielderrors import Errors
from hearth.kube.models import Model
from hearth.kube.names import dns1123_label_problems, qualified_name_problems
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
from serving.api.settings import Context
from serving.api.validation.autoscaling import validate_annotations
from serving.api.validation.ingress import validate_certificate, validate_ingress
from serving.api.validation.metadata import (
    annotations_of,
    creator_and_modifier,
    label_names_owner,
    no_autoscaling_annotations,
    validate_name,
    whole_positive_duration,
)
from serving.api.validation.names import (
    c_identifier_problems,
    domain_problem,
)
from serving.api.validation.revision import (
    validate_concurrency,
    validate_immutable,
    validate_name_change,
    validate_spec,
    validate_template,
)
from serving.api.validation.route import validate_traffic

S = TypeVar("S", bound=Model)
Metadata = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Decoded(Generic[S]):
    """One object as a kind sees it."""

    metadata: Metadata
    spec: S


class KindRules(Generic[S]):
    """Rules of one kind; the methods do nothing by default."""

    spec: type[S]

    def default(self, new: Decoded[S], old: Decoded[S] | None, context: Context) -> None:
        """Changes the new object."""

    def signs(self, metadata: Mapping[str, Any]) -> bool:
        """Whether creator and last modifier are noted on the object."""
        return False

    def validate(self, new: Decoded[S], old: Decoded[S] | None, context: Context) -> Errors:
        return []


def sign(metadata: Metadata, username: str, *, creating: bool) -> None:
    """Notes who made or changed the object."""
    annotations = {**(metadata.get("annotations") or {}), keys.LAST_MODIFIER: username}
    if creating:
        annotations[keys.CREATOR] = username
    metadata["annotations"] = annotations


def _unowned(metadata: Mapping[str, Any]) -> bool:
    return not metadata.get("ownerReferences")


def _signatures(new: Decoded[S], old: Decoded[S] | None, *at: str) -> Errors:
    if old is None:
        return []
    changed = old.spec != new.spec
    found = creator_and_modifier(old.metadata, new.metadata, spec_changed=changed)
    return fe.via(found, *at)


def _parent_metadata(metadata: Metadata, *, rollout: bool) -> Errors:
    """Metadata of a kind above revisions."""
    annotations = annotations_of(metadata)
    about = no_autoscaling_annotations(annotations)
    if rollout:
        about += whole_positive_duration(
            annotations, keys.ROLLOUT_DURATION, called="rollout-duration"
        )
    return validate_name(metadata) + fe.via(about, "annotations")


class ServiceRules(KindRules[ServiceSpec]):
    spec = ServiceSpec

    def default(
        self, new: Decoded[ServiceSpec], old: Decoded[ServiceSpec] | None, context: Context
    ) -> None:
        default_configuration(new.spec, old.spec if old else None, context)
        default_route(new.spec, in_service=True)

    def signs(self, metadata: Mapping[str, Any]) -> bool:
        return True

    def validate(
        self, new: Decoded[ServiceSpec], old: Decoded[ServiceSpec] | None, context: Context
    ) -> Errors:
        errors = fe.via(_parent_metadata(new.metadata, rollout=True), "metadata")
        template = validate_template(new.spec.template, context)
        traffic = validate_traffic(new.spec.traffic, in_service=True)
        errors += fe.via(fe.via(template, "template") + traffic, "spec")
        errors += _signatures(new, old, "metadata", "annotations")
        if old is not None:
            renamed = validate_name_change(old.spec.template, new.spec.template)
            errors += fe.via(renamed, "spec", "template")
        return errors


class ConfigurationRules(KindRules[ConfigurationSpec]):
    spec = ConfigurationSpec

    def default(
        self,
        new: Decoded[ConfigurationSpec],
        old: Decoded[ConfigurationSpec] | None,
        context: Context,
    ) -> None:
        default_configuration(new.spec, old.spec if old else None, context)

    def signs(self, metadata: Mapping[str, Any]) -> bool:
        return _unowned(metadata)

    def validate(
        self,
        new: Decoded[ConfigurationSpec],
        old: Decoded[ConfigurationSpec] | None,
        context: Context,
    ) -> Errors:
        labels = label_names_owner(new.metadata, keys.SERVICE, "Service")
        errors = _parent_metadata(new.metadata, rollout=False) + fe.via(labels, "labels")
        errors = fe.via(errors, "metadata")
        errors += fe.via(validate_template(new.spec.template, context), "spec", "template")
        if _unowned(new.metadata):
            errors += _signatures(new, old, "metadata", "annotations")
        if old is not None:
            renamed = validate_name_change(old.spec.template, new.spec.template)
            errors += fe.via(renamed, "spec", "template")
        return errors


class RouteRules(KindRules[RouteSpec]):
    spec = RouteSpec

    def default(
        self, new: Decoded[RouteSpec], old: Decoded[RouteSpec] | None, context: Context
    ) -> None:
        default_route(new.spec, in_service=False)

    def signs(self, metadata: Mapping[str, Any]) -> bool:
        return _unowned(metadata)

    def validate(
        self, new: Decoded[RouteSpec], old: Decoded[RouteSpec] | None, context: Context
    ) -> Errors:
        labels = label_names_owner(new.metadata, keys.SERVICE, "Service")
        errors = _parent_metadata(new.metadata, rollout=True) + fe.via(labels, "labels")
        errors = fe.via(errors, "metadata")
        errors += fe.via(validate_traffic(new.spec.traffic, in_service=False), "spec")
        if _unowned(new.metadata):
            errors += _signatures(new, old, "metadata", "annotations")
        return errors


class RevisionRules(KindRules[RevisionSpec]):
    spec = RevisionSpec

    def default(
        self, new: Decoded[RevisionSpec], old: Decoded[RevisionSpec] | None, context: Context
    ) -> None:
        # An update must not change what never changes.
        if context.creating:
            default_revision(new.spec, context)

    def validate(
        self, new: Decoded[RevisionSpec], old: Decoded[RevisionSpec] | None, context: Context
    ) -> Errors:
        if old is not None:
            changed = validate_immutable(old.spec, new.spec)
            if changed:
                return changed
        annotations = annotations_of(new.metadata)
        errors = validate_name(new.metadata)
        errors += fe.via(
            validate_annotations(annotations, context.settings.autoscaler), "annotations"
        )
        labels = label_names_owner(new.metadata, keys.CONFIGURATION, "Configuration")
        errors = fe.via(errors + fe.via(labels, "labels"), "metadata")
        return (
            errors if old is not None else errors + fe.via(validate_spec(new.spec, context), "spec")
        )


class DomainMappingRules(KindRules[DomainMappingSpec]):
    spec = DomainMappingSpec

    def default(
        self,
        new: Decoded[DomainMappingSpec],
        old: Decoded[DomainMappingSpec] | None,
        context: Context,
    ) -> None:
        new.spec.ref.namespace = new.spec.ref.namespace or new.metadata.get("namespace", "")

    def signs(self, metadata: Mapping[str, Any]) -> bool:
        return True

    def validate(
        self,
        new: Decoded[DomainMappingSpec],
        old: Decoded[DomainMappingSpec] | None,
        context: Context,
    ) -> Errors:
        name = new.metadata.get("name", "")
        errors: Errors = []
        if new.metadata.get("generateName"):
            errors.append(fe.disallowed("generateName"))
        if problem := domain_problem(name):
            errors.append(fe.FieldError(f'invalid name "{name}": {problem}', ("name",)))
        if name.endswith(f".{keys.CLUSTER_DOMAIN}"):
            errors.append(
                fe.FieldError(
                    f'invalid name "{name}": must not be a subdomain of cluster local domain '
                    f'"{keys.CLUSTER_DOMAIN}"',
                    ("name",),
                )
            )
        errors = fe.via(errors + _signatures(new, old, "annotations"), "metadata")
        reference = _reference(new.spec.ref, new.metadata.get("namespace", ""))
        return errors + fe.via(reference, "spec", "ref")


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


class PodAutoscalerRules(KindRules[PodAutoscalerSpec]):
    spec = PodAutoscalerSpec

    def default(
        self,
        new: Decoded[PodAutoscalerSpec],
        old: Decoded[PodAutoscalerSpec] | None,
        context: Context,
    ) -> None:
        annotations = dict(annotations_of(new.metadata))
        scaler = annotations.setdefault(
            keys.CLASS.key, context.settings.autoscaler.pod_autoscaler_class
        )
        metrics = {
            keys.KPA_CLASS: keys.METRIC_CONCURRENCY,
            keys.HPA_CLASS: keys.METRIC_CPU,
        }
        annotations.setdefault(keys.METRIC.key, metrics.get(scaler, ""))
        new.metadata["annotations"] = annotations

    def validate(
        self,
        new: Decoded[PodAutoscalerSpec],
        old: Decoded[PodAutoscalerSpec] | None,
        context: Context,
    ) -> Errors:
        about = validate_annotations(annotations_of(new.metadata), context.settings.autoscaler)
        errors = validate_name(new.metadata) + fe.via(about, "annotations")
        return fe.via(errors, "metadata") + fe.via(_scaler(new.spec, context), "spec")


def _scaler(spec: PodAutoscalerSpec, context: Context) -> Errors:
    if spec == PodAutoscalerSpec():
        return [fe.missing("")]
    errors = fe.via(_scale_target(spec.scale_target_ref), "scaleTargetRef")
    concurrency = validate_concurrency(spec.container_concurrency, context.settings.defaults)
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


class IngressRules(KindRules[IngressSpec]):
    spec = IngressSpec

    def default(
        self, new: Decoded[IngressSpec], old: Decoded[IngressSpec] | None, context: Context
    ) -> None:
        default_ingress(new.spec)

    def validate(
        self, new: Decoded[IngressSpec], old: Decoded[IngressSpec] | None, context: Context
    ) -> Errors:
        return fe.via(validate_ingress(new.spec, new.metadata.get("namespace", "")), "spec")


class CertificateRules(KindRules[CertificateSpec]):
    spec = CertificateSpec

    def validate(
        self,
        new: Decoded[CertificateSpec],
        old: Decoded[CertificateSpec] | None,
        context: Context,
    ) -> Errors:
        return fe.via(validate_certificate(new.spec), "spec")


RULES: Mapping[tuple[str, str, str], KindRules[Any]] = {
    (keys.SERVING_GROUP, "v1", "Service"): ServiceRules(),
    (keys.SERVING_GROUP, "v1", "Configuration"): ConfigurationRules(),
    (keys.SERVING_GROUP, "v1", "Route"): RouteRules(),
    (keys.SERVING_GROUP, "v1", "Revision"): RevisionRules(),
    (keys.SERVING_GROUP, "v1beta1", "DomainMapping"): DomainMappingRules(),
    (keys.AUTOSCALING_INTERNAL_GROUP, "v1alpha1", "PodAutoscaler"): PodAutoscalerRules(),
    (keys.NETWORKING_INTERNAL_GROUP, "v1alpha1", "Ingress"): IngressRules(),
    (keys.NETWORKING_INTERNAL_GROUP, "v1alpha1", "Certificate"): CertificateRules(),
}
