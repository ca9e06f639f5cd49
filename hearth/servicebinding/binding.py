"""A ServiceBinding as it is stored: what it is about, and whether it can be. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hearth.knative.destinations import Reference
from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.kube.selectors import LabelSelector, selector_from_object
from hearth.servicebinding.projection import Projection

_API_VERSION = re.compile(r"([a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?/)?v[a-z0-9]{1,62}")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}")
_NAME = re.compile(r"[a-z0-9.-]{1,253}")
_NAME_WORDS = (
    "must consist of lower case alphanumeric characters, '-' or '.', and must be no more than 253 "
    "characters"
)
_IMMUTABLE = "Workload {field} is immutable. Delete and recreate the ServiceBinding to update."


@dataclass(frozen=True, slots=True)
class Workloads:
    """What a binding is about: a kind in its namespace, one by its name or several by labels."""

    reference: Reference
    """Without a name: of the kind."""
    name: str
    selector: LabelSelector | None

    def are(self, workload: Object) -> bool:
        """Whether one of the kind is meant."""
        if self.name:
            return self.name == meta.name(workload)
        return self.selector is not None and self.selector.matches(meta.labels(workload))


def spec_of(binding: Object) -> Mapping[str, Any]:
    """Return what is asked for."""
    return binding.get("spec") or {}


def service_of(binding: Object) -> Reference:
    """Return the provisioned service, or the Secret itself."""
    return _reference(binding, "service")


def _reference(binding: Object, field: str) -> Reference:
    given = spec_of(binding).get(field) or {}
    return Reference(
        str(given.get("apiVersion") or ""),
        str(given.get("kind") or ""),
        meta.namespace(binding),
        str(given.get("name") or ""),
    )


def is_kind(reference: Reference) -> bool:
    """Whether apiVersion and kind are some that an API server can be asked about."""
    return bool(_API_VERSION.fullmatch(reference.api_version) and _KIND.fullmatch(reference.kind))


def is_direct(service: Reference) -> bool:
    """Whether a service is a Secret itself."""
    return (service.api_version, service.kind) == ("v1", "Secret")


def workloads_of(binding: Object) -> Workloads:
    """Return what is bound; raise ValueError where the selector cannot be read."""
    named = _reference(binding, "workload")
    if not is_kind(named):
        raise ValueError(f"there is no kind {named.kind!r} of {named.api_version!r}")
    selector = (spec_of(binding).get("workload") or {}).get("selector")
    try:
        wanted = None if selector is None else selector_from_object(selector)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the selector cannot be read: {error!r}") from error
    return Workloads(replace(named, name=""), named.name, wanted)


def projection_of(binding: Object, secret: str) -> Projection:
    """Return what containers get."""
    spec = spec_of(binding)
    return Projection(
        meta.uid(binding),
        spec.get("name") or meta.name(binding),
        secret,
        spec.get("type") or "",
        spec.get("provider") or "",
        [(each["name"], each["key"]) for each in spec.get("env") or ()],
        (spec.get("workload") or {}).get("containers") or (),
    )


def known_secret(binding: Object) -> str:
    """Return the Secret as the binding itself tells it: direct, or found before; or ""."""
    service = service_of(binding)
    if is_direct(service):
        return service.name
    return str(((binding.get("status") or {}).get("binding") or {}).get("name") or "")


# -- admission -------------------------------------------------------------------------------------


def problems(binding: Object, before: Object | None = None) -> Iterator[str]:
    """Say what is wrong with a binding, in the words of the reference implementation."""
    spec, was = spec_of(binding), spec_of(before or {})
    if before is not None:
        for field in ("apiVersion", "kind"):
            if (spec.get("workload") or {}).get(field) != (was.get("workload") or {}).get(field):
                words = _IMMUTABLE.format(field=field)
                yield f"spec.workload.{field}: Forbidden: {words}"
    name = spec.get("name") or meta.name(binding)
    if before is None or name != (was.get("name") or meta.name(before)):
        yield from _name_problem(name)
    yield from _missing(spec.get("service") or {}, "spec.service", ("apiVersion", "kind", "name"))
    yield from _workload_problems(binding)
    for index, each in enumerate(spec.get("env") or ()):
        yield from _missing(each, f"spec.env[{index}]", ("name", "key"))


def _name_problem(name: str) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield f"spec.name: Invalid value: {json.dumps(name)}: {_NAME_WORDS}"
    elif name in (".", ".."):
        yield f'spec.name: Invalid value: {json.dumps(name)}: must not be "." or ".."'


def _missing(given: Mapping[str, Any], place: str, fields: tuple[str, ...]) -> Iterator[str]:
    for field in fields:
        if not given.get(field):
            yield f'{place}.{field}: Required value: ""'


def _workload_problems(binding: Object) -> Iterator[str]:
    given = spec_of(binding).get("workload") or {}
    yield from _missing(given, "spec.workload", ("apiVersion", "kind"))
    has_name, has_selector = bool(given.get("name")), given.get("selector") is not None
    if has_name == has_selector:
        got = "both" if has_name else "neither"
        words = f"expected exactly one, got {got}"
        yield f"spec.workload.[name, selector]: Required value: {words}"
    try:
        workloads_of(binding)
    except ValueError as error:
        yield f"spec.workload: Invalid value: {error}"
