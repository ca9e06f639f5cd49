"""config-autoscaler: how revisions are scaled when their annotations do not say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hearth.knative.configmap import Reader, whole_seconds
from hearth.kube.durations import format_go_duration
from hearth.kube.gotext import format_float
from serving.api import keys


@dataclass(frozen=True, slots=True)
class AutoscalerConfig:
    """Durations are in seconds; fractions lie in (0, 1]."""

    enable_scale_to_zero: bool = True
    container_concurrency_target_fraction: float = 0.7
    container_concurrency_target_default: float = 100.0
    rps_target_default: float = 200.0
    target_utilization: float = 0.7
    target_burst_capacity: float = 211.0
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    stable_window: float = 60.0
    panic_window_percentage: float = 10.0
    panic_threshold_percentage: float = 200.0
    activator_capacity: float = 100.0
    scale_to_zero_grace_period: float = 30.0
    scale_to_zero_pod_retention_period: float = 0.0
    scale_down_delay: float = 0.0
    pod_autoscaler_class: str = keys.KPA_CLASS
    initial_scale: int = 1
    allow_zero_initial_scale: bool = False
    min_scale: int = 0
    max_scale: int = 0
    max_scale_limit: int = 0

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> AutoscalerConfig:
        """Read the ConfigMap's data; raises ValueError in Knative's words."""
        try:
            config = _read(Reader(data))
        except ValueError as error:
            raise ValueError(f"failed to parse data: {error}") from None
        for check in _CHECKS:
            complaint = check(config)
            if complaint:
                raise ValueError(complaint)
        return config


def _read(reader: Reader) -> AutoscalerConfig:
    number, integer, seconds = reader.number, reader.integer, reader.seconds
    return AutoscalerConfig(
        pod_autoscaler_class=reader.text("pod-autoscaler-class", default=keys.KPA_CLASS),
        enable_scale_to_zero=reader.boolean("enable-scale-to-zero", default=True),
        allow_zero_initial_scale=reader.boolean("allow-zero-initial-scale", default=False),
        max_scale_up_rate=number("max-scale-up-rate", default=1000.0),
        max_scale_down_rate=number("max-scale-down-rate", default=2.0),
        container_concurrency_target_fraction=_fraction(
            number("container-concurrency-target-percentage", default=0.7)
        ),
        container_concurrency_target_default=number(
            "container-concurrency-target-default", default=100.0
        ),
        rps_target_default=number("requests-per-second-target-default", default=200.0),
        target_burst_capacity=number("target-burst-capacity", default=211.0),
        panic_window_percentage=number("panic-window-percentage", default=10.0),
        activator_capacity=number("activator-capacity", default=100.0),
        panic_threshold_percentage=number("panic-threshold-percentage", default=200.0),
        initial_scale=integer("initial-scale", default=1, bits=32),
        min_scale=integer("min-scale", default=0, bits=32),
        max_scale=integer("max-scale", default=0, bits=32),
        max_scale_limit=integer("max-scale-limit", default=0, bits=32),
        stable_window=seconds("stable-window", default=60.0),
        scale_down_delay=seconds("scale-down-delay", default=0.0),
        scale_to_zero_grace_period=seconds("scale-to-zero-grace-period", default=30.0),
        scale_to_zero_pod_retention_period=seconds(
            "scale-to-zero-pod-retention-period", default=0.0
        ),
    )


def _fraction(number: float) -> float:
    """Up to 1 it is a fraction already, the older form of the setting."""
    return number / 100 if number > 1 else number


_Check = Callable[[AutoscalerConfig], str | None]


def _check_periods(config: AutoscalerConfig) -> str | None:
    grace, delay = config.scale_to_zero_grace_period, config.scale_down_delay
    if grace <= 0:
        return f"scale-to-zero-grace-period must be positive, was: {format_go_duration(grace)}"
    if delay < 0:
        return f"scale-down-delay cannot be negative, was: {format_go_duration(delay)}"
    if not whole_seconds(delay):
        return (
            f"scale-down-delay = {format_go_duration(delay)}, "
            "must be specified with at most second precision"
        )
    retention = config.scale_to_zero_pod_retention_period
    if retention < 0:
        return (
            "scale-to-zero-pod-retention-period cannot be negative, "
            f"was: {format_go_duration(retention)}"
        )
    return None


def _check_targets(config: AutoscalerConfig) -> str | None:
    burst, fraction = config.target_burst_capacity, config.container_concurrency_target_fraction
    if burst < 0 and burst != -1:
        return (
            "target-burst-capacity must be either non-negative or -1 (for unlimited), "
            f"was: {burst:f}"
        )
    if not 0 < fraction <= 1:
        return (
            f"container-concurrency-target-percentage = {fraction:f} "
            "is outside of valid range of (0, 100]"
        )
    target = fraction * config.container_concurrency_target_default
    if target < keys.TARGET_MIN:
        return (
            "container-concurrency-target-percentage and container-concurrency-target-default "
            f"yield target concurrency of {format_float(target)}, "
            f"can't be less than {format_float(keys.TARGET_MIN)}"
        )
    if config.rps_target_default < keys.TARGET_MIN:
        return (
            f"requests-per-second-target-default must be at least {format_float(keys.TARGET_MIN)}, "
            f"was: {format_float(config.rps_target_default)}"
        )
    return None


def _check_rates(config: AutoscalerConfig) -> str | None:
    if config.activator_capacity < 1:
        return f"activator-capacity = {format_float(config.activator_capacity)}, must be at least 1"
    for key, rate in (
        ("max-scale-up-rate", config.max_scale_up_rate),
        ("max-scale-down-rate", config.max_scale_down_rate),
    ):
        if rate <= 1:
            return f"{key} = {format_float(rate)}, must be greater than 1.0"
    return None


def _check_windows(config: AutoscalerConfig) -> str | None:
    window = config.stable_window
    if not keys.WINDOW_MIN_SECONDS <= window <= keys.WINDOW_MAX_SECONDS:
        low = format_go_duration(keys.WINDOW_MIN_SECONDS)
        high = format_go_duration(keys.WINDOW_MAX_SECONDS)
        return f"stable-window = {format_go_duration(window)}, must be in [{low}; {high}] range"
    if not whole_seconds(window):
        return (
            f"stable-window = {format_go_duration(window)}, "
            "must be specified with at most second precision"
        )
    low_percentage, high_percentage = (
        keys.PANIC_WINDOW_PERCENTAGE_MIN,
        keys.PANIC_WINDOW_PERCENTAGE_MAX,
    )
    if not low_percentage <= config.panic_window_percentage <= high_percentage:
        return (
            f"panic-window-percentage = {format_float(config.panic_window_percentage)}, "
            f"must be in [{format_float(low_percentage)}, "
            f"{format_float(high_percentage)}] interval"
        )
    return None


def _check_scales(config: AutoscalerConfig) -> str | None:
    initial, low, high = config.initial_scale, config.min_scale, config.max_scale
    limit = config.max_scale_limit
    if initial < 0 or (initial == 0 and not config.allow_zero_initial_scale):
        return (
            f"initial-scale = {initial}, must be at least 0 "
            "(or at least 1 when allow-zero-initial-scale is false)"
        )
    if low < 0:
        return f"min-scale = {low}, must be at least 0"
    # Under a limit no revision may be unlimited, so there has to be a default.
    lowest_max = 1 if limit > 0 else 0
    if high < lowest_max or 0 < limit < high:
        return f"max-scale = {high}, must be in [{lowest_max}, max-scale-limit({limit})] range"
    if limit < 0:
        return f"max-scale-limit = {limit}, must be at least 0"
    if 0 < high < low:
        return f"min-scale ({low}) must be less than max-scale ({high})"
    return None


_CHECKS: tuple[_Check, ...] = (
    _check_periods,
    _check_targets,
    _check_rates,
    _check_windows,
    _check_scales,
)
