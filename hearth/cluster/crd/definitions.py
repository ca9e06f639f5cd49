"""CustomResourceDefinition objects: defaults, what the server decides, and validation.

The strategy of the built-in kind CustomResourceDefinition. Kubernetes keeps definitions in an
internal form in which what all versions have in common stands at the top; error paths show that
(``spec.validation.openAPIV3Schema``), so the same is done here before validating. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from hearth.cluster.crd.problems import at_index, at_key, child, too_many
from hearth.cluster.crd.schemas import field_schema, schema_errors, unknown_formats
from hearth.cluster.model.fielderrors import (
    FieldError,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    required,
)
from hearth.kube.conditions import Conditions
from hearth.kube.names import dns1035_label_problems, dns1123_subdomain_problems

Object = dict[str, Any]
Version = Mapping[str, Any]

APPROVED = "api-approved.kubernetes.io"

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = (
    "byte", "date", "date-time", "double", "float", "int32", "int64", "password",
)  # fmt: skip
_SHARED = ("schema", "subresources", "additionalPrinterColumns", "selectableFields")
_MAX_SELECTABLE = 8


def default(obj: Object) -> None:
    """Fills the names that follow from others, the conversion and the stored version."""
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return
    names = spec.setdefault("names", {})
    if not names.get("singular") and names.get("kind"):
        names["singular"] = names["kind"].lower()
    if not names.get("listKind") and names.get("kind"):
        names["listKind"] = names["kind"] + "List"
    if not spec.get("conversion"):
        spec["conversion"] = {"strategy": "None"}
    service = ((spec["conversion"].get("webhook") or {}).get("clientConfig") or {}).get("service")
    if service is not None and service.get("port") is None:
        service["port"] = 443
    status = obj.get("status")
    if isinstance(status, dict) and not status.get("storedVersions"):
        status["storedVersions"] = _stored_version(spec)


def _stored_version(spec: Object) -> list[str]:
    """The first version marked as stored, if any."""
    names = [v.get("name", "") for v in spec.get("versions") or () if v.get("storage")]
    return names[:1]


def prepare(new: Object, old: Object | None) -> None:
    """A definition starts with an empty status; later its status is the server's alone."""
    if old is None:
        new["status"] = {
            "conditions": None,
            "acceptedNames": {"plural": "", "kind": ""},
            "storedVersions": [],
        }
    else:
        new["status"] = {**(old.get("status") or {})}
    stored = list(new["status"].get("storedVersions") or ())
    new["status"]["storedVersions"] = stored
    stored += [name for name in _stored_version(new.get("spec") or {}) if name not in stored]


def errors(obj: Object) -> list[FieldError]:
    """The errors of a definition, new or changed."""
    return list(_all_errors(obj))


def update_errors(new: Object, old: Object) -> list[FieldError]:
    """What an update may not change."""
    errors: list[FieldError] = []
    after, before = new["spec"], old["spec"]
    if _is_established(old):
        errors += _immutable(after.get("scope"), before.get("scope"), "spec.scope")
        errors += _immutable(after["names"]["kind"], before["names"]["kind"], "spec.names.kind")
    errors += _immutable(after["group"], before["group"], "spec.group")
    errors += _immutable(after["names"]["plural"], before["names"]["plural"], "spec.names.plural")
    return errors


def warnings(obj: Object, old: Object | None = None) -> list[str]:
    """What a client is told about a new definition: formats that nobody checks."""
    if old is not None:
        return []
    shared, parted = hoisted((obj.get("spec") or {}).get("versions") or [])
    texts: dict[str, None] = {}
    for version in (shared, *parted):
        for name in unknown_formats((version.get("schema") or {}).get("openAPIV3Schema") or {}):
            texts[f"unrecognized format {json.dumps(name)}"] = None
    return list(texts)


def _is_established(obj: Object) -> bool:
    return Conditions.of(obj).is_true("Established")


def _immutable(new: Any, old: Any, path: str) -> Iterator[FieldError]:
    if new != old:
        yield invalid(path, new, "field is immutable")


def _all_errors(obj: Object) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    names = spec.get("names") or {}
    name = (obj.get("metadata") or {}).get("name", "")
    if name and name != f"{names.get('plural', '')}.{spec.get('group', '')}":
        yield invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
    yield from _spec_errors(spec)
    status = obj.get("status") or {}
    yield from _name_errors(status.get("acceptedNames") or {}, "status.acceptedNames")
    yield from _stored_errors(status.get("storedVersions") or [], spec.get("versions") or [])
    yield from _approval_errors(obj)
    if spec.get("preserveUnknownFields"):
        detail = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
        detail += "spec.versions[*].schema instead"
        yield invalid("spec.preserveUnknownFields", True, detail)


def _spec_errors(spec: Object) -> Iterator[FieldError]:
    yield from _group_errors(spec.get("group") or "")
    scope = spec.get("scope") or ""
    if not scope:
        yield required("spec.scope")
    elif scope not in ("Cluster", "Namespaced"):
        yield not_supported("spec.scope", scope, ("Cluster", "Namespaced"))
    versions = spec.get("versions") or []
    shared, parted = hoisted(versions)
    yield from _missing_schema_errors(versions)
    for index, version in enumerate(parted):
        version_path = at_index("spec.versions", index)
        yield from _version_errors(version, version_path)
        fields = version.get("selectableFields") or ()
        yield from _selectable_errors(
            fields, versions[index], child(version_path, "selectableFields")
        )
    yield from _versions_errors(versions, parted)
    names = spec.get("names") or {}
    for name in ("plural", "singular", "kind", "listKind"):
        if not names.get(name):
            yield required(f"spec.names.{name}")
    yield from _name_errors(names, "spec.names")
    yield from _parts_errors(shared, "spec", schema_at="spec.validation")
    if versions:
        fields = shared.get("selectableFields") or ()
        yield from _selectable_errors(fields, versions[0], "spec.selectableFields")
    yield from _conversion_errors(spec.get("conversion"), "spec.conversion")


def hoisted(versions: Sequence[Version]) -> tuple[Object, list[Object]]:
    """What all versions have in common, and the versions without it."""
    if not versions:
        return {}, []
    shared = {
        name: versions[0][name]
        for name in _SHARED
        if versions[0].get(name) and all(v.get(name) == versions[0][name] for v in versions)
    }
    return shared, [{k: v for k, v in version.items() if k not in shared} for version in versions]


def _group_errors(group: str) -> Iterator[FieldError]:
    if not group:
        yield required("spec.group")
    elif problems := dns1123_subdomain_problems(group):
        yield invalid("spec.group", group, ",".join(problems))
    elif "." not in group:
        yield invalid("spec.group", group, "should be a domain with at least one dot")


# -- versions ------------------------------------------------------------------------------


def _missing_schema_errors(versions: Sequence[Version]) -> Iterator[FieldError]:
    for index, version in enumerate(versions):
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            yield required(at_index("spec.versions", index) + ".schema.openAPIV3Schema")


def _version_errors(version: Version, path: str) -> Iterator[FieldError]:
    name = version.get("name") or ""
    if problems := dns1035_label_problems(name):
        yield invalid(child(path, "name"), name, ",".join(problems))
    warning = version.get("deprecationWarning")
    if warning is not None:
        for problem in _warning_problems(warning, bool(version.get("deprecated"))):
            yield invalid(child(path, "deprecationWarning"), warning, problem)
    yield from _parts_errors(version, path, schema_at=child(path, "schema"))


def _warning_problems(warning: str, deprecated: bool) -> Iterator[str]:
    if not deprecated:
        yield "can only be set for deprecated versions"
        return
    if len(warning) > 256:
        yield "must be <= 256 characters long"
    if not warning:
        yield "must not be an empty string"
    for index, character in enumerate(warning):
        if not character.isprintable():
            yield (
                "must only contain printable UTF-8 characters; "
                f"non-printable character found at index {index}"
            )
            return


def _versions_errors(
    versions: Sequence[Version], parted: Sequence[Version]
) -> Iterator[FieldError]:
    names = [v.get("name") for v in versions]
    shown = [_as_go(version) for version in parted]
    if len(set(names)) != len(names):
        yield invalid("spec.versions", shown, "must contain unique version names")
    if sum(bool(v.get("storage")) for v in versions) != 1:
        detail = "must have exactly one version marked as storage version"
        yield invalid("spec.versions", shown, detail)


def _as_go(version: Version) -> Object:
    """A version as Kubernetes prints it in errors."""
    schema = version.get("schema")
    return {
        "Name": version.get("name", ""),
        "Served": bool(version.get("served")),
        "Storage": bool(version.get("storage")),
        "Deprecated": bool(version.get("deprecated")),
        "DeprecationWarning": version.get("deprecationWarning"),
        "Schema": {"OpenAPIV3Schema": schema.get("openAPIV3Schema")} if schema else None,
        "Subresources": version.get("subresources"),
        "AdditionalPrinterColumns": version.get("additionalPrinterColumns"),
        "SelectableFields": version.get("selectableFields"),
    }


def _stored_errors(stored: list[str], versions: Sequence[Version]) -> Iterator[FieldError]:
    path = "status.storedVersions"
    if not stored:
        yield invalid(path, stored, "must have at least one stored version")
        return
    for version in versions:
        if version.get("storage") and version.get("name") not in stored:
            yield invalid(path, stored, f"must have the storage version {version.get('name')}")
    known = {v.get("name") for v in versions}
    for index, name in enumerate(stored):
        if name not in known:
            detail = (
                f"missing from spec.versions; {name} was previously a storage version, and must "
                "remain in spec.versions until a storage migration ensures no data remains "
                f"persisted in {name} and removes {name} from status.storedVersions"
            )
            yield invalid(at_index(path, index), name, detail)


# -- schema, subresources, columns, fields -------------------------------------------------


def _parts_errors(version: Version, path: str, *, schema_at: str) -> Iterator[FieldError]:
    """The errors of what a version declares, wherever Kubernetes keeps it."""
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if schema:
        has_status = (version.get("subresources") or {}).get("status") is not None
        field_path = child(schema_at, "openAPIV3Schema")
        if has_status and schema.get("type", "object") != "object":
            detail = 'only "object" is allowed as the type at the root of the schema if the status '
            yield invalid(
                child(field_path, "type"), schema["type"], detail + "subresource is enabled"
            )
        yield from schema_errors(schema, field_path)
    yield from _scale_errors(version.get("subresources") or {}, child(path, "subresources"))
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        field_path = at_index(child(path, "additionalPrinterColumns"), index)
        yield from _column_errors(column, field_path)


def _scale_errors(subresources: Version, path: str) -> Iterator[FieldError]:
    scale = subresources.get("scale")
    if scale is None:
        return
    for name, below in (("specReplicasPath", "spec"), ("statusReplicasPath", "status")):
        value, field_path = scale.get(name) or "", f"{path}.scale.{name}"
        if not value:
            yield required(field_path)
        elif problem := _path_problem(value):
            yield invalid(field_path, value, problem)
        elif not value.startswith(f".{below}."):
            yield invalid(field_path, value, f"should be a json path under .{below}")
    selector, field_path = scale.get("labelSelectorPath") or "", f"{path}.scale.labelSelectorPath"
    if selector and (problem := _path_problem(selector)):
        yield invalid(field_path, selector, problem)
    elif selector and not selector.startswith((".spec.", ".status.")):
        yield invalid(field_path, selector, "should be a json path under either .spec or .status")


def _path_problem(path: str) -> str:
    return "" if path.startswith(".") else "must be a simple json path starting with ."


def _column_errors(column: Version, path: str) -> Iterator[FieldError]:
    if not column.get("name"):
        yield required(child(path, "name"))
    one_of = f"must be one of {','.join(_COLUMN_TYPES)}"
    if not column.get("type"):
        yield required(child(path, "type"), one_of)
    elif column["type"] not in _COLUMN_TYPES:
        yield invalid(child(path, "type"), column["type"], one_of)
    declared = column.get("format")
    if declared and declared not in _COLUMN_FORMATS:
        detail = f"must be one of {','.join(_COLUMN_FORMATS)}"
        yield invalid(child(path, "format"), declared, detail)
    json_path = column.get("jsonPath") or ""
    if not json_path:
        yield required(child(path, "JSONPath"))
    elif problem := _path_problem(json_path):
        yield invalid(child(path, "JSONPath"), json_path, problem)


def _selectable_errors(
    fields: Sequence[Version], version: Version, path: str
) -> Iterator[FieldError]:
    """Fields are looked up in the version's own schema, even where Kubernetes moved it away."""
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    seen: set[str] = set()
    for index, field in enumerate(fields):
        field_path, json_path = (
            child(at_index(path, index), "jsonPath"),
            field.get("jsonPath") or "",
        )
        if not json_path:
            yield required(field_path)
            continue
        if "[" in json_path:
            yield invalid(
                field_path, json_path, "is an invalid path: array notation is not allowed"
            )
            continue
        selected = field_schema(schema, json_path)
        if selected is None:
            detail = "is an invalid path: does not refer to a valid field"
            yield invalid(field_path, json_path, detail)
            continue
        if json_path.startswith(".metadata"):
            yield invalid(field_path, json_path, "must not point to fields in metadata")
        if selected.get("type") not in ("string", "boolean", "integer"):
            detail = "must point to a field of type string, boolean or integer. Enum string fields "
            yield invalid(field_path, json_path, detail + "and strings with formats are allowed.")
        if json_path in seen:
            yield duplicate(field_path, json_path)
        seen.add(json_path)
    if len(seen) > _MAX_SELECTABLE:
        yield too_many(path, len(seen), _MAX_SELECTABLE)


# -- names, conversion, approval -----------------------------------------------------------


def _name_errors(names: Version, path: str) -> Iterator[FieldError]:
    for name in ("plural", "singular"):
        value = names.get(name) or ""
        if value and (problems := dns1035_label_problems(value)):
            yield invalid(child(path, name), value, ",".join(problems))
    for name in ("kind", "listKind"):
        value = names.get(name) or ""
        if value and (problems := dns1035_label_problems(value.lower())):
            detail = "may have mixed case, but should otherwise match: " + ",".join(problems)
            yield invalid(child(path, name), value, detail)
    yield from _label_list_errors(names.get("shortNames"), child(path, "shortNames"))
    kind = names.get("kind")
    if kind and kind == names.get("listKind"):
        detail = "kind and listKind may not be the same"
        yield invalid(child(path, "listKind"), names["listKind"], detail)
    yield from _label_list_errors(names.get("categories"), child(path, "categories"))


def _label_list_errors(values: Sequence[str] | None, path: str) -> Iterator[FieldError]:
    for index, value in enumerate(values or ()):
        if problems := dns1035_label_problems(value):
            yield invalid(at_index(path, index), value, ",".join(problems))


def _conversion_errors(conversion: Version | None, path: str) -> Iterator[FieldError]:
    if conversion is None:
        return
    strategy = conversion.get("strategy") or ""
    if not strategy:
        yield required(child(path, "strategy"))
    elif strategy not in ("None", "Webhook"):
        yield not_supported(child(path, "strategy"), strategy, ("None", "Webhook"))
    webhook = conversion.get("webhook") or {}
    if strategy == "Webhook":
        yield from _webhook_errors(webhook, path)
        return
    if webhook.get("clientConfig") is not None:
        detail = "should not be set when strategy is not set to Webhook"
        yield forbidden(child(path, "webhookClientConfig"), detail)
    if webhook.get("conversionReviewVersions"):
        detail = "should not be set when strategy is not set to Webhook"
        yield forbidden(child(path, "conversionReviewVersions"), detail)


def _webhook_errors(webhook: Version, path: str) -> Iterator[FieldError]:
    config, field_path = webhook.get("clientConfig"), child(path, "webhookClientConfig")
    if config is None:
        yield required(field_path, "required when strategy is set to Webhook")
    elif (config.get("url") is None) == (config.get("service") is None):
        yield required(field_path, "exactly one of url or service is required")
    versions, field_path = (
        webhook.get("conversionReviewVersions"),
        child(path, "conversionReviewVersions"),
    )
    if not versions:
        yield required(field_path)
    elif not {"v1", "v1beta1"} & set(versions):
        yield invalid(field_path, versions, "must include at least one of v1, v1beta1")


def _approval_errors(obj: Object) -> Iterator[FieldError]:
    """Groups of the Kubernetes community want a sign that the API was approved."""
    group = (obj.get("spec") or {}).get("group") or ""
    if not f".{group}".endswith((".k8s.io", ".kubernetes.io")):
        return
    path = at_key("metadata.annotations", APPROVED)
    value = ((obj.get("metadata") or {}).get("annotations") or {}).get(APPROVED) or ""
    see = "see https://github.com/kubernetes/enhancements/pull/1111"
    if not value:
        detail = f'protected groups must have approval annotation "{APPROVED}", {see}'
        yield required(path, detail)
        return
    url = urlsplit(value)
    if not value.startswith("unapproved") and not (url.scheme and url.netloc):
        detail = f'protected groups must have approval annotation "{APPROVED}" with either a URL '
        yield invalid(path, value, detail + f'or a reason starting with "unapproved", {see}')
