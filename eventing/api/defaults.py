"""Defaulting of Broker and Trigger, as Knative's mutating webhook does it. Pure."""

from __future__ import annotations

from eventing.api import keys
from eventing.api.broker import BrokerSpec
from eventing.api.settings import BrokerDefaults, Features
from eventing.api.trigger import TriggerFilter, TriggerSpec
from hearth.knative.duck import DeliverySpec, Destination


def default_broker(
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
            delivery = DeliverySpec(
                dead_letter_sink=defaulted.delivery.dead_letter_sink,
                retry=defaulted.delivery.retry,
                backoff_policy=defaulted.delivery.backoff_policy,
                backoff_delay=defaulted.delivery.backoff_delay,
            )
    if config is not None and not config.namespace:
        config = config.model_copy(update={"namespace": namespace})
    if keys.BROKER_CLASS_ANNOTATION not in annotations:
        default_class = defaults.class_for(namespace)
        if default_class:
            annotations[keys.BROKER_CLASS_ANNOTATION] = default_class
    return spec.model_copy(
        update={"config": config, "delivery": _default_delivery(delivery, namespace)}
    )


def default_trigger(
    spec: TriggerSpec, labels: dict[str, str], *, namespace: str, features: Features
) -> TriggerSpec:
    """The spec completed; the broker's label is set in ``labels``."""
    reference = spec.broker_ref
    if reference is not None and features.is_enabled("cross-namespace-event-links"):
        labels[keys.BROKER_LABEL] = reference.name
    elif spec.broker:
        labels[keys.BROKER_LABEL] = spec.broker
    return spec.model_copy(
        update={
            "filter": spec.filter if spec.filter is not None else TriggerFilter(),
            "subscriber": default_destination(spec.subscriber, namespace),
            "delivery": _default_delivery(spec.delivery, namespace),
        }
    )


def _default_delivery(delivery: DeliverySpec | None, namespace: str) -> DeliverySpec | None:
    if delivery is None or delivery.dead_letter_sink is None:
        return delivery
    sink = default_destination(delivery.dead_letter_sink, namespace)
    return delivery.model_copy(update={"dead_letter_sink": sink})


def default_destination(destination: Destination, namespace: str) -> Destination:
    """A reference without a namespace means the referrer's."""
    reference = destination.ref
    if reference is None or reference.namespace:
        return destination
    qualified = reference.model_copy(update={"namespace": namespace})
    return destination.model_copy(update={"ref": qualified})
