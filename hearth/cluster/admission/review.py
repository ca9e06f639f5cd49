"""AdmissionReview: what a webhook is asked, and what its answer means. Pure.

The asking side; ``hearth.kube.admission`` has the answering side.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from hearth.cluster.admission.attempt import Attempt
from hearth.cluster.model.kind import Kind
from hearth.cluster.model.status import ApiStatus

Object = dict[str, Any]
Patch = list[dict[str, Any]]


class BadAnswer(ValueError):
    """An answer that is no AdmissionReview; counts as a failed call."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a webhook said: ``denied`` is the Status to answer with, or None."""

    denied: ApiStatus | None = None
    patch: Patch | None = None
    warnings: tuple[str, ...] = ()


def review_version(accepted: tuple[str, ...]) -> str:
    """The version of AdmissionReview to talk in: the webhook's first that is known."""
    for version in accepted:
        if version in ("v1", "v1beta1"):
            return version
    raise BadAnswer("webhook does not accept known AdmissionReview versions (v1, v1beta1)")


def make_review(attempt: Attempt, kind: Kind, *, uid: str, version: str) -> bytes:
    """The request body; ``kind`` is the version of the object that the webhook wants to see."""
    requested = attempt.kind
    request: Object = {
        "uid": uid,
        "kind": _gvk(kind, attempt),
        "resource": _gvr(kind),
        "requestKind": _gvk(requested, attempt),
        "requestResource": _gvr(requested),
        "namespace": _namespace(attempt),
        "name": attempt.name,
        "operation": attempt.operation,
        "userInfo": attempt.user.info(),
        "object": in_version(attempt.obj, kind),
        "oldObject": in_version(attempt.old, kind),
        "dryRun": attempt.dry_run,
        "options": attempt.options,
    }
    if attempt.subresource:
        request |= {
            "subResource": attempt.subresource,
            "requestSubResource": attempt.subresource,
        }
    for name in ("namespace", "name"):
        if not request[name]:
            del request[name]
    review = {"kind": "AdmissionReview", "apiVersion": f"admission.k8s.io/{version}"}
    return orjson.dumps({**review, "request": request})


def _namespace(attempt: Attempt) -> str:
    """Requests about a Namespace are told as in that namespace."""
    if attempt.kind.group_resource == "namespaces":
        return attempt.name
    return attempt.namespace


def _gvk(kind: Kind, attempt: Attempt) -> Object:
    if attempt.subresource == "scale":
        return {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _gvr(kind: Kind) -> Object:
    return {"group": kind.group, "version": kind.version, "resource": kind.plural}


def in_version(obj: Object | None, kind: Kind) -> Object | None:
    """The object as a version of its resource: between versions only apiVersion differs."""
    if obj is None or obj.get("kind") != kind.kind or obj.get("apiVersion") == kind.api_version:
        return obj
    return {**obj, "apiVersion": kind.api_version}


def read_answer(body: bytes, *, uid: str, version: str, webhook: str, mutating: bool) -> Answer:
    """The meaning of a response body; raises BadAnswer for one that breaks the rules."""
    response = _response(body, uid=uid, version=version)
    warnings = tuple(str(w) for w in response.get("warnings") or ())
    patch = _patch(response, mutating=mutating, version=version)
    if response.get("allowed") is not True:
        return Answer(denial(webhook, response.get("status")), None, warnings)
    return Answer(None, patch, warnings)


def _response(body: bytes, *, uid: str, version: str) -> Mapping[str, Any]:
    try:
        review = orjson.loads(body)
    except orjson.JSONDecodeError:
        start = body[:1].decode("utf-8", "replace") or "EOF"
        raise BadAnswer(f"invalid character '{start}' looking for beginning of value") from None
    response = review.get("response") if isinstance(review, dict) else None
    if not isinstance(response, dict):
        raise BadAnswer("webhook response was absent")
    if version == "v1":
        if response.get("uid") != uid:
            got = json.dumps(response.get("uid") or "")
            raise BadAnswer(f'expected response.uid="{uid}", got {got}')
        given = f"{review.get('apiVersion', '')}, Kind={review.get('kind', '')}"
        expected = "admission.k8s.io/v1, Kind=AdmissionReview"
        if given != expected:
            raise BadAnswer(f"expected webhook response of {expected}, got {given}")
    return response


def _patch(response: Mapping[str, Any], *, mutating: bool, version: str) -> Patch | None:
    encoded, kind = response.get("patch"), response.get("patchType")
    if not mutating:
        if version == "v1" and encoded:
            raise BadAnswer("validating webhook may not return response.patch")
        if version == "v1" and kind is not None:
            raise BadAnswer("validating webhook may not return response.patchType")
        return None
    if version == "v1" and encoded and kind is None:
        raise BadAnswer("webhook returned response.patch but not response.patchType")
    if version == "v1" and not encoded and kind is not None:
        raise BadAnswer("webhook returned response.patchType but not response.patch")
    if not encoded:
        return None
    if version == "v1" and kind != "JSONPatch":
        raise BadAnswer(f'unsupported patch type "{kind}"')
    return _decode_patch(encoded)


def _decode_patch(encoded: Any) -> Patch:
    try:
        patch = orjson.loads(base64.b64decode(encoded, validate=True))
    except (binascii.Error, TypeError, ValueError) as error:
        text = f"received undecodable patch in webhook response: {error}"
        raise BadAnswer(text) from None
    if not isinstance(patch, list):
        raise BadAnswer("received undecodable patch in webhook response: not a list")
    return patch


def denial(webhook: str, status: Any) -> ApiStatus:
    """The Status of a denied request: the webhook's own, completed as kube-apiserver does."""
    given: Mapping[str, Any] = status if isinstance(status, dict) else {}
    denied_by = f"admission webhook {json.dumps(webhook)} denied the request"
    said = given.get("message") or given.get("reason")
    code = given.get("code") or 0
    return ApiStatus(
        code if code >= 400 else 400,
        given.get("reason") or "",
        f"{denied_by}: {said}" if said else f"{denied_by} without explanation",
        details=given.get("details"),
    )
