"""PingSource: an event at each tick of a schedule."""

from __future__ import annotations

import base64
import binascii
from typing import ClassVar

from eventing.api.definitions import AGE, READY, SINK, SOURCE, SOURCES, Look, define
from eventing.api.settings import Settings
from eventing.api.shapes import SourceSpec, SourceStatus
from eventing.api.sources import check_source
from hearth.knative.admission.kinds import Change
from hearth.knative.fielderrors import Errors, invalid, multiple_one_of, via
from hearth.knative.resources import PINGSOURCES
from hearth.kube.cronschedule import BadZone, parse_schedule
from hearth.kube.gojson import object_error
from hearth.kube.gotext import base64_problem

_EACH_MINUTE = "* * * * *"
_JSON = "application/json"


class PingSourceSpec(SourceSpec):
    """When to send what."""

    go_type: ClassVar[str] = "v1.PingSourceSpec"

    schedule: str = ""
    """When: a cron expression, whose first of six fields are seconds; each minute if left out."""
    timezone: str = ""
    """The time zone of the schedule."""
    content_type: str = ""
    """The type of the data."""
    data: str = ""
    """What each event carries, as text."""
    data_base64: str = ""
    """What each event carries, in base64."""


class PingSourceStatus(SourceStatus):
    """What has become of a PingSource."""


def _default(change: Change[PingSourceSpec, Settings]) -> None:
    spec = change.new.spec
    change.new.spec = spec.model_copy(update={"schedule": spec.schedule or _EACH_MINUTE})


def _validate(change: Change[PingSourceSpec, Settings]) -> Errors:
    spec, settings = change.new.spec, change.settings
    errors = _check_schedule(spec) + _check_data(spec, settings.pings.data_max_size)
    return via(errors + check_source(spec, settings.features), "spec")


def _check_schedule(spec: PingSourceSpec) -> Errors:
    errors: Errors = []
    if "@every" in spec.schedule:
        errors.append(invalid("unsupported descriptor @every", "schedule"))
    schedule = f"CRON_TZ={spec.timezone} {spec.schedule}" if spec.timezone else spec.schedule
    try:
        parse_schedule(schedule, with_seconds=True)
    except BadZone as error:
        errors.append(invalid(error, "timezone"))
    except ValueError as error:
        errors.append(invalid(error, "schedule"))
    return errors


def _check_data(spec: PingSourceSpec, limit: int) -> Errors:
    if spec.data and spec.data_base64:
        return [multiple_one_of("data", "dataBase64")]
    field = "dataBase64" if spec.data_base64 else "data"
    text = spec.data_base64 or spec.data
    errors: Errors = []
    if -1 < limit < (size := len(text.encode())):
        message = f"the {field} length of {size} bytes exceeds limit set at {limit}."
        errors.append(invalid(message, field))
    problem = base64_problem(text) if spec.data_base64 else ""
    if problem:
        return [*errors, invalid(problem, field)]
    if text and spec.content_type == _JSON:
        problem = _json_problem(spec)
        errors += [invalid(problem, field)] if problem else []
    return errors


def _json_problem(spec: PingSourceSpec) -> str:
    text = spec.data
    if spec.data_base64:
        try:
            decoded = base64.b64decode(spec.data_base64)
        except binascii.Error as error:
            return str(error)
        text = decoded.decode("utf-8", "replace")
    return object_error(text, "map[string]interface {}")


DEFINITION = define(
    PINGSOURCES,
    PingSourceSpec,
    PingSourceStatus,
    Look(
        "Sends an event at each tick of a schedule.",
        columns=(SINK, ("Schedule", "string", ".spec.schedule"), AGE, *READY),
        labels=SOURCE,
        categories=SOURCES,
    ),
    default=_default,
    validate=_validate,
)
