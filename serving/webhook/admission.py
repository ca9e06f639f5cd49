"""Serving's webhooks: which kinds and which ConfigMaps are asked about."""

from __future__ import annotations

from hearth.knative.admission.webhooks import Admission
from hearth.knative.leaderelection import CONFIG_MAP, LeaderElectionConfig
from hearth.knative.settings import parsers
from serving.api import keys
from serving.api.settings import Settings
from serving.webhook.kinds import KINDS

ADMISSION = Admission(
    group=keys.SERVING_GROUP,
    system_namespace=keys.SERVING_NAMESPACE,
    kinds=KINDS,
    config_maps={
        **parsers(Settings),
        CONFIG_MAP: LeaderElectionConfig.from_data,
    },
)
