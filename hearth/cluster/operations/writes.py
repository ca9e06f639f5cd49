"""Creating and updating objects: the steps every write takes, whatever verb asked for it.

On create: type and fields checked -> metadata filled -> defaults -> managed fields -> mutating
admission -> preparation -> validation -> validating admission -> store. On update likewise, built
on the object's newest state, and nothing is written where nothing changed. Handlers decode the
request and call ``create`` or ``update``; deletions are in ``deletes``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hearth.cluster.admission.attempt import Attempt
from hearth.cluster.codec import decode
from hearth.cluster.fields import updates as managed
from hearth.cluster.model import objects, status
from hearth.cluster.model.checks import path_segment_problems
from hearth.cluster.model.differences import is_same
from hearth.cluster.model.fielderrors import FieldError, invalid
from hearth.cluster.model.kind import Kind
from hearth.cluster.model.objectmeta import (
    canonical_metadata,
    validate_object_meta,
    validate_object_meta_update,
)
from hearth.cluster.model.objects import Entry, Key, Object
from hearth.cluster.model.served import Served
from hearth.cluster.model.user import User
from hearth.cluster.operations import metadata
from hearth.cluster.operations.api import Api
from hearth.cluster.operations.options import WriteOptions
from hearth.cluster.store.store import StaleWrite, StorageFull, StoreError
from hearth.kube import gotext

_NAME_TRIES = 8
"""How often a generated name is drawn anew when it is taken, as in Kubernetes."""
_UPDATE_TRIES = 5


@dataclass
class Write:
    """One write of one client, on its way."""

    api: Api
    served: Served
    namespace: str
    name: str
    subresource: str
    options: WriteOptions
    manager: str
    user: User
    warnings: list[str]
    releases: list[Callable[[], None]] = field(default_factory=list)

    @property
    def kind(self) -> Kind:
        """The kind that is written."""
        return self.served.kind

    @property
    def key(self) -> Key:
        """Where the object is, or will be, in the store."""
        return Key(self.served.resource, self.namespace, self.name)

    def attempt(self, operation: str, obj: Object | None, old: Object | None) -> Attempt:
        """The write as admission sees it."""
        return Attempt(
            operation=operation,
            kind=self.kind,
            namespace=self.namespace,
            name=self.name,
            subresource=self.subresource,
            obj=obj,
            old=old,
            user=self.user,
            dry_run=self.options.dry_run,
            options=self._options_object(operation),
            warnings=self.warnings,
            releases=self.releases,
        )

    def let_go(self) -> None:
        """Frees what admission held for the write, which is stored or has failed."""
        while self.releases:
            self.releases.pop()()

    def _options_object(self, operation: str) -> dict[str, Any]:
        """The options as admission webhooks are shown them."""
        options: dict[str, Any] = {"apiVersion": "meta.k8s.io/v1"}
        options["kind"] = {"CREATE": "CreateOptions", "DELETE": "DeleteOptions"}.get(
            operation, "UpdateOptions"
        )
        if self.options.dry_run:
            options["dryRun"] = ["All"]
        if operation != "DELETE":
            options["fieldManager"] = self.options.field_manager or self.manager
            options["fieldValidation"] = self.options.field_validation
        return options

    def invalid(self, name: str, errors: list[FieldError]) -> status.ApiStatus:
        """422 for an object of this kind."""
        return status.invalid(self.kind.group, self.kind.kind, name, errors=errors)

    def missing(self) -> status.ApiStatus:
        """404 for the object that the write names."""
        return status.not_found(self.kind.group, self.kind.plural, self.name)

    def conflict(self, why: str) -> status.ApiStatus:
        """409 for the object that the write names."""
        return status.conflict(self.kind.group, self.kind.plural, self.name, why=why)


class Written(NamedTuple):
    """The outcome: the stored entry, or of a dry run the object it would be."""

    entry: Entry | None
    obj: Object | None = None
    created: bool = False

    def body(self, served: Served) -> bytes:
        """The object as an answer in a served version."""
        if self.entry is not None:
            return served.full(self.entry)
        assert self.obj is not None
        return objects.plain(self.obj)


# -- create --------------------------------------------------------------------------------


async def create(write: Write, obj: Object, *, tracked: bool = False) -> Written:
    """Creates an object; ``tracked`` says that its managedFields are set already (apply)."""
    _check_namespace(write, obj)
    given = obj.setdefault("metadata", {})
    generated = not given.get("name") and bool(given.get("generateName"))
    for attempt in range(_NAME_TRIES):
        fresh = decode.copied(obj) if generated else obj
        try:
            return await _create_once(write, fresh, tracked=tracked)
        except status.ApiStatus as refusal:
            last = attempt == _NAME_TRIES - 1
            if refusal.reason != "AlreadyExists" or not generated or last:
                raise
        finally:
            write.let_go()
    raise AssertionError("unreachable")


def _check_namespace(write: Write, obj: Object) -> None:
    given = (obj.get("metadata") or {}).get("namespace")
    if write.kind.namespaced and given and given != write.namespace:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


async def _create_once(write: Write, obj: Object, *, tracked: bool) -> Written:
    api, kind = write.api, write.kind
    version = str(obj["metadata"].pop("resourceVersion", ""))
    metadata.fill_for_create(
        obj,
        kind,
        namespace=write.namespace,
        now=api.now(),
        uid=api.new_uid(),
        suffix=api.new_suffix(),
    )
    _default(write, obj)
    write.name = obj["metadata"].get("name", "")
    if not tracked:
        _track(write, None, obj)
    obj = await _mutated(write, "CREATE", obj, None)
    kind.strategy.prepare(obj, None)
    errors = validate_object_meta(
        obj, namespaced=kind.namespaced, name_fn=kind.strategy.validate_name
    )
    errors += kind.strategy.validate(obj)
    if errors:
        raise write.invalid(obj["metadata"].get("name", ""), errors)
    _warn(write, obj, None)
    await api.admission.validate(write.attempt("CREATE", obj, None))
    if version and _names_a_revision(version):
        raise status.ApiStatus(
            500, "", "resourceVersion should not be set on objects to be created"
        )
    return await _insert(write, obj)


def _names_a_revision(version: str) -> bool:
    try:
        return gotext.parse_uint(version) != 0
    except ValueError:
        return False


def _default(write: Write, obj: Object) -> None:
    if "status" in write.kind.subresources and not write.subresource:
        obj.pop("status", None)
    write.kind.strategy.default(obj)
    if write.kind.custom:
        canonical_metadata(obj)


def _track(write: Write, old: Object | None, new: Object) -> None:
    kind = write.kind
    entries = managed.track_update(
        old,
        new,
        schema=kind.schema,
        manager=write.options.field_manager or write.manager,
        api_version=kind.api_version,
        now=write.api.now(),
        subresource=write.subresource,
        reset=_reset(kind, write.subresource),
    )
    if entries:
        new["metadata"]["managedFields"] = entries
    else:
        new["metadata"].pop("managedFields", None)


def _reset(kind: Kind, subresource: str) -> Any:
    return managed.reset_fields(
        subresource, has_status="status" in kind.subresources, custom=kind.custom
    )


async def _mutated(write: Write, operation: str, obj: Object, old: Object | None) -> Object:
    changed = await write.api.admission.mutate(write.attempt(operation, obj, old))
    return obj if changed is None else changed


def _warn(write: Write, obj: Object, old: Object | None) -> None:
    if write.kind.strategy.warnings is not None:
        write.warnings += write.kind.strategy.warnings(obj, old)


async def _insert(write: Write, obj: Object) -> Written:
    write.name = obj["metadata"]["name"]
    key, store = write.key, write.api.store
    taken = status.already_exists(write.kind.group, write.kind.plural, write.name)
    if await store.settled(key) is not None:
        raise taken
    if write.options.dry_run:
        return Written(None, obj, created=True)
    try:
        entry = await store.put(key, write.served.stored(obj), expected=0)
    except StaleWrite:
        raise taken from None
    except StoreError as error:
        raise storage_status(error) from None
    return Written(entry, created=True)


def storage_status(error: StoreError) -> status.ApiStatus:
    """What the client is told of a write that the disk refused: 507 or 500."""
    if isinstance(error, StorageFull):
        return status.storage_full(str(error))
    return status.internal(str(error))


# -- update --------------------------------------------------------------------------------

Change = Callable[[Object], Object]
"""From a copy of the object as it is to the object as the client wants it."""


class UpdateRules(NamedTuple):
    """``missing`` makes the object to create where there is none, if that is allowed.

    ``known`` is a stored object that has been parsed already; the first try may have it.
    """

    missing: Callable[[], Object] | None = None
    known: tuple[Entry, Object] | None = None
    tracked: bool = False  # managedFields are set already (apply)
    replaces: bool = False  # the change does not look at the object as it is


_PLAIN = UpdateRules()


async def update(write: Write, change: Change, rules: UpdateRules = _PLAIN) -> Written:
    """Changes an object, on top of whatever state it is in when the write gets through."""
    for attempt in range(_UPDATE_TRIES):
        entry = await write.api.store.settled(write.key)
        try:
            if entry is None:
                return await _create_missing(write, rules)
            return await _update_once(write, entry, change, rules)
        except StaleWrite:
            rules = rules._replace(known=None)
            if attempt == _UPDATE_TRIES - 1:
                break
        except StoreError as error:
            raise storage_status(error) from None
        finally:
            write.let_go()
    raise write.conflict(status.MODIFIED)


async def _create_missing(write: Write, rules: UpdateRules) -> Written:
    if rules.missing is None:
        raise write.missing()
    return await create(write, rules.missing(), tracked=rules.tracked)


async def _update_once(write: Write, entry: Entry, change: Change, rules: UpdateRules) -> Written:
    api = write.api
    known = rules.known
    old = known[1] if known and known[0] is entry else write.served.parse(entry)
    new = change(old if rules.replaces else write.served.parse(entry))
    new.setdefault("metadata", {})
    _check_namespace(write, new)
    asked_version = str(new["metadata"].get("resourceVersion") or "")
    _check_uid(write, new["metadata"], old["metadata"])
    new = _merge_with_old(write, new, old)
    if not rules.tracked:
        _track(write, old, new)
    new = await _mutated(write, "UPDATE", new, old)
    _check_version(write, asked_version, entry)
    _finish(write, new, old)
    errors = _update_errors(write, new, old)
    if errors:
        raise write.invalid(write.name, errors)
    _warn(write, new, old)
    await api.admission.validate(write.attempt("UPDATE", new, old))
    managed.keep_times(old, new)
    if new == old and is_same(new, old):  # to Python true is 1
        return Written(entry)
    return await _replace(write, new, entry)


def _check_uid(write: Write, new: dict[str, Any], old: dict[str, Any]) -> None:
    given = new.get("uid")
    if given and given != old.get("uid"):
        path = f"/registry/{_registry_path(write)}"
        raise write.conflict(
            f"StorageError: invalid object, Code: 4, Key: {path}, ResourceVersion: 0, "
            f"AdditionalErrorMsg: Precondition failed: UID in precondition: {given}, "
            f"UID in object meta: {old.get('uid')}"
        )


def _registry_path(write: Write) -> str:
    """The key etcd would have; it appears in messages."""
    prefix = f"{write.kind.group}/" if write.kind.custom else ""
    return f"{prefix}{write.kind.plural}/{write.key.path}"


def _check_version(write: Write, asked: str, entry: Entry) -> None:
    if not asked or asked == "0":
        if write.kind.strategy.allow_unconditional_update:
            return
        error = invalid("metadata.resourceVersion", 0, "must be specified for an update")
        raise status.invalid(write.kind.group, write.kind.plural, write.name, errors=[error])
    try:
        gotext.parse_uint(asked)
    except ValueError as error:
        raise status.ApiStatus(500, "", str(error)) from None
    if asked != str(entry.revision):
        raise write.conflict(status.MODIFIED)


def _merge_with_old(write: Write, new: Object, old: Object) -> Object:
    """The new object with everything that this endpoint does not change as it was."""
    kind = write.kind
    metadata.set_namespace(new["metadata"], kind, write.namespace)
    metadata.keep_for_update(new["metadata"], old["metadata"])
    new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
    if write.subresource == "status":
        new = _status_only(kind, new, old)
    elif "status" in kind.subresources and not write.subresource:
        if "status" in old:
            new["status"] = old["status"]
        else:
            new.pop("status", None)
    kind.strategy.default(new, old)
    if kind.custom:
        canonical_metadata(new, old)
    return new


_METADATA_OF_STATUS = ("labels", "annotations", "finalizers", "managedFields")


def _status_only(kind: Kind, new: Object, old: Object) -> Object:
    """The status subresource: of built-in kinds some metadata may change with the status."""
    merged = {field: value for field, value in old.items() if field != "status"}
    if "status" in new:
        merged["status"] = new["status"]
    taken = ("managedFields",) if kind.custom else _METADATA_OF_STATUS
    merged["metadata"] = {f: v for f, v in old["metadata"].items() if f not in taken}
    merged["metadata"] |= {f: new["metadata"][f] for f in taken if f in new["metadata"]}
    return merged


def _finish(write: Write, new: Object, old: Object) -> None:
    """After admission: the kind's own preparation, and the count of changes."""
    kind = write.kind
    if write.subresource not in ("status", "finalize"):
        kind.strategy.prepare(new, old)
    if not kind.strategy.generation:
        return
    ignore_status = not kind.custom or "status" in kind.subresources
    if metadata.counts_as_change(new, old, ignore_status=ignore_status):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def _update_errors(write: Write, new: Object, old: Object) -> list[FieldError]:
    """The common rules first; the kind's own look at metadata changes once more, as upstream."""
    kind = write.kind
    errors = validate_object_meta(
        new, namespaced=kind.namespaced, name_fn=path_segment_problems, known=old
    )
    errors += validate_object_meta_update(new, old) * (2 if kind.custom else 1)
    if write.subresource == "status":
        return errors + kind.strategy.validate_status(new, old)
    if write.subresource == "binding":
        return errors  # it changes what no update may: the node of a pod
    return errors + kind.strategy.validate_update(new, old)


async def _replace(write: Write, new: Object, entry: Entry) -> Written:
    store, stored = write.api.store, write.served.stored(new)
    if write.options.dry_run:
        return Written(None, new)
    if is_released(new):
        return Written(await store.delete(write.key, stored, expected=entry.revision))
    return Written(await store.put(write.key, stored, expected=entry.revision))


def is_released(obj: Object) -> bool:
    """Whether the last finalizer is gone from an object that waits to be deleted."""
    metadata = obj["metadata"]
    if "deletionTimestamp" not in metadata or metadata.get("finalizers"):
        return False
    if (obj["apiVersion"], obj["kind"]) == ("v1", "Namespace"):
        return not (obj.get("spec") or {}).get("finalizers")
    return not metadata.get("deletionGracePeriodSeconds")
