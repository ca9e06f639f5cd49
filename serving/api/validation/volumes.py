"""Volumes of a revision and their mounts."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence

from hearth.knative import fielderrors as fe
from hearth.knative.fielderrors import Errors, FieldError
from hearth.kube.gotext import quote
from hearth.kube.names import dns1123_label_problems
from hearth.kube.quantity import parse_quantity
from serving.api.config.features import DISABLED, ENABLED, FeaturesConfig
from serving.api.podspec import Container, VolumeMount
from serving.api.volumes import (
    ConfigMapProjection,
    DownwardAPIVolumeFile,
    EmptyDirVolumeSource,
    ImageVolumeSource,
    KeyToPath,
    SecretProjection,
    Volume,
    VolumeProjection,
)

_RESERVED_PATHS = frozenset({"/", "/dev", "/dev/log"})
_PROPAGATION = ("None", "HostToContainer")


def _gated(volume: Volume, features: FeaturesConfig) -> list[tuple[str, object, str, str]]:
    """Sources behind a flag: field, value, flag, and the word for it in messages."""
    return [
        ("image", volume.image, features.podspec_volumes_image, "Image"),
        ("emptyDir", volume.empty_dir, features.podspec_volumes_emptydir, "EmptyDir"),
        ("hostPath", volume.host_path, features.podspec_volumes_hostpath, "HostPath"),
        ("csi", volume.csi, features.podspec_volumes_csi, "CSI"),
        ("ephemeral", volume.ephemeral, features.podspec_volumes_ephemeral, "Ephemeral"),
    ]


def validate_volumes(
    volumes: Sequence[Volume], mounted: frozenset[str], features: FeaturesConfig
) -> Errors:
    """Check volumes: names, whether a container mounts them, and what flags allow."""
    errors: Errors = []
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        problems: Errors = []
        if volume.name in seen:
            problems.append(FieldError(f"duplicate volume name {quote(volume.name)}", ("name",)))
        if volume.name not in mounted:
            problems.append(
                FieldError(f"volume with name {quote(volume.name)} not mounted", ("name",))
            )
        problems += _validate_volume(volume, features)
        errors += fe.via(problems, f"[{index}]")
        seen.add(volume.name)
    return errors


def _validate_volume(volume: Volume, features: FeaturesConfig) -> Errors:
    errors = _claim_errors(volume, features)
    gated = _gated(volume, features)
    errors += [
        FieldError(f"{word} volume support is disabled, but found {word} volume {volume.name}")
        for _, source, flag, word in gated
        if source is not None and flag != ENABLED
    ]
    # Knative lets an error of the name stand for those found so far.
    if not volume.name:
        errors = [fe.missing("name")]
    elif dns1123_label_problems(volume.name):
        errors = [fe.invalid(volume.name, "name")]
    hidden = [name for name, source, flag, _ in gated if source is not None and flag == DISABLED]
    claims = features.podspec_persistent_volume_claim
    if volume.persistent_volume_claim is not None and claims == DISABLED:
        hidden.append("persistentVolumeClaim")
    if hidden:
        errors.append(fe.disallowed(*sorted(hidden)))
    return errors + _source_errors(volume) + _one_source(volume, features)


def _claim_errors(volume: Volume, features: FeaturesConfig) -> Errors:
    claim = volume.persistent_volume_claim
    if claim is None:
        return []
    errors: Errors = []
    if features.podspec_persistent_volume_claim != ENABLED:
        errors.append(
            FieldError(
                "Persistent volume claim support is disabled, "
                f"but found persistent volume claim {claim.claim_name}"
            )
        )
    if not claim.read_only and features.podspec_persistent_volume_write != ENABLED:
        errors.append(
            FieldError(
                "Persistent volume write support is disabled, "
                f"but found persistent volume claim {claim.claim_name} that is not read-only"
            )
        )
    return errors


def _source_errors(volume: Volume) -> Errors:
    errors: Errors = []
    if volume.secret is not None:
        errors += _items(volume.secret.items)
    if volume.config_map is not None:
        errors += _items(volume.config_map.items)
    if volume.projected is not None:
        for index, source in enumerate(volume.projected.sources or ()):
            errors += fe.via_index(_projection(source), "projected", index)
    if volume.empty_dir is not None:
        errors += fe.via(_empty_dir(volume.empty_dir), "emptyDir")
    if volume.image is not None:
        errors += fe.via(_image(volume.image), "image")
    return errors


def _one_source(volume: Volume, features: FeaturesConfig) -> Errors:
    sources = [
        name
        for name, source in (
            ("secret", volume.secret),
            ("configMap", volume.config_map),
            ("projected", volume.projected),
            ("emptyDir", volume.empty_dir),
            ("persistentVolumeClaim", volume.persistent_volume_claim),
            ("hostPath", volume.host_path),
            ("csi", volume.csi),
            ("ephemeral", volume.ephemeral),
            ("image", volume.image),
        )
        if source is not None
    ]
    if len(sources) > 1:
        return [fe.multiple_one_of(*sources)]
    if sources:
        return []
    flags = {
        "emptyDir": features.podspec_volumes_emptydir,
        "persistentVolumeClaim": features.podspec_persistent_volume_claim,
        "hostPath": features.podspec_volumes_hostpath,
        "csi": features.podspec_volumes_csi,
        "ephemeral": features.podspec_volumes_ephemeral,
        "image": features.podspec_volumes_image,
    }
    allowed = [name for name, flag in flags.items() if flag == ENABLED]
    return [fe.missing_one_of("secret", "configMap", "projected", *allowed)]


def _items(items: Sequence[KeyToPath]) -> Errors:
    errors: Errors = []
    for index, item in enumerate(items):
        absent = [name for name in ("key", "path") if not getattr(item, name)]
        errors += fe.via_index([fe.missing(name) for name in absent], "items", index)
    return errors


def _projection(source: VolumeProjection) -> Errors:
    errors: Errors = []
    sources: list[str] = []
    if source.secret is not None:
        sources.append("secret")
        errors += fe.via(_named_projection(source.secret), "secret")
    if source.config_map is not None:
        sources.append("configMap")
        errors += fe.via(_named_projection(source.config_map), "configMap")
    if source.service_account_token is not None:
        sources.append("serviceAccountToken")
        if not source.service_account_token.path:
            errors.append(fe.missing("serviceAccountToken.path"))
    if source.downward_api is not None:
        sources.append("downwardAPI")
        for index, item in enumerate(source.downward_api.items):
            errors += fe.via(_downward_item(item), "downwardAPI", f"items[{index}]")
    if not sources:
        errors.append(
            fe.missing_one_of("secret", "configMap", "serviceAccountToken", "downwardAPI")
        )
    elif len(sources) > 1:
        errors.append(fe.multiple_one_of(*sources))
    return errors


def _named_projection(source: SecretProjection | ConfigMapProjection) -> Errors:
    errors = [] if source.name else [fe.missing("name")]
    return errors + _items(source.items)


def _downward_item(item: DownwardAPIVolumeFile) -> Errors:
    errors: Errors = []
    if item.field_ref is None and item.resource_field_ref is None:
        errors.append(fe.missing_one_of("fieldRef", "resourceFieldRef"))
    if item.field_ref is not None and item.resource_field_ref is not None:
        message = "Within a single item, cannot set both"
        errors.append(FieldError(message, ("resourceFieldRef", "fieldRef")))
    if not item.path:
        errors.append(fe.missing("path"))
    return errors


def _empty_dir(source: EmptyDirVolumeSource) -> Errors:
    errors: Errors = []
    if source.medium not in ("", "Memory"):
        errors.append(fe.invalid(source.medium, "medium"))
    if source.size_limit is not None and parse_quantity(source.size_limit).value < 0:
        errors.append(fe.invalid(source.size_limit, "sizeLimit"))
    return errors


def _image(source: ImageVolumeSource) -> Errors:
    errors = [] if source.reference else [fe.missing("reference")]
    if source.pull_policy not in ("", "IfNotPresent", "Always", "Never"):
        errors.append(fe.invalid(source.pull_policy, "pullPolicy"))
    return errors


def mounted_volumes(containers: Sequence[Container]) -> frozenset[str]:
    """Return the names of the volumes that some container mounts."""
    return frozenset(mount.name for c in containers for mount in c.volume_mounts)


def is_writable(volume: Volume | None) -> bool:
    """Whether a mount of this volume may be other than read-only."""
    return volume is not None and (
        volume.empty_dir is not None
        or volume.persistent_volume_claim is not None
        or volume.ephemeral is not None
    )


def validate_mounts(
    mounts: Sequence[VolumeMount], volumes: Mapping[str, Volume], features: FeaturesConfig
) -> Errors:
    """Check a container's mounts against the volumes there are."""
    errors: Errors = []
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        problems = _mount_path(mount, seen)
        if mount.name not in volumes:
            problems.append(FieldError("volumeMount has no matching volume", ("name",)))
        problems += _mount_manner(mount, volumes.get(mount.name), features)
        errors += fe.via(problems, f"[{index}]")
        seen.add(_clean(mount.mount_path))
    return errors


def _clean(path: str) -> str:
    cleaned = posixpath.normpath(path) if path else "."
    return "/" + cleaned.lstrip("/") if cleaned.startswith("/") else cleaned


def _mount_path(mount: VolumeMount, seen: set[str]) -> Errors:
    path = mount.mount_path
    if not path:
        return [fe.missing("mountPath")]
    if _clean(path) in _RESERVED_PATHS:
        return [FieldError(f"mountPath {quote(_clean(path))} is a reserved path", ("mountPath",))]
    if not path.startswith("/"):
        return [fe.invalid(path, "mountPath")]
    if _clean(path) in seen:
        return [fe.invalid(f"{quote(path)} must be unique", "mountPath")]
    return []


def _mount_manner(mount: VolumeMount, volume: Volume | None, features: FeaturesConfig) -> Errors:
    errors: Errors = []
    if not is_writable(volume) and not mount.read_only:
        message = "volume mount should be readOnly for this type of volume"
        errors.append(FieldError(message, ("readOnly",)))
    if mount.mount_propagation is not None:
        errors += _propagation(mount, features)
    claim = volume.persistent_volume_claim if volume is not None else None
    if claim is not None and claim.read_only and not mount.read_only:
        errors.append(FieldError("volume is readOnly but volume mount is not", ("readOnly",)))
    return errors


def _propagation(mount: VolumeMount, features: FeaturesConfig) -> Errors:
    errors: Errors = []
    if features.podspec_volumes_mount_propagation == DISABLED:
        errors.append(fe.disallowed("mountPropagation"))
    if features.podspec_volumes_mount_propagation != ENABLED:
        errors.append(
            FieldError(
                "Volume Mount Propagation support is disabled, "
                f"but found volume mount {mount.name} with mount propagation"
            )
        )
    if mount.mount_propagation not in _PROPAGATION:
        message = "mount propagation should be set to None or HostToContainer"
        errors.append(FieldError(message, ("mountPropagation",)))
    return errors
