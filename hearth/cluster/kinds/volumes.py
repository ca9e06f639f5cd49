"""Validation of the volumes of pod specs. Pure; called by the pod spec's validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hearth.cluster.kinds.environment import VOLUME_FIELDS, field_errors, resource_field_errors
from hearth.cluster.model import checks
from hearth.cluster.model.checks import each
from hearth.cluster.model.fielderrors import FieldError, duplicate, forbidden, invalid, required
from hearth.cluster.model.kind import Object
from hearth.kube.names import dns1123_label_problems
from hearth.kube.quantity import parse_quantity

_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_ORDER = (
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret",
    "nfs", "iscsi", "glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs",
    "quobyte", "downwardAPI", "fc", "flexVolume", "configMap", "azureFile", "vsphereVolume",
    "photonPersistentDisk", "portworxVolume", "azureDisk", "storageos", "projected", "scaleIO",
    "csi", "ephemeral", "image",
)  # fmt: skip
"""The sources in the order in which they are looked at: the first one counts."""


def volumes_errors(volumes: list[Object], path: str) -> Iterator[FieldError]:
    """Checks the volumes of a pod spec: unique names, one source each."""
    names: set[str] = set()
    for i, volume in enumerate(volumes):
        name = volume.get("name", "")
        errors = list(_volume_errors(volume, f"{path}[{i}]"))
        if name in names:
            errors.append(duplicate(f"{path}[{i}].name", name))
        elif not errors:
            names.add(name)
        yield from errors


def valid_volume_names(volumes: list[Object], path: str) -> set[str]:
    """Names that mounts may use: a volume with an error counts as missing."""
    return {
        volume.get("name", "")
        for i, volume in enumerate(volumes)
        if not any(_volume_errors(volume, f"{path}[{i}]"))
    }


def _volume_errors(volume: Object, path: str) -> Iterator[FieldError]:
    given = [key for key in _ORDER if volume.get(key) is not None]
    if not given:
        yield required(path, "must specify a volume type")
    else:
        check = _SOURCES.get(given[0])
        if check is not None:
            yield from check(volume[given[0]], f"{path}.{given[0]}")
        for key in given[1:]:
            yield forbidden(f"{path}.{key}", "may not specify more than 1 volume type")
    name = volume.get("name", "")
    if not name:
        yield required(f"{path}.name")
    else:
        yield from each(f"{path}.name", name, dns1123_label_problems(name))


def _empty_dir_errors(source: Object, path: str) -> Iterator[FieldError]:
    limit = source.get("sizeLimit")
    if limit is not None and parse_quantity(limit).amount < 0:
        detail = "SizeLimit field must be a valid resource quantity"
        yield forbidden(f"{path}.sizeLimit", detail)


_HOST_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate",
    "Socket",
)  # fmt: skip


def _host_path_errors(source: Object, path: str) -> Iterator[FieldError]:
    where = source.get("path", "")
    if not where:
        yield required(f"{path}.path")
        return
    if ".." in where.split("/"):
        yield invalid(f"{path}.path", where, "must not contain '..'")
    yield from checks.one_of(source.get("type", ""), _HOST_PATH_TYPES, f"{path}.type")


def _mode_errors(source: Object, key: str, path: str) -> Iterator[FieldError]:
    mode = source.get(key)
    if mode is not None and not 0 <= mode <= 0o777:
        yield invalid(f"{path}.{key}", mode, _MODE)


def _secret_errors(source: Object, path: str) -> Iterator[FieldError]:
    if not source.get("secretName"):
        yield required(f"{path}.secretName")
    yield from _mode_errors(source, "defaultMode", path)
    yield from _items_errors(source, path)


def _config_map_errors(source: Object, path: str) -> Iterator[FieldError]:
    if not source.get("name"):
        yield required(f"{path}.name")
    yield from _mode_errors(source, "defaultMode", path)
    yield from _items_errors(source, path)


def _items_errors(source: Object, path: str) -> Iterator[FieldError]:
    for i, item in enumerate(source.get("items") or ()):
        yield from _item_errors(item, f"{path}.items[{i}]")


def _item_errors(item: Object, path: str) -> Iterator[FieldError]:
    for key in ("key", "path"):
        if not item.get(key):
            yield required(f"{path}.{key}")
    yield from each(f"{path}.path", item.get("path", ""), local_path_problems(item.get("path")))
    yield from _mode_errors(item, "mode", path)


def descending_path_problems(where: str | None) -> list[str]:
    """A relative path that never goes up."""
    if not where:
        return []
    problems = ["must be a relative path"] if where.startswith("/") else []
    return problems + (["must not contain '..'"] if ".." in where.split("/") else [])


def local_path_problems(where: str | None) -> list[str]:
    """What is wrong with a path that must stay below its volume."""
    problems = descending_path_problems(where)
    if where and where.startswith("..") and not where.startswith("../"):
        problems.append("must not start with '..'")
    return problems


def _claim_errors(source: Object, path: str) -> Iterator[FieldError]:
    if not source.get("claimName"):
        yield required(f"{path}.claimName")


def _downward_errors(source: Object, path: str) -> Iterator[FieldError]:
    yield from _mode_errors(source, "defaultMode", path)
    for item in source.get("items") or ():
        yield from _downward_item_errors(item, path)


def _downward_item_errors(item: Object, path: str) -> Iterator[FieldError]:
    if not item.get("path"):
        yield required(f"{path}.path")
    yield from each(f"{path}.path", item.get("path", ""), local_path_problems(item.get("path")))
    field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if field is not None:
        yield from field_errors(field, f"{path}.fieldRef", VOLUME_FIELDS)
        if resource is not None:
            detail = "fieldRef and resourceFieldRef can not be specified simultaneously"
            yield invalid(path, "resource", detail)
    elif resource is not None:
        yield from resource_field_errors(resource, f"{path}.resourceFieldRef", in_volume=True)
    else:
        yield required(path, "one of fieldRef and resourceFieldRef is required")
    yield from _mode_errors(item, "mode", path)


def _projected_errors(projected: Object, path: str) -> Iterator[FieldError]:
    yield from _mode_errors(projected, "defaultMode", path)
    paths: set[str] = set()
    for i, source in enumerate(projected.get("sources") or ()):
        source_path = f"{path}.sources[{i}]"
        yield from _projection_errors(source, source_path, path=path, paths=paths)
        given = sum(source.get(key) is not None for key in _PROJECTIONS)
        if given > 1:
            yield forbidden(source_path, "may not specify more than 1 volume type")
        elif given == 0:
            yield required(source_path, "must specify a volume type")


_PROJECTIONS = (
    "secret",
    "configMap",
    "downwardAPI",
    "serviceAccountToken",
    "clusterTrustBundle",
    "podCertificate",
)


def _projection_errors(
    source: Object, source_path: str, *, path: str, paths: set[str]
) -> Iterator[FieldError]:
    for key in ("secret", "configMap"):
        if (projection := source.get(key)) is not None:
            if not projection.get("name"):
                yield required(f"{source_path}.{key}.name")
            for i, item in enumerate(projection.get("items") or ()):
                yield from _item_errors(item, f"{source_path}.{key}.items[{i}]")
                yield from _conflict(item, projection.get("name", ""), path=path, paths=paths)
    if (projection := source.get("downwardAPI")) is not None:
        for item in projection.get("items") or ():
            yield from _downward_item_errors(item, f"{source_path}.downwardAPI")
            yield from _conflict(item, item.get("path", ""), path=path, paths=paths)
    if (token := source.get("serviceAccountToken")) is not None:
        yield from _token_errors(token, f"{source_path}.serviceAccountToken", path)


def _conflict(item: Object, shown: str, *, path: str, paths: set[str]) -> Iterator[FieldError]:
    where = item.get("path", "")
    if where and where in paths:
        yield invalid(path, shown, "conflicting duplicate paths")
    paths.add(where)


def _token_errors(token: Object, token_path: str, path: str) -> Iterator[FieldError]:
    seconds = token.get("expirationSeconds", 0)
    if seconds < 600:
        detail = "may not specify a duration less than 10 minutes"
        yield invalid(f"{token_path}.expirationSeconds", seconds, detail)
    if seconds > 1 << 32:
        detail = "may not specify a duration larger than 2^32 seconds"
        yield invalid(f"{token_path}.expirationSeconds", seconds, detail)
    where = token.get("path", "")
    if not where:
        yield required(f"{path}.path")
    else:
        yield from each(f"{path}.path", where, local_path_problems(where))


_SOURCES: dict[str, Callable[[Object, str], Iterator[FieldError]]] = {
    "emptyDir": _empty_dir_errors,
    "hostPath": _host_path_errors,
    "secret": _secret_errors,
    "configMap": _config_map_errors,
    "persistentVolumeClaim": _claim_errors,
    "downwardAPI": _downward_errors,
    "projected": _projected_errors,
}
"""Sources that a node of one machine can mount are checked; the others are kept as data."""
