"""Puts the webhooks of serving together: handlers by path, live settings, trial of pods.

``serving.main`` adds these handlers to its webhook server and registers ``registrations.ALL``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hearth.kube.admission import Handler
from hearth.kube.client import KubeClient
from serving.api import settings as api
from serving.kinds.settings import Settings
from serving.webhook.dryrun import PodTrial
from serving.webhook.handlers import Defaulting, Validation, validate_config_map
from serving.webhook.registrations import CONFIG_PATH, DEFAULTING_PATH, VALIDATION_PATH


def make_handlers(
    settings: Callable[[], Settings], client: KubeClient | None = None
) -> Mapping[str, Handler]:
    """The handlers; ``settings`` is asked at each request, without a client no pod is tried."""

    def current() -> api.Settings:
        now = settings()
        return api.Settings(now.defaults, now.features, now.autoscaler)

    trial = PodTrial(client, settings) if client is not None else None
    return {
        DEFAULTING_PATH: Defaulting(current),
        VALIDATION_PATH: Validation(current, trial),
        CONFIG_PATH: validate_config_map,
    }
