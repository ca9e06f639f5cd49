"""What the PodAutoscaler's controller watches and observes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from hearth.kube.controllerspec import ControllerSpec, Lister, Watch, label_key
from hearth.kube.meta import Key, Object, key_text, labels, namespace
from hearth.kube.meta import key as key_of
from hearth.kube.plan import Plan
from serving.api import keys, views
from serving.api.settings import Settings
from serving.autoscaler.spec import class_of
from serving.kinds import pods, sources
from serving.kinds.podautoscaler import hpa, kpa
from serving.kinds.podautoscaler.burst import asks_for_burst, slice_name
from serving.kinds.podautoscaler.kpa import Observed
from serving.kinds.podautoscaler.services import private_name
from serving.kinds.status import NEWS_SECONDS, is_without_news
from serving.kinds.surging import surge_limits


class Autoscaling(Protocol):
    """What the controllers know of the autoscaler."""

    def desired(self, key: Key) -> int:
        """Return the pods that a revision should have; -1 before that is known."""
        ...

    def busy(self, key: Key) -> Mapping[str, int]:
        """Return the requests in a revision's pods, by pod, as far as they are known."""
        ...

    def excess_burst_capacity(self, key: Key) -> int:
        """Return what is left for a burst; below 0 when that is too little."""
        ...

    def quiet_seconds(self, key: Key) -> float:
        """Return for how long a revision that wakes up is left alone; 0 when it is not."""
        ...


def observe(lister: Lister, key: Key, autoscaling: Autoscaling) -> Observed | None:
    """Look up the PodAutoscaler, its Services, its scale target, its pods and who scales it."""
    podautoscaler = lister.get(sources.PODAUTOSCALERS, *key)
    if podautoscaler is None:
        return None
    target = views.PodAutoscaler(podautoscaler).target_name
    service = sources.service_of(lister, podautoscaler)
    return Observed(
        podautoscaler,
        public=lister.get(sources.K8S_SERVICES, *key),
        private=lister.get(sources.K8S_SERVICES, key[0], private_name(podautoscaler)),
        deployment=lister.get(sources.DEPLOYMENTS, key[0], target),
        service=service,
        hpa=lister.get(sources.HPAS, *key),
        ready_pods=pods.count_ready(lister, key),
        pods=tuple(lister.by_index(sources.PODS_BY_REVISION, key_text(key))),
        desired=autoscaling.desired(key),
        busy=autoscaling.busy(key),
        excess=autoscaling.excess_burst_capacity(key),
        activators=_activators(lister) if asks_for_burst(podautoscaler) else (),
        shown=lister.get(sources.ACTIVATOR_SLICES, key[0], slice_name(podautoscaler)),
        limits=surge_limits(lister, podautoscaler, service),
    )


def _of_service(_lister: Lister, service: Object) -> Iterator[Key]:
    """Map a revision's Services to it, and another's to who may want its name."""
    own = labels(service).get(keys.SERVERLESS_SERVICE) or key_of(service)[1]
    yield namespace(service), own.removesuffix("-private")


def _activators(lister: Lister) -> tuple[Object, ...]:
    return tuple(lister.list(sources.ACTIVATOR_SLICES, keys.SERVING_NAMESPACE))


def _of_activators(lister: Lister, endpoint_slice: Object) -> Iterator[Key]:
    """Map activators' endpoints to all that may show them, and what shows them to its owner."""
    if namespace(endpoint_slice) != keys.SERVING_NAMESPACE:
        yield namespace(endpoint_slice), labels(endpoint_slice).get(keys.SERVERLESS_SERVICE, "")
        return
    for podautoscaler in lister.list(sources.PODAUTOSCALERS):
        if asks_for_burst(podautoscaler):
            yield key_of(podautoscaler)


_BY_CLASS = {keys.KPA_CLASS: kpa.reconcile, keys.HPA_CLASS: hpa.reconcile}


def reconcile(observed: Observed, *, settings: Settings, now: float) -> Plan:
    """Leave the decision to the class of the PodAutoscaler; others' classes are left alone."""
    decide = _BY_CLASS.get(class_of(observed.podautoscaler))
    return Plan() if decide is None else decide(observed, settings=settings, now=now)


def can_wait(stored: Object, changed: Object) -> bool:
    """Whether there is no news, or more to say as soon as the pods that are given up are gone."""
    view = views.PodAutoscaler(changed)
    goes_to_sleep = view.conditions.is_false(keys.ACTIVE) and bool(view.actual_scale)
    return goes_to_sleep or is_without_news(stored, changed)


def controller(autoscaling: Autoscaling) -> ControllerSpec[Observed, Settings]:
    """Declare the controller of PodAutoscalers of all classes."""
    to_revision, quiet = label_key(keys.REVISION), autoscaling.quiet_seconds
    return ControllerSpec(
        "serving-podautoscaler",
        sources.PODAUTOSCALERS,
        lambda lister, key: observe(lister, key, autoscaling),
        reconcile,
        watches=(
            Watch(sources.DEPLOYMENTS, to_revision, hold=quiet),
            Watch(sources.PODS, to_revision, when=pods.counts_otherwise, hold=quiet),
            Watch(sources.K8S_SERVICES, _of_service, is_own=True),
            Watch(sources.HPAS, to_revision),
            Watch(sources.ACTIVATOR_SLICES, _of_activators),
        ),
        indexes=(
            sources.PODS_BY_REVISION,
            pods.READY_BY_REVISION,
            sources.PODAUTOSCALERS_BY_SERVICE,
        ),
        can_wait=can_wait,
        delay_seconds=NEWS_SECONDS,
    )
