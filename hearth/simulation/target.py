"""What is simulated: a Service as its YAML and the ConfigMaps have it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from activator.targets import revision_target
from hearth.knative.admission import decisions
from hearth.knative.resources import KSERVICES
from hearth.knative.settings import LiveSettings, parsers
from hearth.kube import meta
from hearth.kube.admission import AdmissionRequest
from hearth.kube.meta import Object
from serving.api import keys
from serving.api.config.gateway import BacklogLimits
from serving.api.live import overlaid
from serving.api.schedule import Window, parse_windows, scheduled
from serving.api.season import Season, parse_season
from serving.api.settings import Settings
from serving.autoscaler.decide import DeciderSpec
from serving.autoscaler.scale import Bounds
from serving.autoscaler.spec import bounds_of, decider_spec, metric_of
from serving.webhook.admission import ADMISSION

_MONDAY = 4 * 86_400
"""Traces begin on a Monday, 1970 on a Thursday."""


@dataclass(frozen=True, slots=True)
class Target:
    """What autoscaler and throttler go by for one revision."""

    spec: DeciderSpec
    bounds: Bounds
    container_concurrency: int = 0
    spread_target: int = 70
    """Requests a pod takes while a cold burst is spread, where nothing limits it."""
    timeout_seconds: float = 300.0
    backlog: BacklogLimits = field(default_factory=BacklogLimits)
    """How many may wait; the room that an activator has for all services is not simulated."""
    windows: tuple[Window, ...] = ()
    """Of its schedule; the trace begins at midnight on a Monday, by UTC."""
    season: Season | None = None
    """By which it is forecast."""

    @property
    def is_timeless(self) -> bool:
        """Whether the time of day changes nothing."""
        return not self.windows and self.season is None

    def bounds_at(self, now: float) -> Bounds:
        """Return the limits of a moment."""
        if not self.windows:
            return self.bounds
        found = scheduled(self.windows, now + _MONDAY)
        if found.changes_at is not None:
            found = replace(found, changes_at=found.changes_at - _MONDAY)
        low, high = found.bound(self.bounds.min_scale, self.bounds.max_scale)
        return replace(self.bounds, min_scale=low, max_scale=high, scheduled=found)


def settings_of(config_maps: Iterable[Object]) -> Settings:
    """Return the settings that ConfigMaps make; raises ValueError in Knative's words."""
    live = LiveSettings(Settings())
    known = parsers(live.value)
    for config_map in config_maps:
        name, data = meta.name(config_map), config_map.get("data") or {}
        if name in known:
            known[name](data)
            live.offer(name, data)
    return live.value


def target_of(service: Object | None, settings: Settings) -> Target:
    """Return what a Service (or None: one without annotations) asks for; raises ValueError."""
    template: Mapping[str, Any] = {}
    shared: Mapping[str, str] = {}
    if service is not None:
        service = _admitted(service, settings)
        template, shared = service["spec"]["template"], meta.annotations(service)
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    schedule = annotations.get(keys.SCHEDULE) or shared.get(keys.SCHEDULE)
    forecast = annotations.get(keys.FORECAST) or shared.get(keys.FORECAST)
    defaults = settings.defaults
    spec = {
        "containerConcurrency": defaults.container_concurrency,
        "timeoutSeconds": defaults.revision_timeout_seconds,
        **(template.get("spec") or {}),
    }
    annotations = overlaid(annotations, shared)
    podautoscaler = {"metadata": {"annotations": annotations}, "spec": {**spec, **_REACHABLE}}
    if metric_of(podautoscaler) not in (keys.METRIC_CONCURRENCY, keys.METRIC_RPS):
        raise ValueError(f"what is scaled by {metric_of(podautoscaler)} is not simulated")
    limits = revision_target(
        {"metadata": {"annotations": annotations}, "spec": spec}, settings.autoscaler
    )
    return Target(
        decider_spec(podautoscaler, settings.autoscaler),
        bounds_of(podautoscaler, settings),
        limits.container_concurrency,
        limits.spread_target,
        limits.timeout_seconds,
        settings.network.gateway.backlog,
        parse_windows(schedule) if schedule else (),
        parse_season(forecast) if forecast else None,
    )


def _admitted(service: Object, settings: Settings) -> Object:
    """Return the Service as it would be stored; raises ValueError where it would be refused."""
    if (service.get("apiVersion"), service.get("kind")) != (KSERVICES.api_version, KSERVICES.kind):
        raise ValueError(f"it is no {KSERVICES.kind} of {KSERVICES.api_version}")
    request = AdmissionRequest(
        uid="",
        group=KSERVICES.group,
        version=KSERVICES.version,
        kind=KSERVICES.kind,
        resource=KSERVICES.plural,
        operation="CREATE",
        namespace=meta.namespace(service) or "default",
        object=service,
    )
    kinds = ADMISSION.by_kind()
    defaulted = decisions.default(kinds, request, settings)
    request = replace(request, object=defaulted.changed)
    answer, _ = decisions.validate(kinds, request, settings)
    for refused in (defaulted, answer):
        if not refused.allowed:
            raise ValueError(refused.message)
    assert defaulted.changed is not None
    return defaulted.changed


_REACHABLE = {"reachability": keys.REACHABLE}
