"""Reviews: looks at what a decision is about. Imported at the first one, with the models."""

from __future__ import annotations

from prometheus_client import Counter

from hearth.keda.admission import decisions
from hearth.keda.admission.neighbours import Seen, looks_at_target
from hearth.keda.admission.targets import TargetKind, kind_of
from hearth.keda.api import keys
from hearth.keda.api.checks import CheckError
from hearth.keda.api.scaledobject import ScaledObject
from hearth.keda.scalers.catalog import TYPES
from hearth.kube.admission import ALLOWED, AdmissionRequest, AdmissionResponse
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, BadRequest, Invalid, NotFound
from hearth.kube.meta import Object
from hearth.kube.models import DecodeError
from hearth.kube.resources import DEPLOYMENTS, HPAS, JOBS, STATEFULSETS, Resource

LIMITRANGES = Resource("", "v1", "limitranges", "LimitRange")
_WITH_TEMPLATE = {each.kind: each for each in (DEPLOYMENTS, STATEFULSETS)}

VALIDATIONS = Counter(
    "keda_webhook_scaled_object_validations",
    "Total number of scaled object validations",
    ["namespace", "action"],
)
ERRORS = Counter(
    "keda_webhook_scaled_object_validation_errors",
    "Total number of scaled object validating errors",
    ["namespace", "action", "reason"],
)


async def review(client: KubeClient, request: AdmissionRequest) -> AdmissionResponse:
    """Answer one request about one of KEDA's kinds."""
    if not decisions.is_asked(request):
        return ALLOWED
    try:
        if request.kind == keys.SCALEDOBJECTS.kind:
            return await _scaled_object(client, request)
        if request.kind == keys.SCALEDJOBS.kind:
            return await _job(client, request)
        decisions.check_simple(request)
    except CheckError as error:
        return decisions.refused(error)
    except DecodeError as error:
        return AdmissionResponse(allowed=False, message=str(error), code=400, reason="BadRequest")
    except ApiError as error:
        # What has to be known is not: KEDA hands the API server's own words on, too.
        return AdmissionResponse(
            allowed=False, message=error.message, code=error.code or 500, reason=error.reason
        )
    return ALLOWED


async def _scaled_object(client: KubeClient, request: AdmissionRequest) -> AdmissionResponse:
    action = request.operation.lower()
    VALIDATIONS.labels(request.namespace, action).inc()
    try:
        obj = decisions.scaled_object(request)
        decisions.check_alone(obj, TYPES)
        seen = await _seen(client, obj, dry_run=request.dry_run)
        warnings = decisions.check_among(obj, seen, dry_run=request.dry_run)
    except CheckError as error:
        ERRORS.labels(request.namespace, action, error.reason).inc()
        raise
    return AdmissionResponse(warnings=warnings)


async def _seen(client: KubeClient, obj: ScaledObject, *, dry_run: bool) -> Seen:
    """Look at the namespace: always as it is, since two objects may be written one by one."""
    kind, home = kind_of(obj.spec.scale_target_ref), obj.namespace
    if kind.is_looked_up:
        await _find_kind(client, kind)
    others, _ = await client.list(keys.SCALEDOBJECTS, home)
    hpas, _ = await client.list(HPAS, home)
    if dry_run or not looks_at_target(obj):
        return Seen(others, hpas)
    limits, _ = await client.list(LIMITRANGES, home)
    target = await _maybe(client, _WITH_TEMPLATE[kind.kind], obj)
    return Seen(others, hpas, target, limits)


async def _maybe(client: KubeClient, resource: Resource, obj: ScaledObject) -> Object | None:
    try:
        return await client.get(resource, obj.spec.scale_target_ref.name, obj.namespace)
    except NotFound:
        return None


async def _find_kind(client: KubeClient, kind: TargetKind) -> None:
    """Raise CheckError where the API server does not know the kind."""
    prefix = "/apis" if kind.group else "/api"
    try:
        served = await client.request("GET", f"{prefix}/{kind.api_version}")
    except NotFound:
        raise kind.missing() from None
    if all(each["kind"] != kind.kind for each in served["resources"]):
        raise kind.missing()


async def _job(client: KubeClient, request: AdmissionRequest) -> AdmissionResponse:
    """Refuse in the API server's words what can never be a Job."""
    job = decisions.check_job(request, TYPES)
    try:
        await client.create(JOBS, job, dry_run=True)
    except (BadRequest, Invalid) as error:
        refusal = CheckError(f"spec.jobTargetRef: {error.message}")
        return decisions.refused(refusal)
    except ApiError:
        return ALLOWED  # a quota, a policy: what is so now need not be so when there is work
    return ALLOWED
