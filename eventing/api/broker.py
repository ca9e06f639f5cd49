"""Broker: where events are sent to, and what happens to those no Trigger gets delivered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from eventing.api import keys
from eventing.api.checks import (
    IMMUTABLE,
    default_delivery,
    text_diff,
    validate_delivery,
    validate_reference,
)
from eventing.api.definitions import ADDRESSABLE, AGE, READY, URL, Look, define
from eventing.api.deliveryoptions import check_options
from eventing.api.natsjetstream import broker_problems
from eventing.api.schemachecks import check_mode
from eventing.api.settings import BrokerDefaults, Features, Settings
from eventing.api.shapes import AppliedPolicy
from hearth.knative.admission.kinds import Change
from hearth.knative.duck import (
    Addressable,
    DeliverySpec,
    DeliveryStatus,
    KReference,
    Status,
)
from hearth.knative.fielderrors import Errors, FieldError, missing, via
from hearth.knative.resources import BROKERS
from hearth.knative.structdiff import short_diff
from hearth.kube.models import Model


class BrokerSpec(Model):
    """What a Broker is to do."""

    go_type: ClassVar[str] = "v1.BrokerSpec"

    config: KReference | None = None
    """The configuration of the broker, for example a ConfigMap; cannot be changed."""
    delivery: DeliverySpec | None = None
    """How events are delivered where a Trigger says nothing else."""


class BrokerStatus(Status, DeliveryStatus):
    """What has become of a Broker."""

    address: Addressable | None = None
    """Where events are sent to."""
    addresses: list[Addressable] = Field(default_factory=list)
    """All addresses events can be sent to."""
    policies: list[AppliedPolicy] = Field(default_factory=list)
    """The EventPolicies that apply."""


# -- rules -------------------------------------------------------------------------------------


def _default(change: Change[BrokerSpec, Settings]) -> None:
    new, annotations = change.new, dict(change.new.annotations)
    new.spec = _defaulted(
        new.spec, annotations, namespace=new.namespace, defaults=change.settings.brokers
    )
    new.put("annotations", annotations)


def _defaulted(
    spec: BrokerSpec, annotations: dict[str, str], *, namespace: str, defaults: BrokerDefaults
) -> BrokerSpec:
    """The spec completed; the class annotation is set in ``annotations`` where there is none."""
    of_class = annotations.get(keys.BROKER_CLASS_ANNOTATION, "")
    # With a config of its own, Knative looks the config's kind up as if it were a class.
    broker_class = spec.config.kind if spec.config is not None else of_class
    defaulted = defaults.config_for(namespace, broker_class)
    config, delivery = spec.config, spec.delivery
    if defaulted is not None:
        if config is None and defaulted.reference is not None:
            config = defaulted.reference.model_copy()
        if delivery is None and defaulted.delivery is not None:
            delivery = defaulted.delivery
    if config is not None and not config.namespace:
        config = config.model_copy(update={"namespace": namespace})
    if keys.BROKER_CLASS_ANNOTATION not in annotations:
        default_class = defaults.class_for(namespace)
        if default_class:
            annotations[keys.BROKER_CLASS_ANNOTATION] = default_class
    return spec.model_copy(
        update={"config": config, "delivery": default_delivery(delivery, namespace)}
    )


def _validate(change: Change[BrokerSpec, Settings]) -> Errors:
    new, old = change.new, change.old
    errors = validate_broker(
        new.spec,
        new.annotations,
        namespace=new.namespace,
        defaults=change.settings.brokers,
        features=change.settings.features,
    )
    errors += check_options(new.annotations) + check_mode(new.annotations)
    errors += broker_problems(new.annotations)
    if old is not None:
        errors += broker_changes(
            old.spec,
            new.spec,
            old_class=old.annotations.get(keys.BROKER_CLASS_ANNOTATION),
            new_class=new.annotations.get(keys.BROKER_CLASS_ANNOTATION),
            moved_from=_moved_from(old.annotations, new.annotations),
        )
    return errors


def validate_broker(
    spec: BrokerSpec,
    annotations: Mapping[str, str],
    *,
    namespace: str,
    defaults: BrokerDefaults,
    features: Features,
) -> Errors:
    """Check a Broker's class, config reference and delivery."""
    errors: Errors = []
    if not annotations.get(keys.BROKER_CLASS_ANNOTATION):
        errors.append(missing(keys.BROKER_CLASS_ANNOTATION))
    # Where Brokers must keep to their namespace, so must everything they refer to.
    parent = None if defaults.may_differ_in_namespace(namespace) else namespace
    if spec.config is not None:
        problems = validate_reference(spec.config, features, parent=parent)
        errors += via(problems, "spec", "config")
    errors += via(validate_delivery(spec.delivery, features, parent=parent), "spec", "delivery")
    return errors


def broker_changes(
    old: BrokerSpec,
    new: BrokerSpec,
    *,
    old_class: str | None,
    new_class: str | None,
    moved_from: str | None = None,
) -> Errors:
    """Complaints about changes of what cannot be changed: all but the delivery.

    The class changes only together with the annotation that says from which one events are brought,
    which is what ``hearth event copy`` writes.
    """
    diff = short_diff(_without_delivery(old), _without_delivery(new), "v1.BrokerSpec")
    if diff:
        return [FieldError(IMMUTABLE, ("spec",), diff)]
    if (old_class or "") != (new_class or "") and not (old_class and moved_from == old_class):
        diff = text_diff("{string}", old_class or "", new_class or "")
        return [FieldError("Immutable annotations changed (-old +new)", ("annotations",), diff)]
    return []


def _moved_from(old: Mapping[str, str], new: Mapping[str, str]) -> str | None:
    """The class it is said to come from, where that is said with this change."""
    said = new.get(keys.MOVED_FROM_ANNOTATION)
    return said if said != old.get(keys.MOVED_FROM_ANNOTATION) else None


def _without_delivery(spec: BrokerSpec) -> BrokerSpec:
    return spec.model_copy(update={"delivery": None})


DEFINITION = define(
    BROKERS,
    BrokerSpec,
    BrokerStatus,
    Look(
        "A pool of events: sent to one address, taken from with Triggers.",
        columns=(URL, AGE, *READY),
        labels=ADDRESSABLE,
    ),
    default=_default,
    validate=_validate,
)
