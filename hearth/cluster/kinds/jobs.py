"""Rules of Job and CronJob. Pure; used by the catalog of kinds."""

from __future__ import annotations

import functools
import zoneinfo
from collections.abc import Iterator

from hearth.cluster.kinds import warnings
from hearth.cluster.kinds.base import Rules, child, copied, text_at
from hearth.cluster.kinds.podspec import pod_template_errors
from hearth.cluster.kinds.workloads import default_template, mismatch, selects
from hearth.cluster.model import checks
from hearth.cluster.model.checks import immutable, non_negative
from hearth.cluster.model.fielderrors import FieldError, invalid, not_supported, required
from hearth.cluster.model.kind import Object
from hearth.kube.cronschedule import parse_schedule

_UNLIMITED = 2**31 - 1
_JOB_NAME, _CONTROLLER = "batch.kubernetes.io/job-name", "batch.kubernetes.io/controller-uid"
_OLD_JOB_NAME, _OLD_CONTROLLER = "job-name", "controller-uid"
_LONGEST_CRON_NAME = 52  # a Job's name adds eleven characters


# -- Job -----------------------------------------------------------------------------------


def _default_job(obj: Object) -> None:
    spec = child(obj, "spec")
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    per_index = spec.get("backoffLimitPerIndex") is not None
    spec.setdefault("backoffLimit", _UNLIMITED if per_index else 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    policy = "Failed" if spec.get("podFailurePolicy") is not None else "TerminatingOrFailed"
    spec.setdefault("podReplacementPolicy", policy)
    spec.setdefault("manualSelector", False)
    default_template(spec)
    _default_failure_policy(spec)
    labels = (child(spec, "template").get("metadata") or {}).get("labels")
    if labels and not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = copied(labels)


def _default_failure_policy(spec: Object) -> None:
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern.setdefault("status", "True")


def _prepare_job(new: Object, old: Object | None) -> None:
    """A job finds its pods by its own uid, unless the client brings a selector."""
    if old is not None:
        return
    new["status"] = {}
    spec, metadata = child(new, "spec"), new["metadata"]
    if spec.get("manualSelector"):
        return
    uid, name = metadata.get("uid", ""), metadata.get("name", "")
    labels = child(child(child(spec, "template"), "metadata"), "labels")
    given = {_JOB_NAME: name, _CONTROLLER: uid, _OLD_JOB_NAME: name, _OLD_CONTROLLER: uid}
    had_labels = metadata.get("labels")
    for key, value in given.items():
        labels.setdefault(key, value)
    if not had_labels:
        metadata["labels"] = copied(labels)
    selector = child(spec, "selector")
    child(selector, "matchLabels").setdefault(_CONTROLLER, uid)


def _job_errors(obj: Object) -> Iterator[FieldError]:
    spec, metadata = obj.get("spec") or {}, obj["metadata"]
    yield from _generated_selector_errors(spec, metadata)
    yield from _job_spec_errors(spec, "spec")
    selector = spec.get("selector")
    if selector is None:
        yield required("spec.selector")
    else:
        yield from checks.label_selector_errors(selector, "spec.selector")
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if not selects(selector, labels):
        yield mismatch(labels)


def _generated_selector_errors(spec: Object, metadata: Object) -> Iterator[FieldError]:
    if spec.get("manualSelector") or spec.get("selector") is None:
        return
    uid = metadata.get("uid", "")
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    for key, value in ((_CONTROLLER, uid), (_OLD_CONTROLLER, uid)):
        if labels.get(key, value) != value:
            path = f"spec.template.metadata.labels[{key}]"
            yield invalid(path, labels[key], f"must be '{value}'")
    selector = (spec["selector"].get("matchLabels") or {}).get(_CONTROLLER)
    if selector != uid:
        path = f"spec.selector.matchLabels[{_CONTROLLER}]"
        detail = "`selector` not auto-generated"
        yield (
            invalid("spec.selector", spec["selector"], detail)
            if selector is None
            else invalid(path, selector, f"must be '{uid}'")
        )


_JOB_NUMBERS = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
)


def _job_spec_errors(spec: Object, path: str) -> Iterator[FieldError]:
    for key in _JOB_NUMBERS:
        yield from non_negative(spec, key, path)
    mode = spec.get("completionMode")
    if mode is not None:
        yield from checks.one_of(mode, ("Indexed", "NonIndexed"), f"{path}.completionMode")
        if mode == "Indexed" and spec.get("completions") is None:
            yield required(f"{path}.completions", "when completion mode is Indexed")
    template = spec.get("template") or {}
    yield from pod_template_errors(template, f"{path}.template")
    policy_path, policy = (
        f"{path}.template.spec.restartPolicy",
        (template.get("spec") or {}).get("restartPolicy", ""),
    )
    if policy in ("", "Always"):
        yield required(policy_path, 'valid values: "OnFailure", "Never"')
    elif policy not in ("OnFailure", "Never"):
        yield not_supported(policy_path, policy, ("OnFailure", "Never"))
    elif policy != "Never" and spec.get("podFailurePolicy") is not None:
        detail = 'only "Never" is supported when podFailurePolicy is specified'
        yield invalid(policy_path, policy, detail)


_JOB_FROZEN = ("selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex",
               "managedBy", "successPolicy")  # fmt: skip
_MUTABLE_WHILE_SUSPENDED = ("nodeSelector", "affinity", "tolerations", "schedulingGates")


def _job_update(new: Object, old: Object) -> Iterator[FieldError]:
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if spec.get("completions") != before.get("completions") and not _is_elastic(spec):
        yield invalid("spec.completions", spec.get("completions"), checks.IMMUTABLE)
    yield from immutable(spec.get("selector"), before.get("selector"), "spec.selector")
    template, earlier = copied(spec.get("template")), before.get("template")
    if before.get("suspend") and not (old.get("status") or {}).get("startTime"):
        _take_scheduling(template, earlier)
    if template != earlier:
        yield invalid("spec.template", template, checks.IMMUTABLE)
    for key in _JOB_FROZEN[1:]:
        yield from immutable(spec.get(key), before.get(key), f"spec.{key}")


def _is_elastic(spec: Object) -> bool:
    """An indexed job may be resized, both numbers together."""
    indexed = spec.get("completionMode") == "Indexed"
    return indexed and spec.get("completions") == spec.get("parallelism")


def _take_scheduling(template: Object | None, earlier: Object | None) -> None:
    """Where a job's pods go may change until it starts."""
    if template is None or earlier is None:
        return
    for key in _MUTABLE_WHILE_SUSPENDED:
        _take(child(template, "spec"), child(earlier, "spec"), key)
    for key in ("labels", "annotations"):
        _take(child(template, "metadata"), child(earlier, "metadata"), key)


def _take(target: Object, source: Object, key: str) -> None:
    target.pop(key, None)
    if key in source:
        target[key] = source[key]


JOB = Rules(
    default=_default_job,
    prepare=_prepare_job,
    validate=_job_errors,
    warnings=warnings.of_workload,
    update=_job_update,
    generation=True,
    fields={"status.successful": text_at("status", "succeeded", default="0")},
)


# -- CronJob -------------------------------------------------------------------------------


def _default_cron_job(obj: Object) -> None:
    spec = child(obj, "spec")
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    job = child(child(spec, "jobTemplate"), "spec")
    default_template(job)
    _default_failure_policy(job)


def _prepare_cron_job(new: Object, old: Object | None) -> None:
    if old is None:
        new["status"] = {}


def _cron_job_errors(obj: Object) -> Iterator[FieldError]:
    name = obj["metadata"].get("name", "")
    spec = obj.get("spec") or {}
    yield from _schedule_errors(spec)
    yield from non_negative(spec, "startingDeadlineSeconds", "spec")
    policy = spec.get("concurrencyPolicy", "")
    if not policy:
        yield required("spec.concurrencyPolicy")
    else:
        policies = ("Allow", "Forbid", "Replace")
        yield from checks.one_of(policy, policies, "spec.concurrencyPolicy")
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    path = "spec.jobTemplate.spec"
    if job.get("manualSelector"):
        yield not_supported(f"{path}.manualSelector", True, ("nil", "false"))
    yield from _job_spec_errors(job, path)
    for key in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        yield from non_negative(spec, key, "spec")
    if len(name) > _LONGEST_CRON_NAME:
        detail = f"must be no more than {_LONGEST_CRON_NAME} characters"
        yield invalid("metadata.name", name, detail)


def _schedule_errors(spec: Object) -> Iterator[FieldError]:
    schedule, path = spec.get("schedule", ""), "spec.schedule"
    if not schedule:
        yield required(path)
        return
    if "TZ" in schedule:
        detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        yield invalid(path, schedule, detail)
    else:
        try:
            parse_schedule(schedule)
        except ValueError as error:
            yield invalid(path, schedule, str(error))
    if (zone := spec.get("timeZone")) is not None:
        yield from _time_zone_errors(zone, "spec.timeZone")


def _time_zone_errors(zone: str, path: str) -> Iterator[FieldError]:
    if not zone:
        yield invalid(path, zone, "timeZone must be nil or non-empty string")
    elif zone.lower() == "local":
        detail = "timeZone must be an explicit time zone as defined in "
        yield invalid(path, zone, detail + "https://www.iana.org/time-zones")
    elif not _is_time_zone(zone):
        yield invalid(path, zone, f"unknown time zone {zone}")


@functools.cache
def _is_time_zone(zone: str) -> bool:
    """Where the machine knows no zones at all, any name passes."""
    try:
        zoneinfo.ZoneInfo(zone)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return zone != "UTC" and not zoneinfo.available_timezones()
    return True


CRON_JOB = Rules(
    default=_default_cron_job,
    prepare=_prepare_cron_job,
    validate=_cron_job_errors,
    warnings=warnings.of_cron_job,
    generation=True,
)
