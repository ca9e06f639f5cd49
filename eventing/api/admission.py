"""Eventing's webhooks: its kinds as admission knows them, and its ConfigMaps. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from eventing.api import keys
from eventing.api.catalog import SERVED
from eventing.api.definitions import Definition
from eventing.api.settings import Settings
from hearth.knative.admission.webhooks import Admission
from hearth.knative.leaderelection import CONFIG_MAP, LeaderElectionConfig
from hearth.knative.settings import parsers


def admission_of(definitions: Iterable[Definition]) -> Admission[Settings]:
    """Return what eventing asks of admission for these kinds."""
    return Admission(
        group=keys.GROUP,
        system_namespace=keys.SYSTEM_NAMESPACE,
        kinds=tuple(kind for each in definitions for kind in each.kinds),
        config_maps={**parsers(Settings), CONFIG_MAP: LeaderElectionConfig.from_data},
    )


ADMISSION = admission_of(SERVED)
