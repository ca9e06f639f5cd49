"""Autoscaling annotations of a revision template or a PodAutoscaler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hearth.knative import fielderrors as fe
from hearth.knative.configmap import whole_seconds
from hearth.knative.fielderrors import Errors, FieldError
from hearth.kube.durations import format_go_duration, parse_go_duration
from hearth.kube.gotext import OutOfRange, format_float, parse_finite, parse_int
from serving.api import keys, live
from serving.api.annotations import MAX_INT32, READ_SCALE, stored
from serving.api.config.autoscaler import AutoscalerConfig
from serving.api.keys import Aliases
from serving.api.schedule import ScheduleError, parse_windows
from serving.api.season import parse_season

_SECONDS_ONLY = "must be specified with at most second precision"

Annotations = Mapping[str, str]


def validate_annotations(annotations: Annotations, config: AutoscalerConfig) -> Errors:
    """Check the annotations of ``autoscaling.knative.dev``."""
    if not any(key.startswith(keys.AUTOSCALING_GROUP) for key in annotations):
        return []
    return (
        _class(annotations)
        + _scales(annotations, config)
        + _numbers(annotations)
        + _window(annotations)
        + _period(annotations, keys.POD_RETENTION_PERIOD, whole=False)
        + _period(annotations, keys.SCALE_DOWN_DELAY, whole=True)
        + _metric(annotations, config)
        + _algorithm(annotations)
        + _initial_scale(annotations, config)
    )


def validate_own_annotations(annotations: Annotations, config: AutoscalerConfig) -> Errors:
    """Check those of ``autoscaling.hearth.dev``, which a Service may have as well."""
    return _schedule(annotations, config) + _forecast(annotations)


def validate_live(service: Annotations, template: Annotations, config: AutoscalerConfig) -> Errors:
    """Check what a Service says in its template's place, and what comes of both."""
    ours = {known.key: key for key, known in live.LIVE.items() if key in service}
    found = validate_annotations({**template, **live.asked(service)}, config) if ours else []
    return [
        replace(error, paths=tuple(ours[path] for path in error.paths if path in ours))
        for error in found
        if any(path in ours for path in error.paths)
    ]


def no_live_annotations(annotations: Annotations) -> Errors:
    """They belong to the Service; on a template they would do nothing."""
    hint = (
        "annotations of autoscaling.hearth.dev that change a running Service must be put under its "
        '"metadata.annotations"; here it is {}'
    )
    return [
        fe.invalid_key(key, "", hint.format(known.key))
        for key, known in live.LIVE.items()
        if key in annotations
    ]


def _forecast(annotations: Annotations) -> Errors:
    text = annotations.get(keys.FORECAST)
    try:
        if text is not None:
            parse_season(text)
    except ValueError as error:
        return [fe.invalid(text, f"[{keys.FORECAST}]", str(error))]
    return []


def _schedule(annotations: Annotations, config: AutoscalerConfig) -> Errors:
    text, field = annotations.get(keys.SCHEDULE), f"[{keys.SCHEDULE}]"
    try:
        windows = () if text is None else parse_windows(text)
    except ScheduleError as error:
        return [fe.invalid(error.value, f"{field}{error.path}", str(error))]
    errors: Errors = []
    ceiling = stored(annotations, keys.MAX_SCALE, READ_SCALE, default=0)
    for place, window in enumerate(windows):
        path, low, high = f"{field}[{place}]", window.min_scale or 0, window.max_scale or 0
        if not high and 0 != ceiling < low:
            errors.append(
                fe.invalid(low, f"{path}.minScale", f"it is more than max-scale={ceiling}")
            )
        if 0 != config.max_scale_limit < (most := max(low, high)):
            errors.append(fe.invalid(most, path, f"max-scale-limit is {config.max_scale_limit}"))
    return errors


def _class(annotations: Annotations) -> Errors:
    entry = keys.CLASS.find(annotations)
    if entry is None or entry[1] in (keys.KPA_CLASS, keys.HPA_CLASS):
        return []
    # Another domain is another autoscaler's business.
    return [fe.invalid(entry[1], entry[0])] if entry[1].endswith(".knative.dev") else []


def _scale(annotations: Annotations, aliases: Aliases) -> tuple[int, Errors]:
    """An integer >= 0, or 0 and a complaint."""
    entry = aliases.find(annotations)
    if entry is None:
        return 0, []
    key, text = entry
    try:
        number = parse_int(text, 32)
    except OutOfRange:
        number = -1
    except ValueError:
        return 0, [fe.invalid(text, key)]
    if number < 0:
        return 0, [fe.out_of_bounds(0, text, MAX_INT32, field=key)]
    return number, []


def _scales(annotations: Annotations, config: AutoscalerConfig) -> Errors:
    low, errors = _scale(annotations, keys.MIN_SCALE)
    high, more = _scale(annotations, keys.MAX_SCALE)
    errors += more
    if high != 0 and high < low:
        errors.append(
            FieldError(
                f"max-scale={high} is less than min-scale={low}",
                (keys.MAX_SCALE.key, keys.MIN_SCALE.key),
            )
        )
    entry = keys.MAX_SCALE.find(annotations)
    if entry is not None and config.max_scale_limit:
        errors += _scale_limit(entry[0], high, config.max_scale_limit)
    return errors + _activation_scale(annotations, low, high=high)


def _scale_limit(key: str, high: int, limit: int) -> Errors:
    if high > limit:
        return [fe.out_of_bounds(1, high, limit, field=key)]
    if high == 0:
        return [FieldError(f"max-scale=0 (unlimited), must be less than {limit}", (key,))]
    return []


def _activation_scale(annotations: Annotations, low: int, *, high: int) -> Errors:
    entry = keys.ACTIVATION_SCALE.find(annotations)
    if entry is None:
        return []
    key, text = entry
    try:
        scale = parse_int(text, 32)
    except ValueError:
        return [fe.invalid(text, key)]
    if low > scale:
        message = f"min-scale={low} is greater than activation-scale={scale}"
    elif 0 != high < scale:
        message = f"max-scale={high} is less than activation-scale={scale}"
    elif scale < 2:
        message = f"activation-scale={scale} must be greater than 1"
    else:
        return []
    return [FieldError(message, (key,))]


_RANGES = (
    (
        keys.PANIC_WINDOW_PERCENTAGE,
        keys.PANIC_WINDOW_PERCENTAGE_MIN,
        keys.PANIC_WINDOW_PERCENTAGE_MAX,
    ),
    (
        keys.PANIC_THRESHOLD_PERCENTAGE,
        keys.PANIC_THRESHOLD_PERCENTAGE_MIN,
        keys.PANIC_THRESHOLD_PERCENTAGE_MAX,
    ),
    (keys.TARGET_UTILIZATION, 1.0, 100.0),
)


def _numbers(annotations: Annotations) -> Errors:
    errors: Errors = []
    for aliases, low, high in _RANGES:
        key, text, number = _number(annotations, aliases, errors)
        if number is not None and not low <= number <= high:
            errors.append(fe.out_of_bounds(format_float(low), text, format_float(high), field=key))
    key, text, number = _number(annotations, keys.TARGET, errors)
    if number is not None and number < keys.TARGET_MIN:
        least = format_float(keys.TARGET_MIN)
        errors.append(FieldError(f"target {text} should be at least {least}", (key,)))
    key, text, number = _number(annotations, keys.TARGET_BURST_CAPACITY, errors)
    if number is not None and number < 0 and number != keys.UNLIMITED_BURST:
        errors.append(fe.invalid(text, key))
    return errors


def _number(
    annotations: Annotations, aliases: Aliases, errors: Errors
) -> tuple[str, str, float | None]:
    """The annotation as a number; None when it is absent or (a complaint is added) none.

    Knative lets NaN and infinities through, and then computes with them; here they are no numbers.
    """
    entry = aliases.find(annotations)
    if entry is None:
        return "", "", None
    try:
        return *entry, parse_finite(entry[1])
    except ValueError:
        errors.append(fe.invalid(entry[1], entry[0]))
        return *entry, None


def _window(annotations: Annotations) -> Errors:
    entry = keys.WINDOW.find(annotations)
    if entry is None:
        return []
    key, text = entry
    try:
        seconds = parse_go_duration(text)
    except ValueError:
        return [fe.invalid(text, key)]
    low, high = keys.WINDOW_MIN_SECONDS, keys.WINDOW_MAX_SECONDS
    if not low <= seconds <= high:
        bounds = format_go_duration(low), format_go_duration(high)
        return [fe.out_of_bounds(bounds[0], text, bounds[1], field=key)]
    return [] if whole_seconds(seconds) else [FieldError(_SECONDS_ONLY, (key,))]


def _period(annotations: Annotations, aliases: Aliases, *, whole: bool) -> Errors:
    """A duration from nothing up to the longest window."""
    entry = aliases.find(annotations)
    if entry is None:
        return []
    key, text = entry
    try:
        seconds = parse_go_duration(text)
    except ValueError:
        return [fe.invalid(text, key)]
    if not 0 <= seconds <= keys.WINDOW_MAX_SECONDS:
        high = format_go_duration(keys.WINDOW_MAX_SECONDS)
        return [fe.out_of_bounds("0s", text, high, field=key)]
    return [FieldError(_SECONDS_ONLY, (key,))] if whole and not whole_seconds(seconds) else []


def _metric(annotations: Annotations, config: AutoscalerConfig) -> Errors:
    entry = keys.METRIC.find(annotations)
    if entry is None:
        return []
    metric = entry[1]
    scaler = keys.CLASS.value(annotations, config.pod_autoscaler_class)
    if scaler == keys.KPA_CLASS:
        known = metric in (keys.METRIC_CONCURRENCY, keys.METRIC_RPS)
    else:
        known = scaler != keys.HPA_CLASS or bool(metric)
    return [] if known else [fe.invalid(metric, keys.METRIC.key)]


def _algorithm(annotations: Annotations) -> Errors:
    if keys.CLASS.value(annotations) != keys.KPA_CLASS:
        return []
    entry = keys.AGGREGATION_ALGORITHM.find(annotations)
    known = (
        "",
        keys.ALGORITHM_LINEAR,
        keys.ALGORITHM_WEIGHTED,
        keys.ALGORITHM_WEIGHTED_OLD,
    )
    return [fe.invalid(entry[1], entry[0])] if entry and entry[1] not in known else []


def _initial_scale(annotations: Annotations, config: AutoscalerConfig) -> Errors:
    entry = keys.INITIAL_SCALE.find(annotations)
    if entry is None:
        return []
    key, text = entry
    if text == keys.CURRENT:
        return []
    try:
        scale = parse_int(text)
    except ValueError:
        return [fe.invalid(text, key)]
    if scale < 0:
        return [fe.invalid(text, f"{key} must be greater than 0")]
    if scale == 0 and not config.allow_zero_initial_scale:
        return [fe.invalid(text, f"{key}=0 not allowed by cluster")]
    return []
