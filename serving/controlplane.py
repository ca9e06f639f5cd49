"""Serving's control plane: the controllers and the autoscaler, wired to each other.

``serving.main`` starts it. What is decided and when is in ``serving.kinds`` and
``serving.autoscaler``; here is only who is told of what.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.controllerspec import label_key
from hearth.kube.errors import ApiError, Retryable
from hearth.kube.guards import caught
from hearth.kube.leadership import ALONE, Leadership
from hearth.kube.manager import Manager
from hearth.kube.meta import Key, Object, key, key_text, uid
from hearth.kube.plan import Patch, Plan
from hearth.kube.resources import Resource
from hearth.kube.views import Workload
from serving.api import keys, live, views
from serving.api.settings import Settings
from serving.autoscaler.decide import TICK_SECONDS
from serving.autoscaler.multiscaler import Multiscaler
from serving.autoscaler.spec import class_of, decider_spec
from serving.autoscaler.wakeup import Wakeups
from serving.digests import DigestLookups
from serving.explaining import Explaining
from serving.forecasting import Forecasting
from serving.judging import Judging
from serving.kinds import pods, sources
from serving.kinds.catalog import controllers
from serving.kinds.certificate.local import Authority
from serving.kinds.podautoscaler import kind as podautoscaler
from serving.kinds.podautoscaler.kpa import urgent_patch
from serving.kinds.revision.children import deployment_name
from serving.kinds.shown import View
from serving.latecomers import Latecomers
from serving.wishing import Wishing

NAME = "hearth-serving"


class ControlPlane:
    """All controllers of serving in one process. ``run`` works until cancelled."""

    def __init__(
        self,
        client: KubeClient,
        *,
        settings: Settings | None = None,
        clock: Clock = wall_clock,
        leadership: Leadership = ALONE,
        authority: Authority | None = None,
        docker_config: Path | None = None,
        views: Mapping[Resource, View] | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.manager = Manager(client, name=NAME, clock=clock, leadership=leadership)
        self._clock = clock
        self._to_revision = partial(label_key(keys.REVISION), self.manager)
        self.wakeups = Wakeups(
            self,
            apply=self.manager.apply,
            spawn=self.manager.spawn,
            look=self._look,
            retry=lambda key: self._podautoscalers.queue.retry(key),
        )
        self.multiscaler = Multiscaler(
            ready_pods=self.ready_pods,
            changed=self._look,
            urgent=self.wakeups.wake,
            failed=partial(caught, "autoscaler"),
            heard=lambda *report: self.judging.heard(*report),
        )
        self.judging = Judging(
            self.manager, apply=self.manager.apply, spawn=self.manager.spawn, clock=clock
        )
        self.wishing = Wishing(
            self.manager,
            self.multiscaler,
            clock=clock,
            failed=partial(caught, "wishes"),
            foretold=lambda *about: self.forecasting.shares(*about),
            asked=self._asked,
            write=lambda patch: self.manager.spawn("wishes", self._name_sources(patch)),
        )
        self.forecasting = Forecasting(
            self.manager,
            self.multiscaler,
            client,
            traffic=self.wishing.traffic,
            leads=leadership.leads,
            tell=self.wishing.tell,
            apply=self.manager.apply,
            spawn=self.manager.spawn,
            clock=clock,
        )
        self._tick_at = 0.0
        self.explaining = Explaining(
            self.manager,
            self.multiscaler,
            settings=lambda: self.settings,
            leads=leadership.leads,
            next_tick_in=lambda: max(0.0, self._tick_at - asyncio.get_running_loop().time()),
            clock=clock,
        )
        self.digests = DigestLookups(
            client,
            settings=lambda: self.settings,
            leads=leadership.leads,
            is_waiting=self._waits_for_images,
            docker_config=docker_config,
            spawn=self.manager.spawn,
            told=lambda key: self._revisions.queue.add(key),
        )
        added = {
            spec.name: self.manager.add(spec, lambda: self.settings)
            for spec in controllers(lambda: self.settings, self, authority, self.digests.of, views)
        }
        self._podautoscalers = added["serving-podautoscaler"]
        self._revisions = added["serving-revision"]
        self._late = Latecomers(self.manager, settings=lambda: self.settings)
        leadership.on_change(self._look_at_all)
        self._listen()

    def _listen(self) -> None:
        """Have each part told what it goes by, and run what does not end."""
        self.manager.on_change(sources.PODAUTOSCALERS, self._podautoscaler_changed)
        self.manager.on_change(sources.PODS, self._pod_changed)
        self.manager.on_change(sources.DEPLOYMENTS, self.explaining.deployment_changed)
        self.manager.on_change(sources.ROUTES, self.wishing.route_changed)
        self.manager.on_change(sources.SERVICES, self._service_changed)
        self.manager.on_change(sources.INGRESSES, self.judging.ingress_changed)
        self.manager.on_change(sources.INGRESSES, self._ingress_changed)
        self.manager.add_runnable("autoscaler", self._tick)
        self.manager.add_runnable("cert-manager", self._late.cert_manager)
        self.manager.add_runnable("namespace-wildcards", self._late.namespace_wildcards)
        self.manager.add_runnable("digests", self.digests.run)

    async def run(self, synced: Callable[[], None]) -> None:
        """Work until cancelled; call ``synced`` once the caches are complete."""
        await self.manager.run(synced)

    async def _tick(self) -> None:
        while True:
            self._tick_at = asyncio.get_running_loop().time() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            now = self._clock()
            self.multiscaler.tick(now)
            try:
                self.forecasting.tick(now)
            except Exception:
                caught("forecast")

    def change_settings(self, settings: Settings) -> None:
        """Go by new settings from now on: everything is looked at anew."""
        self.settings = settings
        self._late.look()
        self._look_at_all()
        self.manager.resync()

    # -- what others ask (Autoscaling, WakeTarget) -----------------------------------------

    def desired(self, key: Key) -> int:
        """Return the pods that a revision should have; -1 before that is known."""
        return self.multiscaler.desired(key)

    def busy(self, key: Key) -> Mapping[str, int]:
        """Return the requests in a revision's pods, by pod, as far as they are known."""
        return self.multiscaler.busy(key, self._clock())

    def excess_burst_capacity(self, key: Key) -> int:
        """Return what is left of a revision's capacity for a burst; below 0 it is too little."""
        return self.multiscaler.excess_burst_capacity(key)

    def quiet_seconds(self, key: Key) -> float:
        """Return for how long a revision that wakes up is left alone; 0 when it is not."""
        return self.wakeups.quiet_seconds(key)

    def ready_pods(self, key: Key) -> int:
        """Return how many pods of a revision are ready."""
        return pods.count_ready(self.manager, key)

    def scale_patch(self, key: Key) -> Patch | None:
        """Return the write that scales a revision as decided; None when it is so already."""
        observed = podautoscaler.observe(self.manager, key, self)
        if observed is None:
            return None
        return urgent_patch(observed, settings=self.settings, now=self._clock())

    # -- who is told of what ---------------------------------------------------------------

    def _look_at_all(self) -> None:
        for obj in self.manager.list(sources.PODAUTOSCALERS):
            self._podautoscaler_changed(None, obj)

    def _podautoscaler_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            if old is not None:
                self.multiscaler.remove(key(old))
        elif not self.manager.leadership.leads(key(new)):
            # Its leader is told of its requests. Whoever takes over begins with nothing known,
            # and so with what there is, instead of with windows in which nothing was reported.
            self.multiscaler.remove(key(new))
        elif class_of(new) == keys.KPA_CLASS:
            spec = decider_spec(new, self.settings.autoscaler)
            self.multiscaler.put(key(new), spec, self._clock(), asked=self._asked(new))
            self.wishing.tell(key(new))

    def _waits_for_images(self, revision: Object) -> bool:
        """Whether it is there without a Deployment, which has the word about its images."""
        known = self.manager.get(sources.REVISIONS, *key(revision))
        if known is None or uid(known) != uid(revision):
            return False
        where, name = key(revision)[0], deployment_name(revision)
        return self.manager.get(sources.DEPLOYMENTS, where, name) is None

    def _asked(self, podautoscaler: Object) -> int:
        """Return the pods asked for now, whoever has decided so."""
        view, (where, _) = views.PodAutoscaler(podautoscaler), key(podautoscaler)
        deployment = self.manager.get(sources.DEPLOYMENTS, where, view.target_name)
        replicas = Workload(deployment).replicas if deployment is not None else 0
        return max(view.desired_scale or 0, replicas)

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        """What a Service says of its revisions' scale came, went, or is another."""
        was, now = (meta.annotations(each or {}) for each in (old, new))
        if was == now:
            return
        is_live = live.asked(was) != live.asked(now)
        if is_live or was.get(keys.SCHEDULE) != now.get(keys.SCHEDULE):
            where = key_text(key(new or old or {}))
            for each in self.manager.by_index(sources.PODAUTOSCALERS_BY_SERVICE, where):
                self._look(key(each))
                if is_live:
                    self._revisions.queue.add(key(each))

    def _ingress_changed(self, old: Object | None, new: Object | None) -> None:
        """Traffic has moved, or the gateway has seen that, in a rollout that is bounded in pods."""
        if any(keys.ROLLOUT_SURGE in meta.annotations(each or {}) for each in (old, new)):
            where = key_text(key(new or old or {}))
            for each in self.manager.by_index(sources.PODAUTOSCALERS_BY_SERVICE, where):
                self._look(key(each))

    async def _name_sources(self, patch: Patch) -> None:
        """Write who wishes. A failure is made good when they say it again, in seconds."""
        with contextlib.suppress(ApiError, Retryable):
            await self.manager.apply(Plan((patch,)))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new or old
        assert pod is not None
        for revision in self._to_revision(pod):
            self.multiscaler.pods_changed(revision, self._clock())

    def _look(self, key: Key) -> None:
        self._podautoscalers.queue.add(key)
