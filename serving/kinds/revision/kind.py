"""What the Revision's controller watches and observes. Pure."""

from __future__ import annotations

from collections.abc import Callable

from hearth.kube.controllerspec import ControllerSpec, Lister, Watch, label_key
from hearth.kube.meta import Key, key_text
from serving.api import keys
from serving.api.settings import Settings
from serving.kinds import sources
from serving.kinds.revision.children import deployment_name
from serving.kinds.revision.reconcile import Observed, creation_failed, reconcile
from serving.kinds.status import NEWS_SECONDS, is_without_news


def observe(lister: Lister, key: Key) -> Observed | None:
    """Look up the Revision, its Deployment, PodAutoscaler and pods."""
    revision = lister.get(sources.REVISIONS, *key)
    if revision is None:
        return None
    return Observed(
        revision,
        lister.get(sources.DEPLOYMENTS, key[0], deployment_name(revision)),
        lister.get(sources.PODAUTOSCALERS, *key),
        tuple(lister.by_index(sources.PODS_BY_REVISION, key_text(key))),
    )


def controller(quiet: Callable[[Key], float]) -> ControllerSpec[Observed, Settings]:
    """Declare the controller. ``quiet`` says how long a revision that wakes up is left alone."""
    to_revision = label_key(keys.REVISION)
    return ControllerSpec(
        "serving-revision",
        sources.REVISIONS,
        observe,
        reconcile,
        watches=(
            Watch(sources.DEPLOYMENTS, to_revision, hold=quiet),
            Watch(sources.PODAUTOSCALERS, to_revision),
            Watch(sources.PODS, to_revision, hold=quiet),
        ),
        indexes=(sources.PODS_BY_REVISION,),
        refused=creation_failed,
        can_wait=is_without_news,
        delay_seconds=NEWS_SECONDS,
    )
