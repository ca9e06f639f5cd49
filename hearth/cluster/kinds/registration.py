"""Rules of APIService. Pure; used by the catalog of kinds."""

from __future__ import annotations

from collections.abc import Iterator

from hearth.cluster.kinds.base import Rules
from hearth.cluster.model.checks import path_segment_problems, port_number_problems
from hearth.cluster.model.fielderrors import FieldError, invalid, required
from hearth.cluster.model.kind import Object
from hearth.kube.names import dns1035_label_problems, dns1123_subdomain_problems

_PORT = 443


def _default(obj: Object) -> None:
    service = (obj.get("spec") or {}).get("service")
    if service is not None:
        service.setdefault("port", _PORT)


def _prepare(new: Object, old: Object | None) -> None:
    if old is None:
        new["status"] = {}


def _errors(obj: Object) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    group, version = spec.get("group", ""), spec.get("version", "")
    name, wanted = obj["metadata"].get("name", ""), f"{version}.{group}"
    if name != wanted:
        detail = f'must be `spec.version+"."+spec.group`: "{wanted}"'
        yield invalid("metadata.name", name, detail)
    if not group and version != "v1":
        detail = "only v1 may have an empty group and it better be legacy kube"
        yield required("spec.group", detail)
    for problem in dns1123_subdomain_problems(group) if group else ():
        yield invalid("spec.group", group, problem)
    for problem in dns1035_label_problems(version):
        yield invalid("spec.version", version, problem)
    for field, most in (("groupPriorityMinimum", 20000), ("versionPriority", 1000)):
        value = spec.get(field, 0)
        if not 0 < value <= most:
            yield invalid(f"spec.{field}", value, f"must be positive and less than {most}")
    yield from _service_errors(spec)


def _service_errors(spec: Object) -> Iterator[FieldError]:
    service, bundle = spec.get("service"), spec.get("caBundle")
    is_insecure = bool(spec.get("insecureSkipTLSVerify"))
    if service is None:
        if bundle:
            shown = f"{len(bundle) * 3 // 4} bytes"
            yield invalid("spec.caBundle", shown, "local APIServices may not have a caBundle")
        if is_insecure:
            detail = "local APIServices may not have insecureSkipTLSVerify"
            yield invalid("spec.insecureSkipTLSVerify", is_insecure, detail)
        return
    for field in ("namespace", "name"):
        if not service.get(field):
            yield required(f"spec.service.{field}", "")
    for problem in port_number_problems(service.get("port", _PORT)):
        yield invalid("spec.service.port", service.get("port"), problem)
    if is_insecure and bundle:
        detail = "may not be true if caBundle is present"
        yield invalid("spec.insecureSkipTLSVerify", is_insecure, detail)


API_SERVICE = Rules(
    default=_default, prepare=_prepare, validate=_errors, name=path_segment_problems
)
