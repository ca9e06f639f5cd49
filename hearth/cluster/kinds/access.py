"""Rules of the RBAC kinds, kept as data: the only users of this API are its own. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from hearth.cluster.kinds.base import Rules, child
from hearth.cluster.model import checks
from hearth.cluster.model.checks import each, path_segment_problems
from hearth.cluster.model.fielderrors import FieldError, invalid, not_supported, required
from hearth.cluster.model.kind import Object
from hearth.kube.names import dns1123_subdomain_problems

_GROUP = "rbac.authorization.k8s.io"


def _rules_errors(obj: Object, *, namespaced: bool) -> Iterator[FieldError]:
    for i, rule in enumerate(obj.get("rules") or ()):
        yield from _rule_errors(rule, f"rules[{i}]", namespaced)


def _rule_errors(rule: Object, path: str, namespaced: bool) -> Iterator[FieldError]:
    if not rule.get("verbs"):
        yield required(f"{path}.verbs", "verbs must contain at least one value")
    urls = rule.get("nonResourceURLs") or []
    if urls:
        field_path = f"{path}.nonResourceURLs"
        if namespaced:
            yield invalid(field_path, urls, "namespaced rules cannot apply to non-resource URLs")
        if any(rule.get(key) for key in ("apiGroups", "resources", "resourceNames")):
            detail = "rules cannot apply to both regular resources and non-resource URLs"
            yield invalid(field_path, urls, detail)
        return
    if not rule.get("apiGroups"):
        yield required(f"{path}.apiGroups", "resource rules must supply at least one api group")
    if not rule.get("resources"):
        yield required(f"{path}.resources", "resource rules must supply at least one resource")


def _role_errors(obj: Object) -> Iterator[FieldError]:
    yield from _rules_errors(obj, namespaced=True)


def _cluster_role_errors(obj: Object) -> Iterator[FieldError]:
    yield from _rules_errors(obj, namespaced=False)
    aggregation = obj.get("aggregationRule")
    if aggregation is None:
        return
    selectors = aggregation.get("clusterRoleSelectors") or []
    path = "aggregationRule.clusterRoleSelectors"
    if not selectors:
        detail = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        yield required(path, detail)
    for i, selector in enumerate(selectors):
        yield from checks.label_selector_errors(selector, f"{path}[{i}]")


def _default_binding(obj: Object) -> None:
    role = child(obj, "roleRef")
    if not role.get("apiGroup"):
        role["apiGroup"] = _GROUP
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", _GROUP)


def _binding_errors(obj: Object, kinds: tuple[str, ...]) -> Iterator[FieldError]:
    role = obj.get("roleRef") or {}
    yield from checks.one_of(role.get("apiGroup", ""), (_GROUP,), "roleRef.apiGroup")
    yield from checks.one_of(role.get("kind", ""), kinds, "roleRef.kind")
    name = role.get("name", "")
    if not name:
        yield required("roleRef.name")
    else:
        yield from each("roleRef.name", name, path_segment_problems(name))
    for i, subject in enumerate(obj.get("subjects") or ()):
        yield from _subject_errors(subject, f"subjects[{i}]", namespaced=len(kinds) > 1)


def _subject_errors(subject: Object, path: str, *, namespaced: bool) -> Iterator[FieldError]:
    name, group = subject.get("name", ""), subject.get("apiGroup", "")
    if not name:
        yield required(f"{path}.name")
    match subject.get("kind", ""):
        case "ServiceAccount":
            if name:
                yield from each(f"{path}.name", name, dns1123_subdomain_problems(name))
            if group:
                yield not_supported(f"{path}.apiGroup", group, ("",))
            if not namespaced and not subject.get("namespace"):
                yield required(f"{path}.namespace")
        case "User" | "Group":
            yield from checks.one_of(group, (_GROUP,), f"{path}.apiGroup")
        case other:
            yield not_supported(f"{path}.kind", other, ("ServiceAccount", "User", "Group"))


def _role_binding_errors(obj: Object) -> Iterator[FieldError]:
    yield from _binding_errors(obj, ("Role", "ClusterRole"))


def _cluster_role_binding_errors(obj: Object) -> Iterator[FieldError]:
    yield from _binding_errors(obj, ("ClusterRole",))


def _binding_update(new: Object, old: Object) -> Iterator[FieldError]:
    if new.get("roleRef") != old.get("roleRef"):
        role = new.get("roleRef") or {}
        shown = {"APIGroup": role.get("apiGroup", ""), "Kind": role.get("kind", ""),
                 "Name": role.get("name", "")}  # fmt: skip
        yield invalid("roleRef", shown, "cannot change roleRef")


ROLE = Rules(validate=_role_errors, name=path_segment_problems, metadata_again=True)
CLUSTER_ROLE = Rules(validate=_cluster_role_errors, name=path_segment_problems, metadata_again=True)
ROLE_BINDING = Rules(
    default=_default_binding,
    validate=_role_binding_errors,
    update=_binding_update,
    name=path_segment_problems,
    metadata_again=True,
)
CLUSTER_ROLE_BINDING = Rules(
    default=_default_binding,
    validate=_cluster_role_binding_errors,
    update=_binding_update,
    name=path_segment_problems,
    metadata_again=True,
)
