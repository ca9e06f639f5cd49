"""What a PodAutoscaler asks of the autoscaler: its annotations over config-autoscaler. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from hearth.kube import meta
from hearth.kube.meta import Object
from serving.api import annotations as numbers
from serving.api import keys, views
from serving.api.annotations import stored
from serving.api.config.autoscaler import AutoscalerConfig
from serving.api.config.deployment import DeploymentConfig
from serving.api.keys import Aliases
from serving.api.schedule import UNSCHEDULED, Scheduled, ScheduleError, parse_windows, scheduled
from serving.api.targets import metric_target
from serving.autoscaler.decide import DeciderSpec
from serving.autoscaler.scale import Bounds

T = TypeVar("T")
_SHORTEST_PANIC_WINDOW = 1.0  # one bucket


class AutoscalingSettings(Protocol):
    """The settings that a PodAutoscaler's annotations are laid over."""

    @property
    def autoscaler(self) -> AutoscalerConfig:
        """config-autoscaler."""
        ...

    @property
    def deployment(self) -> DeploymentConfig:
        """config-deployment."""
        ...


def class_of(podautoscaler: Object) -> str:
    """Return who scales it."""
    return keys.CLASS.value(meta.annotations(podautoscaler), keys.KPA_CLASS)


def metric_of(podautoscaler: Object) -> str:
    """Return what it is scaled by; the class has its own default."""
    default = keys.METRIC_CPU if class_of(podautoscaler) == keys.HPA_CLASS else "concurrency"
    return keys.METRIC.value(meta.annotations(podautoscaler), default)


def annotated(
    podautoscaler: Object, annotation: Aliases, read: Callable[[str], T], *, default: T
) -> T:
    """Read an annotation; a value that admission would refuse today counts as absent."""
    return stored(meta.annotations(podautoscaler), annotation, read, default=default)


def is_reachable(podautoscaler: Object) -> bool:
    """Whether a route may lead to it."""
    return views.PodAutoscaler(podautoscaler).is_reachable


def decider_spec(podautoscaler: Object, config: AutoscalerConfig) -> DeciderSpec:
    """Return what the annotations of a PodAutoscaler, over the settings, ask of its decider."""

    def read(annotation: Aliases, reader: Callable[[str], T], default: T) -> T:
        return annotated(podautoscaler, annotation, reader, default=default)

    target, total = metric_target(
        meta.annotations(podautoscaler),
        metric=metric_of(podautoscaler),
        limit=float(podautoscaler["spec"].get("containerConcurrency") or 0),
        config=config,
    )
    window = read(keys.WINDOW, numbers.READ_WINDOW, config.stable_window)
    share = read(
        keys.PANIC_WINDOW_PERCENTAGE,
        numbers.READ_PANIC_WINDOW_PERCENTAGE,
        config.panic_window_percentage,
    )
    threshold = read(
        keys.PANIC_THRESHOLD_PERCENTAGE,
        numbers.READ_PANIC_THRESHOLD_PERCENTAGE,
        config.panic_threshold_percentage,
    )
    algorithm = keys.AGGREGATION_ALGORITHM.value(meta.annotations(podautoscaler))
    return DeciderSpec(
        metric=metric_of(podautoscaler),
        target=target,
        total=total,
        target_burst_capacity=read(
            keys.TARGET_BURST_CAPACITY, numbers.READ_BURST_CAPACITY, config.target_burst_capacity
        ),
        panic_threshold=threshold / 100,
        stable_window=window,
        panic_window=max(_SHORTEST_PANIC_WINDOW, float(int(window * share / 100 + 0.5))),
        max_scale_up_rate=config.max_scale_up_rate,
        max_scale_down_rate=config.max_scale_down_rate,
        scale_down_delay=read(keys.SCALE_DOWN_DELAY, numbers.READ_PERIOD, config.scale_down_delay),
        initial_scale=initial_scale(podautoscaler, config),
        activation_scale=read(keys.ACTIVATION_SCALE, numbers.READ_ACTIVATION_SCALE, 0),
        reachable=is_reachable(podautoscaler),
        weighted=algorithm in (keys.ALGORITHM_WEIGHTED, keys.ALGORITHM_WEIGHTED_OLD),
    )


def initial_scale(podautoscaler: Object, config: AutoscalerConfig) -> int:
    """Return the pods to start with; 0 only where the settings allow it."""
    asked = annotated(
        podautoscaler, keys.INITIAL_SCALE, numbers.READ_SCALE, default=config.initial_scale
    )
    if asked == 0 and not config.allow_zero_initial_scale:
        return config.initial_scale
    return asked


def scheduled_of(podautoscaler: Object, service: Object | None, now: float) -> Scheduled:
    """Return what its schedule says now: its own, or that of its Service."""
    own, shared = meta.annotations(podautoscaler), meta.annotations(service or {})
    text = own.get(keys.SCHEDULE) or shared.get(keys.SCHEDULE)
    try:
        return scheduled(parse_windows(text), now) if text else UNSCHEDULED
    except ScheduleError:
        return UNSCHEDULED


def scale_bounds(
    podautoscaler: Object, config: AutoscalerConfig, scheduled: Scheduled = UNSCHEDULED
) -> tuple[int, int]:
    """Least and most pods; what no route leads to may go to zero whatever it asks."""
    min_scale, max_scale = scheduled.bound(
        annotated(podautoscaler, keys.MIN_SCALE, numbers.READ_SCALE, default=config.min_scale),
        annotated(podautoscaler, keys.MAX_SCALE, numbers.READ_SCALE, default=config.max_scale),
    )
    return (min_scale if is_reachable(podautoscaler) else 0), max_scale


def bounds_of(
    podautoscaler: Object, settings: AutoscalingSettings, scheduled: Scheduled = UNSCHEDULED
) -> Bounds:
    """Return the limits of its scale."""
    config = settings.autoscaler

    def seconds(annotation: Aliases, read: Callable[[str], float], default: float) -> float:
        return annotated(podautoscaler, annotation, read, default=default)

    min_scale, max_scale = scale_bounds(podautoscaler, config, scheduled)
    reachable = is_reachable(podautoscaler)
    retention = seconds(
        keys.POD_RETENTION_PERIOD, numbers.READ_PERIOD, config.scale_to_zero_pod_retention_period
    )
    return Bounds(
        min_scale=min_scale,
        max_scale=max_scale,
        initial=initial_scale(podautoscaler, config),
        reachable=reachable,
        scale_to_zero=config.enable_scale_to_zero,
        stable_window=seconds(keys.WINDOW, numbers.READ_WINDOW, config.stable_window),
        retention=retention if reachable else 0.0,
        progress_deadline=seconds(
            keys.PROGRESS_DEADLINE, numbers.READ_DURATION, settings.deployment.progress_deadline
        ),
        scheduled=scheduled,
    )


def labels_for_metrics(podautoscaler: Object) -> dict[str, Any]:
    """Knative's attributes of a revision, as Prometheus labels."""
    own = meta.labels(podautoscaler)
    return {
        "k8s_namespace_name": meta.namespace(podautoscaler),
        "kn_service_name": own.get(keys.SERVICE, ""),
        "kn_configuration_name": own.get(keys.CONFIGURATION, ""),
        "kn_revision_name": meta.name(podautoscaler),
    }
