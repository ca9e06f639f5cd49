"""The options of each verb, read from query and body, with Kubernetes' complaints. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hearth.cluster.codec import paths
from hearth.cluster.model import fielderrors, status
from hearth.cluster.model.fielderrors import FieldError
from hearth.kube import gotext

_META_GROUP = "meta.k8s.io"
_VALIDATIONS = ("", "Ignore", "Warn", "Strict")
_MANAGER_LIMIT = 128
POLICIES = ("Orphan", "Background", "Foreground")


def _refuse(kind: str, errors: list[FieldError]) -> None:
    if errors:
        raise status.invalid(_META_GROUP, kind, "", errors=errors)


class WriteOptions(NamedTuple):
    """Options of create, update and patch."""

    dry_run: bool = False
    field_manager: str = ""
    field_validation: str = "Warn"
    force: bool | None = None


def _dry_run_errors(given: list[str]) -> list[FieldError]:
    if any(value != "All" for value in given):
        return [fielderrors.not_supported("dryRun", given, ["All"])]
    return []


def _manager_errors(manager: str) -> Iterator[FieldError]:
    if len(manager.encode()) > _MANAGER_LIMIT:
        yield fielderrors.too_long("fieldManager", _MANAGER_LIMIT)
    if manager.isprintable():
        return
    index = 0
    for letter in manager:
        if not letter.isprintable():
            problem = f"invalid character U+{ord(letter):04X} (at position {index})"
            yield fielderrors.invalid("fieldManager", manager, problem)
        index += len(letter.encode())


def write_options(query: Mapping[str, str], raw_query: str, kind: str) -> WriteOptions:
    """``kind`` is CreateOptions, UpdateOptions or PatchOptions; it appears in complaints."""
    dry_run = paths.all_values(raw_query, "dryRun") if "dryRun" in query else []
    manager = query.get("fieldManager", "")
    errors = [*_manager_errors(manager), *_dry_run_errors(dry_run)]
    validation = query.get("fieldValidation", "")
    if validation not in _VALIDATIONS:
        supported = sorted(_VALIDATIONS)
        errors.append(fielderrors.not_supported("fieldValidation", validation, supported))
    _refuse(kind, errors)
    force = paths.is_true(query["force"]) if "force" in query else None
    return WriteOptions(bool(dry_run), manager, validation or "Warn", force)


def check_patch_options(options: WriteOptions, *, is_apply: bool) -> None:
    """Refuses options that the kind of patch does not have: 422."""
    errors = []
    if is_apply and not options.field_manager:
        errors.append(fielderrors.required("fieldManager", "is required for apply patch"))
    if not is_apply and options.force is not None:
        errors.append(fielderrors.forbidden("force", "may not be specified for non-apply patch"))
    _refuse("PatchOptions", errors)


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """Options of delete and deletecollection."""

    dry_run: bool = False
    grace_period_seconds: int | None = None
    propagation_policy: str = ""
    uid: str | None = None
    resource_version: str | None = None


def delete_options(query: Mapping[str, str], raw_query: str, body: Any) -> DeleteOptions:
    """A body, where there is one, replaces the query as a whole."""
    if isinstance(body, dict) and body:
        return _delete_options_of(body)
    options: dict[str, Any] = {}
    if "dryRun" in query:
        options["dryRun"] = paths.all_values(raw_query, "dryRun")
    if query.get("propagationPolicy"):
        options["propagationPolicy"] = query["propagationPolicy"]
    if "orphanDependents" in query:
        options["orphanDependents"] = paths.is_true(query["orphanDependents"])
    if "gracePeriodSeconds" in query:
        options["gracePeriodSeconds"] = _integer(query["gracePeriodSeconds"])
    return _delete_options_of(options)


def _integer(text: str) -> int:
    try:
        return gotext.parse_int(text)
    except ValueError as error:
        raise status.bad_request(str(error)) from None


def _delete_options_of(body: dict[str, Any]) -> DeleteOptions:
    dry_run = body.get("dryRun") or []
    policy, orphan = body.get("propagationPolicy") or "", body.get("orphanDependents")
    errors = _dry_run_errors(dry_run)
    if policy and policy not in POLICIES:
        names = ["Foreground", "Background", "Orphan", "nil"]
        errors.append(fielderrors.not_supported("propagationPolicy", policy, names))
    if policy and orphan is not None:
        problem = "orphanDependents and deletionPropagation cannot be both set"
        errors.append(fielderrors.invalid("propagationPolicy", policy, problem))
    _refuse("DeleteOptions", errors)
    if not policy and orphan is not None:
        policy = "Orphan" if orphan else "Background"
    preconditions = body.get("preconditions") or {}
    return DeleteOptions(
        dry_run=bool(dry_run),
        grace_period_seconds=body.get("gracePeriodSeconds"),
        propagation_policy=policy,
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
    )


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Options of list, watch and deletecollection; ``send_initial_events`` None: not given."""

    label_selector: str = ""
    field_selector: str = ""
    resource_version: str = ""
    match: str = ""
    limit: int = 0
    continue_token: str = ""
    watch: bool = False
    bookmarks: bool = False
    timeout_seconds: int | None = None
    send_initial_events: bool | None = None

    @property
    def revision(self) -> int:
        """The resource version as a number; 0 where none is given."""
        return int(self.resource_version) if self.resource_version else 0


def list_options(query: Mapping[str, str]) -> ListOptions:
    """Reads the options of list, watch and deletecollection; 400 or 422 for what cannot be."""
    version = query.get("resourceVersion", "")
    options = ListOptions(
        label_selector=query.get("labelSelector", ""),
        field_selector=query.get("fieldSelector", ""),
        resource_version=version,
        match=query.get("resourceVersionMatch", ""),
        limit=_integer(query.get("limit") or "0"),
        continue_token=query.get("continue", ""),
        watch=paths.flag(dict(query), "watch"),
        bookmarks=paths.flag(dict(query), "allowWatchBookmarks"),
        timeout_seconds=_integer(query["timeoutSeconds"]) if query.get("timeoutSeconds") else None,
        send_initial_events=_optional_flag(query, "sendInitialEvents"),
    )
    _refuse("ListOptions", _watch_errors(options) if options.watch else _list_errors(options))
    if options.continue_token and version not in ("", "0"):
        raise status.bad_request("specifying resource version is not allowed when using continue")
    _check_revision(version)
    return options


def _check_revision(version: str) -> None:
    if not version:
        return
    try:
        gotext.parse_uint(version)
    except ValueError as error:
        problem = fielderrors.invalid("resourceVersion", version, str(error))
        raise status.bad_request(f"invalid resource version: {problem}") from None


def _optional_flag(query: Mapping[str, str], name: str) -> bool | None:
    return paths.is_true(query[name]) if name in query else None


_EXACT, _NOT_OLDER = "Exact", "NotOlderThan"
_CONTINUE_GIVEN = "resourceVersionMatch is forbidden when continue is provided"


def _match_error(detail: str) -> FieldError:
    return fielderrors.forbidden("resourceVersionMatch", detail)


def _watch_errors(options: ListOptions) -> list[FieldError]:
    errors, match = [], options.match
    if options.send_initial_events is not None and match != _NOT_OLDER:
        problem = f"sendInitialEvents requires setting resourceVersionMatch to {_NOT_OLDER}"
        errors.append(_match_error(problem))
    if match and options.send_initial_events is None:
        problem = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        errors.append(_match_error(problem))
    if match and match != _NOT_OLDER:
        errors.append(fielderrors.not_supported("resourceVersionMatch", match, [_NOT_OLDER]))
    if match and options.continue_token:
        errors.append(_match_error(_CONTINUE_GIVEN))
    return errors


def _list_errors(options: ListOptions) -> list[FieldError]:
    errors, match = [], options.match
    if match and not options.resource_version:
        problem = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        errors.append(_match_error(problem))
    if match and options.continue_token:
        errors.append(_match_error(_CONTINUE_GIVEN))
    if match and match not in (_EXACT, _NOT_OLDER):
        supported = [_EXACT, _NOT_OLDER, ""]
        errors.append(fielderrors.not_supported("resourceVersionMatch", match, supported))
    if match == _EXACT and options.resource_version == "0":
        problem = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        errors.append(_match_error(problem))
    if options.send_initial_events is not None:
        problem = "sendInitialEvents is forbidden for list"
        errors.append(fielderrors.forbidden("sendInitialEvents", problem))
    return errors


CREATE_ON_UPDATE = frozenset({"leases.coordination.k8s.io", "endpoints", "events"})
"""Resources that a PUT creates where there is none."""
