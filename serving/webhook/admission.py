"""Serving's webhooks: which kinds and which ConfigMaps are asked about."""

from __future__ import annotations

from hearth.knative.admission.webhooks import Admission
from hearth.knative.settings import parsers
from serving.api import keys
from serving.api.config import others
from serving.api.settings import Settings
from serving.webhook.kinds import KINDS

ADMISSION = Admission(
    group=keys.SERVING_GROUP,
    system_namespace=keys.SERVING_NAMESPACE,
    kinds=KINDS,
    config_maps={
        **parsers(Settings),
        "config-leader-election": others.check_leader_election,
        "config-logging": others.check_logging,
    },
)
