"""Eventing's webhooks: its kinds as admission knows them, and its ConfigMaps. Pure.

A further kind is one more entry of ``ADMISSION.kinds``.
"""

from __future__ import annotations

from typing import Any

from eventing.api import keys
from eventing.api.broker import BrokerSpec
from eventing.api.defaults import default_broker, default_trigger
from eventing.api.settings import Settings
from eventing.api.trigger import TriggerSpec
from eventing.api.validation import (
    broker_changes,
    trigger_changes,
    validate_broker,
    validate_trigger,
)
from hearth.knative.admission.kinds import Change, Decoded, Kind
from hearth.knative.admission.webhooks import Admission
from hearth.knative.fielderrors import Errors
from hearth.knative.leaderelection import CONFIG_MAP, LeaderElectionConfig
from hearth.knative.resources import BROKERS, TRIGGERS
from hearth.knative.settings import parsers


def _always(obj: Decoded[Any]) -> bool:
    return True


# -- Broker ----------------------------------------------------------------------------------------


def _default_broker(change: Change[BrokerSpec, Settings]) -> None:
    new, annotations = change.new, dict(change.new.annotations)
    new.spec = default_broker(
        new.spec, annotations, namespace=new.namespace, defaults=change.settings.brokers
    )
    new.put("annotations", annotations)


def _validate_broker(change: Change[BrokerSpec, Settings]) -> Errors:
    new, old = change.new, change.old
    errors = validate_broker(
        new.spec,
        new.annotations,
        namespace=new.namespace,
        defaults=change.settings.brokers,
        features=change.settings.features,
    )
    if old is not None:
        errors += broker_changes(
            old.spec,
            new.spec,
            old_class=old.annotations.get(keys.BROKER_CLASS_ANNOTATION),
            new_class=new.annotations.get(keys.BROKER_CLASS_ANNOTATION),
        )
    return errors


# -- Trigger ---------------------------------------------------------------------------------------


def _default_trigger(change: Change[TriggerSpec, Settings]) -> None:
    new, labels = change.new, dict(change.new.labels)
    new.spec = default_trigger(
        new.spec, labels, namespace=new.namespace, features=change.settings.features
    )
    new.put("labels", labels)


def _validate_trigger(change: Change[TriggerSpec, Settings]) -> Errors:
    new, old = change.new, change.old
    errors = validate_trigger(
        new.spec, new.annotations, namespace=new.namespace, features=change.settings.features
    )
    return errors if old is None else errors + trigger_changes(old.spec, new.spec)


ADMISSION = Admission(
    group=keys.GROUP,
    system_namespace=keys.SYSTEM_NAMESPACE,
    kinds=(
        Kind(
            resource=BROKERS,
            spec=BrokerSpec,
            default=_default_broker,
            validate=_validate_broker,
            is_signed=_always,
            is_strict=True,
        ),
        Kind(
            resource=TRIGGERS,
            spec=TriggerSpec,
            default=_default_trigger,
            validate=_validate_trigger,
            is_signed=_always,
            is_strict=True,
        ),
    ),
    config_maps={**parsers(Settings), CONFIG_MAP: LeaderElectionConfig.from_data},
)
