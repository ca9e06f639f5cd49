"""What the Service's controller watches and observes. Pure."""

from __future__ import annotations

from hearth.knative.resources import KSERVICES
from hearth.kube.controllerspec import (
    ControllerSpec,
    Lister,
    Watch,
    is_made_otherwise,
    label_key,
    owner_key,
    without_settings,
)
from hearth.kube.meta import Key
from serving.api import keys
from serving.kinds import sources
from serving.kinds.configuration.kind import named_revision
from serving.kinds.service.reconcile import Observed, reconcile
from serving.kinds.status import NEWS_SECONDS, is_without_news


def observe(lister: Lister, key: Key) -> Observed | None:
    """Look up the Service, its children, and the revision whose name the template asks for."""
    service = lister.get(sources.SERVICES, *key)
    if service is None:
        return None
    configuration = lister.get(sources.CONFIGURATIONS, *key)
    return Observed(
        service,
        configuration,
        lister.get(sources.ROUTES, *key),
        named_revision(lister, configuration),
    )


CONTROLLER: ControllerSpec[Observed, object] = ControllerSpec(
    "serving-service",
    sources.SERVICES,
    observe,
    without_settings(reconcile),
    can_wait=is_without_news,
    delay_seconds=NEWS_SECONDS,
    settles=True,
    watches=(
        Watch(sources.CONFIGURATIONS, owner_key(KSERVICES)),
        Watch(sources.ROUTES, owner_key(KSERVICES)),
        Watch(sources.REVISIONS, label_key(keys.SERVICE), when=is_made_otherwise),
    ),
)
