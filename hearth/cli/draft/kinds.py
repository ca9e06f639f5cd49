"""What the one-machine API and Hearth's admission say of an object, asked without a server.

The same schemas, defaults and checks that a write passes there, in the same order. What needs other
objects (quotas, names that are taken, rights) is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

from hearth.cluster.codec import typecheck
from hearth.cluster.codec.decode import copied
from hearth.cluster.crd.kinds import kinds_of
from hearth.cluster.kinds.catalog import KINDS
from hearth.cluster.model.kind import Kind
from hearth.cluster.model.objectmeta import canonical_metadata, validate_object_meta
from hearth.cluster.model.served import ServedKinds
from hearth.cluster.operations.metadata import fill_for_create
from hearth.knative.admission import decisions
from hearth.knative.admission.kinds import Trial
from hearth.kube.admission import CREATE, AdmissionRequest, AdmissionResponse
from hearth.kube.install import config_folder
from hearth.kube.meta import Object, name
from hearth.kube.models import DecodeError
from hearth.kube.resources import JOBS

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOW = "2000-01-01T00:00:00Z"
_WRONG_TYPE = "FieldValueTypeInvalid"
_UID = "00000000-0000-0000-0000-000000000000"
_OUR_GROUPS = re.compile(r"(^|\.)(knative\.dev|keda\.sh|hearth\.dev|servicebinding\.io)$")
_GO_FIELD = re.compile(r"Go struct field \w+\.(\S+) of type")
_FIRST_FIELD = re.compile(r"^\[?((?:spec|metadata)\b[^\s,:]*)")
_LAST_FIELDS = re.compile(r": ((?:spec|metadata)\b[^\s,]*)(?:, \S+)*$")
_FIELDS = (_GO_FIELD, _FIRST_FIELD, _LAST_FIELDS)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a server would refuse an object; ``field`` is a path in it, "" for the whole."""

    field: str
    message: str


@dataclass(slots=True)
class Answer:
    """What a server would say of an object; ``is_typed``: all fields have the types they must."""

    refusals: list[Refusal] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    is_typed: bool = True


class Kinds:
    """Kubernetes' kinds, Hearth's own, and those of definitions that are given."""

    def __init__(self, definitions: Iterable[Object] = ()) -> None:
        self._served = ServedKinds(KINDS)
        self._read: set[str] = set()
        for each in definitions:
            self._add(each)

    def kind(self, obj: Object) -> Kind | None:
        """Return the kind that an object names; None where nothing is known of it."""
        api_version = str(obj.get("apiVersion"))
        group = api_version.rpartition("/")[0]
        if group not in self._read and _OUR_GROUPS.search(group):
            self._read.add(group)
            for path in (config_folder().parent / "crds").rglob(f"{group}_*.yaml"):
                self._add(yaml.load(path.read_bytes(), Loader=_LOADER))
        served = self._served.by_kind(api_version, str(obj.get("kind")))
        return None if served is None else served.kind

    def _add(self, definition: Object) -> None:
        self._served.set_custom(str(definition["metadata"]["name"]), kinds_of(definition))

    # -- defaults ------------------------------------------------------------------------------

    def defaulted(self, obj: Object, namespace: str) -> Object:
        """Return an object as a server would complete it; ValueError where it cannot be read."""
        kind = self.kind(obj)
        if kind is None:
            raise ValueError(f"nothing is known of {obj.get('apiVersion')} {obj.get('kind')}")
        return self._completed(kind, copied(obj), namespace)

    def _completed(self, kind: Kind, obj: Object, namespace: str) -> Object:
        fill_for_create(obj, kind, namespace=namespace, now=_NOW, uid=_UID, suffix="00000")
        kind.strategy.default(obj)
        if kind.custom:
            canonical_metadata(obj)
        answer = _mutation(_asked(kind, obj, namespace))
        if not answer.allowed:
            raise ValueError(answer.message)
        if answer.changed is not None:
            obj = answer.changed
            (kind.strategy.default_again or kind.strategy.default)(obj)
        kind.strategy.prepare(obj, None)
        return obj

    # -- checks --------------------------------------------------------------------------------

    def answer(self, obj: Object, namespace: str) -> Answer:
        """Return what a server would say of an object whose kind is known."""
        kind = self.kind(obj)
        assert kind is not None
        problems = typecheck.decode_errors(obj, kind.schema, kind.kind)
        if problems:
            return Answer([Refusal(_field_of(problems[0]), problems[0])], is_typed=False)
        unknown = typecheck.unknown_fields(obj, kind.schema)
        answer = Answer([Refusal(path, f'unknown field "{path}"') for path in unknown])
        obj = {**copied(obj), "metadata": copied(obj.get("metadata") or {})}
        typecheck.drop_unknown(obj, kind.schema)
        try:
            obj = self._completed(kind, obj, namespace)
        except ValueError as error:
            answer.refusals += _refusals(str(error))
            answer.is_typed = False
            return answer
        names = kind.strategy.validate_name
        errors = validate_object_meta(obj, namespaced=kind.namespaced, name_fn=names)
        errors += kind.strategy.validate(obj)
        answer.refusals += [Refusal(each.field, each.message) for each in errors]
        answer.is_typed = all(each.reason != _WRONG_TYPE for each in errors)
        if kind.strategy.warnings is not None:
            answer.warnings += kind.strategy.warnings(obj, None)
        if not errors:
            self._admission(kind, obj, namespace, answer)
        return answer

    def _admission(self, kind: Kind, obj: Object, namespace: str, answer: Answer) -> None:
        response, trial = _validation(_asked(kind, obj, namespace))
        answer.warnings += response.warnings
        if not response.allowed:
            answer.refusals += _refusals(response.message)
        if trial is not None:
            of_child = self.answer(trial.obj, namespace)
            answer.is_typed = answer.is_typed and of_child.is_typed
            answer.refusals += [_of_trial(trial, each) for each in of_child.refusals]


def _asked(kind: Kind, obj: Object, namespace: str) -> AdmissionRequest:
    return AdmissionRequest(
        uid=_UID,
        group=kind.group,
        version=kind.version,
        kind=kind.kind,
        resource=kind.plural,
        operation=CREATE,
        name=name(obj),
        namespace=namespace if kind.namespaced else "",
        username="hearth",
        dry_run=True,
        object=obj,
    )


def _mutation(request: AdmissionRequest) -> AdmissionResponse:
    kinds, settings = _project(request.group)
    if (request.group, request.version, request.kind) not in kinds:
        return AdmissionResponse()
    return decisions.default(kinds, request, settings)


def _validation(request: AdmissionRequest) -> tuple[AdmissionResponse, Trial | None]:
    if request.group.endswith("keda.sh"):
        return _keda(request)
    if request.group == "servicebinding.io":
        from hearth.servicebinding.hook import refusal

        return refusal(request), None
    kinds, settings = _project(request.group)
    if (request.group, request.version, request.kind) not in kinds:
        return AdmissionResponse(), None
    return decisions.validate(kinds, request, settings)


def _project(group: str) -> tuple[decisions.Kinds[Any], Any]:
    """What admission knows of a group of Knative's, imported when it is asked about."""
    if group == "serving.knative.dev" or group.endswith(".internal.knative.dev"):
        from serving.api.settings import Settings as ServingSettings
        from serving.webhook.admission import ADMISSION as SERVING

        return SERVING.by_kind(), ServingSettings()
    if group.endswith("knative.dev") or group == "sources.hearth.dev":
        from eventing.api.admission import ADMISSION as EVENTING
        from eventing.api.settings import Settings as EventingSettings

        return EVENTING.by_kind(), EventingSettings()
    return {}, None


def _keda(request: AdmissionRequest) -> tuple[AdmissionResponse, Trial | None]:
    from hearth.keda.admission import decisions as keda
    from hearth.keda.api.checks import CheckError
    from hearth.keda.scalers.catalog import TYPES

    try:
        if request.kind == "ScaledObject":
            found = keda.scaled_object(request)
            keda.check_alone(found, TYPES)
            return AdmissionResponse(warnings=keda.warnings(found)), None
        if request.kind == "ScaledJob":
            job = keda.check_job(request, TYPES)
            return AdmissionResponse(), Trial(JOBS, job, "spec.jobTargetRef")
        if request.kind in keda.SIMPLE:
            keda.check_simple(request)
    except (CheckError, DecodeError) as error:
        return AdmissionResponse(allowed=False, message=str(error)), None
    return AdmissionResponse(), None


def _refusals(message: str) -> list[Refusal]:
    """A webhook's words. Knative has a complaint a line, its field at the end, details below it."""
    said = re.sub(r"^(validation failed|mutation failed|decoding request failed): ", "", message)
    found: list[Refusal] = []
    for line in said.splitlines():
        if found and not _LAST_FIELDS.search(line):
            found[-1] = Refusal(found[-1].field, f"{found[-1].message}: {line}")
        else:
            found.append(Refusal(_field_of(line), line))
    return found


def _field_of(message: str) -> str:
    found = next((f for each in _FIELDS if (f := each.search(message))), None)
    return found[1].partition(".[")[0] if found else ""  # spec.workload.[name, selector]


def _of_trial(trial: Trial, refusal: Refusal) -> Refusal:
    """What is refused of a child, said of its owner's field: a pod's template, a Job's spec."""
    field = refusal.field if trial.obj["kind"] == "Pod" else refusal.field.removeprefix("spec")
    return Refusal(f"{trial.field}.{field.removeprefix('.')}".rstrip("."), refusal.message)
