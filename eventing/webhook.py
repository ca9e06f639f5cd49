"""Eventing's admission webhooks: what is asked about, and the handlers with live settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eventing.api import keys
from eventing.api.admission import (
    DEFAULTING_NAME,
    VALIDATION_NAME,
    Settings,
    default,
    validate,
)
from hearth.kube.admission import Handler
from hearth.kube.webhooks import Webhook, writes_rule

_DEFAULTING_PATH, _VALIDATION_PATH = "/eventing/defaulting", "/eventing/validation"
_RULES = (writes_rule(keys.GROUP, ("v1",), ("brokers", "triggers")),)
_LABELS = {"app.kubernetes.io/name": keys.SYSTEM_NAMESPACE}

WEBHOOKS = (
    Webhook(DEFAULTING_NAME, _DEFAULTING_PATH, _RULES, mutating=True, labels=_LABELS),
    Webhook(VALIDATION_NAME, _VALIDATION_PATH, _RULES, labels=_LABELS),
)


def handlers(settings: Callable[[], Settings]) -> Mapping[str, Handler]:
    """The handlers by path; ``settings`` answers those of the moment."""
    return {
        _DEFAULTING_PATH: lambda request: default(request, settings()),
        _VALIDATION_PATH: lambda request: validate(request, settings()),
    }
