"""The three webhooks of serving: defaults, validation, and validation of ConfigMaps.

Each handler is a function of the request and of the settings at that moment.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from hearth.knative import fielderrors as fe
from hearth.kube import admission
from hearth.kube.admission import ALLOWED, AdmissionRequest, AdmissionResponse, deny
from hearth.kube.meta import Object
from hearth.kube.models import DecodeError, decode, dump
from serving.api import keys
from serving.api.config import (
    autoscaler,
    defaults,
    deployment,
    domain,
    features,
    gc,
    network,
    observability,
    others,
)
from serving.api.config.reading import EXAMPLE
from serving.api.settings import Context, Settings
from serving.webhook.kinds import RULES, Decoded, KindRules, sign

GetSettings = Callable[[], Settings]
DryRun = Callable[[str, Object], Awaitable[str | None]]
"""Tries a revision template in a namespace; gives the complaint, or None."""

_WRITES = (admission.CREATE, admission.UPDATE)


def _decode(rules: KindRules[Any], obj: Object, which: str) -> Decoded[Any]:
    try:
        spec = decode(rules.spec, obj.get("spec"), root=str(obj.get("kind", "")), at=("spec",))
    except DecodeError as error:
        raise DecodeError(f"cannot decode incoming {which} object: {error}") from None
    return Decoded(dict(obj.get("metadata") or {}), spec)


def _rules(request: AdmissionRequest) -> KindRules[Any] | None:
    return RULES.get((request.group, request.version, request.kind))


def _unhandled(request: AdmissionRequest) -> str:
    return f"unhandled kind: {request.group}/{request.version}, Kind={request.kind}"


class Defaulting:
    """``webhook.serving.knative.dev``."""

    def __init__(self, settings: GetSettings) -> None:
        self._settings = settings

    def __call__(self, request: AdmissionRequest) -> AdmissionResponse:
        if request.operation not in _WRITES or request.object is None:
            return ALLOWED
        rules = _rules(request)
        if rules is None:
            return deny(f"mutation failed: {_unhandled(request)}")
        try:
            return AdmissionResponse(changed=self._defaulted(rules, request, request.object))
        except DecodeError as error:
            return deny(f"mutation failed: {error}")

    def _defaulted(self, rules: KindRules[Any], request: AdmissionRequest, obj: Object) -> Object:
        settings, new, old = self._settings(), _decode(rules, obj, "new"), None
        if request.old_object is not None:
            # The old object may stem from other defaults; what they change is no change of ours.
            old = _decode(rules, request.old_object, "old")
            rules.default(old, None, Context(settings, creating=False, parent=old.metadata))
        context = Context(
            settings,
            creating=old is None,
            username=request.username,
            parent=new.metadata,
        )
        rules.default(new, old, context)
        if rules.signs(new.metadata) and (old is None or old.spec != new.spec):
            sign(new.metadata, request.username, creating=old is None)
        kept = {k: v for k, v in new.metadata.items() if v or k not in ("annotations", "labels")}
        return {**obj, "metadata": kept, "spec": dump(new.spec)}


class Validation:
    """``validation.webhook.serving.knative.dev``.

    With ``dry_run``, a Service or Configuration sent as a dry run has its pod tried as well.
    """

    def __init__(self, settings: GetSettings, dry_run: DryRun | None = None) -> None:
        self._settings = settings
        self._dry_run = dry_run

    async def __call__(self, request: AdmissionRequest) -> AdmissionResponse:
        if request.operation not in _WRITES or request.object is None:
            return ALLOWED
        rules = _rules(request)
        if rules is None:
            return deny(f"decoding request failed: {_unhandled(request)}")
        try:
            errors = self._errors(rules, request, request.object)
        except DecodeError as error:
            return deny(f"decoding request failed: {error}")
        warnings = tuple(fe.line(e) for e in fe.merged(errors) if e.warning)
        refusals = [error for error in errors if not error.warning]
        if refusals:
            return deny(f"validation failed: {fe.text(refusals)}", warnings)
        complaint = await self._try_pod(request, request.object)
        if complaint:
            return deny(f"validation callback failed: {complaint}", warnings)
        return AdmissionResponse(warnings=warnings)

    def _errors(self, rules: KindRules[Any], request: AdmissionRequest, obj: Object) -> fe.Errors:
        new, old = _decode(rules, obj, "new"), None
        if request.operation == admission.UPDATE and request.old_object is not None:
            old = _decode(rules, request.old_object, "old")
        context = Context(
            self._settings(),
            creating=old is None,
            username=request.username,
            parent=new.metadata,
        )
        return rules.validate(new, old, context)

    async def _try_pod(self, request: AdmissionRequest, obj: Object) -> str | None:
        if self._dry_run is None or not request.dry_run:
            return None
        owned = keys.SERVICE in ((obj.get("metadata") or {}).get("labels") or {})
        wanted = request.kind == "Service" or (request.kind == "Configuration" and not owned)
        if request.group != keys.SERVING_GROUP or not wanted:
            return None
        template = (obj.get("spec") or {}).get("template")
        return await self._dry_run(request.namespace, template) if template else None


CONFIG_MAPS: Mapping[str, Callable[[Mapping[str, str]], object]] = {
    autoscaler.NAME: autoscaler.AutoscalerConfig.from_data,
    defaults.NAME: defaults.DefaultsConfig.from_data,
    deployment.NAME: deployment.DeploymentConfig.from_data,
    domain.NAME: domain.DomainConfig.from_data,
    features.NAME: features.FeaturesConfig.from_data,
    gc.NAME: gc.GcConfig.from_data,
    network.NAME: network.NetworkConfig.from_data,
    observability.NAME: observability.ObservabilityConfig.from_data,
    others.LEADER_ELECTION: others.check_leader_election,
    others.LOGGING: others.check_logging,
}


def example_checksum(example: str) -> str:
    """The checksum an annotation carries, so that an edit of the example is noticed."""
    # Line ends count as the two characters \n: an oddity of the original, kept for its sums.
    flat = re.sub(r"(?:\r?\n)+", r"\\n", example.strip())
    return f"{zlib.crc32(flat.encode()):08x}"


def validate_config_map(request: AdmissionRequest) -> AdmissionResponse:
    """``config.webhook.serving.knative.dev``: ConfigMaps by name; unknown ones pass."""
    if request.operation not in _WRITES or request.object is None:
        return ALLOWED
    check_data = CONFIG_MAPS.get((request.object.get("metadata") or {}).get("name", ""))
    if check_data is None:
        return ALLOWED
    data: Mapping[str, str] = request.object.get("data") or {}
    annotations = (request.object["metadata"]).get("annotations") or {}
    checksum = annotations.get(keys.EXAMPLE_CHECKSUM)
    if EXAMPLE in data and checksum is not None and checksum != example_checksum(data[EXAMPLE]):
        return deny(
            'validation failed: the update modifies a key in "_example" which is probably not '
            "what you want. Instead, copy the respective setting to the top-level of the "
            'ConfigMap, directly below "data"'
        )
    try:
        check_data(data)
    except ValueError as error:
        return deny(f"validation failed: {error}")
    return ALLOWED
