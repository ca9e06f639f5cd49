"""What the Configuration's controller watches and observes. Pure."""

from __future__ import annotations

from hearth.kube.controllerspec import ControllerSpec, Lister, Watch, label_key, without_settings
from hearth.kube.meta import Key, Object, key_text, namespace
from serving.api import keys, views
from serving.kinds import sources
from serving.kinds.configuration.reconcile import Observed, creation_failed, reconcile
from serving.kinds.status import NEWS_SECONDS, is_ready_otherwise, is_without_news


def observe(lister: Lister, key: Key) -> Observed | None:
    """Look up the Configuration, its revisions, and whoever has the name it asks for."""
    configuration = lister.get(sources.CONFIGURATIONS, *key)
    if configuration is None:
        return None
    return Observed(configuration, revisions_of(lister, key), named_revision(lister, configuration))


def revisions_of(lister: Lister, key: Key) -> tuple[Object, ...]:
    """Return the revisions that carry a Configuration's label."""
    return tuple(lister.by_index(sources.REVISIONS_BY_CONFIGURATION, key_text(key)))


def named_revision(lister: Lister, configuration: Object | None) -> Object | None:
    """Return the revision that has the name the template asks for, whoever owns it."""
    if configuration is None:
        return None
    chosen = views.Configuration(configuration).template_name
    return lister.get(sources.REVISIONS, namespace(configuration), chosen) if chosen else None


CONTROLLER: ControllerSpec[Observed, object] = ControllerSpec(
    "serving-configuration",
    sources.CONFIGURATIONS,
    observe,
    without_settings(reconcile),
    watches=(Watch(sources.REVISIONS, label_key(keys.CONFIGURATION), when=is_ready_otherwise),),
    indexes=(sources.REVISIONS_BY_CONFIGURATION,),
    refused=creation_failed,
    can_wait=is_without_news,
    delay_seconds=NEWS_SECONDS,
    settles=True,
)
