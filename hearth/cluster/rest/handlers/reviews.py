"""Reviews and tokens: who am I, may I, is this token good, give me a token.

Their objects are answered, never stored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hearth.cluster.codec import decode, typecheck
from hearth.cluster.fields import updates as managed
from hearth.cluster.kinds.base import define
from hearth.cluster.model import fielderrors, status
from hearth.cluster.model.kind import Kind, Schema
from hearth.cluster.model.objects import Key, Object
from hearth.cluster.model.roundtrip import round_trip
from hearth.cluster.model.typetable import struct
from hearth.cluster.operations import auth
from hearth.cluster.rest.handlers.common import Call, value_response
from hearth.cluster.rest.handlers.writing import decoded
from hearth.cluster.rest.requests import Response
from hearth.kube.clock import rfc3339

_MIN_TOKEN_SECONDS, _MAX_TOKEN_SECONDS, _TOKEN_SECONDS = 600, 1 << 32, 3600
_ANONYMOUS = "system:anonymous"


def review_kinds() -> list[Kind]:
    """The kinds whose objects are only ever created and answered."""
    names = {
        "authentication/v1": ("SelfSubjectReview", "TokenReview"),
        "authorization/v1": (
            "LocalSubjectAccessReview",
            "SelfSubjectAccessReview",
            "SelfSubjectRulesReview",
            "SubjectAccessReview",
        ),
    }
    return [
        replace(
            define(
                path,
                kind,
                f"{kind.lower()}s",
                namespaced=kind.startswith("Local"),
                verbs=("create",),
            ),
            group=path.replace("/v1", ".k8s.io"),
        )
        for path, kinds in names.items()
        for kind in kinds
    ]


async def review(call: Call) -> Response:
    """Answers any review."""
    write_options = call.write_options("CreateOptions")
    obj = decoded(call, write_options)
    call.kind.strategy.default(obj)
    metadata: dict[str, Any] = dict(obj.get("metadata") or {})
    if call.kind.kind == "SelfSubjectReview":
        metadata = {"creationTimestamp": call.api.now()}
    obj["metadata"] = metadata
    obj.pop("status", None)
    _track(call, obj, call.kind.schema)
    obj["status"] = _VERDICTS[call.kind.kind](call, obj)
    return value_response(call.request, obj, 201)


def _track(call: Call, obj: Object, schema: Schema, subresource: str = "") -> None:
    options = call.write_options("CreateOptions")
    entries = managed.track_update(
        None,
        obj,
        schema=schema,
        manager=options.field_manager or call.request.manager,
        api_version=obj["apiVersion"],
        now=call.api.now(),
        subresource=subresource,
    )
    if entries:
        obj["metadata"]["managedFields"] = entries


def _check_attributes(call: Call, spec: Object) -> None:
    """A question is about a resource or about a path, never both."""
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and path is not None:
        problem = "cannot be specified in combination with resourceAttributes"
        errors = [fielderrors.invalid("spec.nonResourceAttributes", path, problem)]
    elif resource is None and path is None:
        problem = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        errors = [fielderrors.invalid("spec.resourceAttributes", None, problem)]
    else:
        return
    raise status.invalid(call.kind.group, call.kind.kind, "", errors=errors)


def _self_access(call: Call, obj: Object) -> Object:
    _check_attributes(call, obj.get("spec") or {})
    return {"allowed": not call.request.user.is_anonymous}


def _access(call: Call, obj: Object) -> Object:
    spec = obj.get("spec") or {}
    _check_attributes(call, spec)
    user, groups = spec.get("user", ""), spec.get("groups") or []
    if not user and not groups:
        problem = "at least one of user or group must be specified"
        errors = [fielderrors.invalid("spec.user", "", problem)]
        raise status.invalid(call.kind.group, call.kind.kind, "", errors=errors)
    return {"allowed": user != _ANONYMOUS and "system:unauthenticated" not in groups}


def _local_access(call: Call, obj: Object) -> Object:
    """About the namespace of the path alone."""
    asked = ((obj.get("spec") or {}).get("resourceAttributes") or {}).get("namespace", "")
    if asked != call.key.namespace:
        raise status.bad_request(
            f"spec.resourceAttributes.namespace must match namespace: {call.key.namespace}"
        )
    return _access(call, obj)


def _self_rules(call: Call, obj: Object) -> Object:
    if not (obj.get("spec") or {}).get("namespace"):
        raise status.bad_request("no namespace on request")
    everything: Object = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    return {
        "resourceRules": [everything],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        "incomplete": False,
    }


def _self_subject(call: Call, obj: Object) -> Object:
    return {"userInfo": call.request.user.info()}


def _token(call: Call, obj: Object) -> Object:
    """Whether a token is good for one of the audiences asked for."""
    spec = obj.get("spec") or {}
    token, expected = spec.get("token", ""), spec.get("audiences") or [auth.ISSUER]
    if not token:
        raise status.bad_request("token is required for TokenReview in authentication")
    authenticator = call.api.authenticator
    try:
        user, audiences = authenticator.token_user_and_audiences(token)
    except auth.BadToken as error:
        return {"user": {}, "error": f"[invalid bearer token, {error}]"}
    fitting = [audience for audience in expected if audience in audiences]
    if not fitting:
        problem = (
            f"token audiences {list(audiences)} is invalid for the target audiences {expected}"
        )
        return {"user": {}, "error": f"[invalid bearer token, {problem}]"}
    return {"authenticated": True, "user": user.info(), "audiences": fitting}


_VERDICTS: Mapping[str, Callable[[Call, Object], Object]] = {
    "SelfSubjectAccessReview": _self_access,
    "SubjectAccessReview": _access,
    "LocalSubjectAccessReview": _local_access,
    "SelfSubjectRulesReview": _self_rules,
    "SelfSubjectReview": _self_subject,
    "TokenReview": _token,
}


# -- TokenRequest --------------------------------------------------------------------------


async def request_token(call: Call) -> Response:
    """A token for a service account, bound to it and to what the request names."""
    entry = call.api.store.get(call.key)
    if entry is None:
        raise status.not_found("", "serviceaccounts", call.target.name)
    target = struct("authentication/v1", "TokenRequest")
    obj = _token_request(call, target.schema)
    round_trip(obj, target)
    spec = obj.setdefault("spec", {})
    metadata = {"name": call.target.name, "namespace": call.key.namespace}
    metadata |= {"uid": call.api.new_uid(), "creationTimestamp": call.api.now()}
    spec["expirationSeconds"] = spec.get("expirationSeconds") or _TOKEN_SECONDS
    obj["metadata"] = metadata
    obj.pop("status", None)
    _check_expiration(spec["expirationSeconds"], call.target.name)
    _track(call, obj, target.schema, "token")
    spec["audiences"] = spec.get("audiences") or [auth.ISSUER]
    bound = _bound(call, spec.get("boundObjectRef"))
    now = math.floor(call.api.clock())
    claims = auth.claims_for(
        namespace=call.key.namespace,
        account=call.target.name,
        uid=entry.uid,
        audiences=spec["audiences"],
        now=now,
        seconds=spec["expirationSeconds"],
        token_id=call.api.new_uid(),
        bound=bound,
    )
    obj["status"] = {
        "token": call.api.signer.sign(claims),
        "expirationTimestamp": rfc3339(claims["exp"]),
    }
    return value_response(call.request, obj, 201)


def _token_request(call: Call, schema: Schema) -> Object:
    request = call.request
    body, _ = decode.decode_body(
        request.body, request.headers.get("content-type", ""), "TokenRequest"
    )
    if not isinstance(body, dict):
        raise status.bad_request("the body is not a TokenRequest")
    obj: Object = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"} | body
    if (obj["apiVersion"], obj["kind"]) != ("authentication.k8s.io/v1", "TokenRequest"):
        raise status.bad_request("the body is not a TokenRequest of authentication.k8s.io/v1")
    problems = typecheck.decode_errors(obj, schema, "TokenRequest")
    if problems:
        handled = 'TokenRequest in version "v1" cannot be handled as a TokenRequest'
        raise status.bad_request(f"{handled}: {problems[0]}")
    return obj


def _check_expiration(seconds: int, name: str) -> None:
    if seconds < _MIN_TOKEN_SECONDS:
        problem = "may not specify a duration less than 10 minutes"
    elif seconds > _MAX_TOKEN_SECONDS:
        problem = "may not specify a duration larger than 2^32 seconds"
    else:
        return
    errors = [fielderrors.invalid("spec.expirationSeconds", seconds, problem)]
    raise status.invalid("authentication.k8s.io", "TokenRequest", name, errors=errors)


def _bound(call: Call, reference: Mapping[str, Any] | None) -> dict[str, dict[str, str]]:
    """What the token dies with, beside its account."""
    if not reference:
        return {}
    kind = reference.get("kind", "")
    if kind not in ("Pod", "Secret"):
        raise status.bad_request(f"cannot bind token for serviceaccount to kind {kind}")
    name = reference.get("name", "")
    entry = call.api.store.get(Key(f"{kind.lower()}s", call.key.namespace, name))
    if entry is None:
        raise status.not_found("", f"{kind.lower()}s", name)
    if reference.get("uid") and reference["uid"] != entry.uid:
        why = (
            f"the UID in the bound object reference ({reference['uid']}) does not match the UID "
            f"in record. The object might have been deleted and then recreated"
        )
        raise status.conflict("", f"{kind.lower()}s", name, why=why)
    return {kind.lower(): {"name": name, "uid": entry.uid}}
