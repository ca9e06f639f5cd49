"""What the Revision's controller watches and observes. Pure."""

from __future__ import annotations

from collections.abc import Callable

from hearth.kube.controllerspec import ControllerSpec, Lister, Watch, label_key
from hearth.kube.meta import Key, Object, key_text, labels, name, namespace
from hearth.kube.views import Workload
from serving.api import keys, views
from serving.api.settings import Settings
from serving.kinds import sources
from serving.kinds.revision.children import deployment_name, is_as_current
from serving.kinds.revision.digests import UNASKED, Digests
from serving.kinds.revision.reconcile import Observed, creation_failed, reconcile
from serving.kinds.status import NEWS_SECONDS, is_without_news
from serving.kinds.surging import surge_limits

DigestsOf = Callable[[Object], Digests]
"""What registries have said of a revision's images."""


def observe(lister: Lister, key: Key, digests: DigestsOf = lambda _: UNASKED) -> Observed | None:
    """Look up the Revision, its Deployment, PodAutoscaler, pods and images."""
    revision = lister.get(sources.REVISIONS, *key)
    if revision is None:
        return None
    service = sources.service_of(lister, revision)
    return Observed(
        revision,
        lister.get(sources.DEPLOYMENTS, key[0], deployment_name(revision)),
        lister.get(sources.PODAUTOSCALERS, *key),
        tuple(lister.by_index(sources.PODS_BY_REVISION, key_text(key))),
        service,
        _replaced(lister, revision) if is_as_current(revision) else None,
        surge_limits(lister, revision, service),
        digests(revision),
    )


def _replaced(lister: Lister, revision: Object) -> int | None:
    """Look up the pods asked for of the latest ready revision; None where there is no other."""
    owner = labels(revision).get(keys.CONFIGURATION, "")
    configuration = lister.get(sources.CONFIGURATIONS, namespace(revision), owner)
    latest = views.Configuration(configuration).latest_ready
    before = lister.get(sources.REVISIONS, namespace(revision), latest)
    if before is None or latest == name(revision):
        return None
    deployment = lister.get(sources.DEPLOYMENTS, namespace(revision), deployment_name(before))
    return None if deployment is None else Workload(deployment).replicas


def controller(
    quiet: Callable[[Key], float], digests: DigestsOf = lambda _: UNASKED
) -> ControllerSpec[Observed, Settings]:
    """Declare the controller. ``quiet`` says how long a revision that wakes up is left alone."""
    to_revision = label_key(keys.REVISION)

    def held(key: Key) -> float:
        # That pods are ready its PodAutoscaler tells; all else is looked at once, a little later.
        return max(quiet(key), NEWS_SECONDS)

    return ControllerSpec(
        "serving-revision",
        sources.REVISIONS,
        lambda lister, key: observe(lister, key, digests),
        reconcile,
        watches=(
            Watch(sources.DEPLOYMENTS, to_revision, hold=held),
            Watch(sources.PODAUTOSCALERS, to_revision, is_own=True),
            Watch(sources.PODS, to_revision, hold=held),
        ),
        indexes=(sources.PODS_BY_REVISION,),
        refused=creation_failed,
        can_wait=is_without_news,
        delay_seconds=NEWS_SECONDS,
        settles=True,
    )
