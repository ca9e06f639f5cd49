"""Who a container runs as and what it may do: securityContext of pod and container. Pure.

A field of the container comes before the pod's; what neither says is the image's or the engine's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hearth.cluster.node.pod.environment import ConfigError
from hearth.cluster.node.runtime.containers.accounts import is_number
from hearth.kube import meta
from hearth.kube.meta import Object

_SHARED = ("hostPID", "hostIPC", "hostNetwork")


@dataclass(frozen=True, slots=True)
class Security:
    """``user`` is ``USER[:GROUP]`` (empty: root); capabilities are without ``CAP_``."""

    user: str = ""
    groups: tuple[int, ...] = ()
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    privileged: bool = False
    no_new_privileges: bool = False
    read_only_root: bool = False
    unconfined: bool = False
    """Without a filter of system calls."""


def security_of(
    pod: Object, container: Mapping[str, Any], image_user: str, *, may_all: bool
) -> Security:
    """Raises ConfigError for who must not be root and is, and for what would be the machine's.

    ``may_all``: pods may have the machine's own files, so they may be privileged as well.
    """
    shared: Mapping[str, Any] = pod["spec"].get("securityContext") or {}
    own: Mapping[str, Any] = container.get("securityContext") or {}
    both = {**shared, **{name: value for name, value in own.items() if value is not None}}
    _refuse(pod, both, may_all=may_all)
    user = _user(both, image_user)
    if both.get("runAsNonRoot"):
        _check_non_root(user, both, f'(pod: "{meta.name(pod)}", container: {container["name"]})')
    capabilities = own.get("capabilities") or {}
    fs_group = shared.get("fsGroup")
    return Security(
        user=user,
        groups=tuple(
            dict.fromkeys(
                [*(shared.get("supplementalGroups") or ()), *([fs_group] if fs_group else ())]
            )
        ),
        add_capabilities=_names(capabilities.get("add")),
        drop_capabilities=_names(capabilities.get("drop")),
        privileged=bool(own.get("privileged")),
        no_new_privileges=own.get("allowPrivilegeEscalation") is False,
        read_only_root=bool(own.get("readOnlyRootFilesystem")),
        unconfined=(both.get("seccompProfile") or {}).get("type") == "Unconfined",
    )


def _refuse(pod: Object, both: Mapping[str, Any], *, may_all: bool) -> None:
    asked = [name for name in _SHARED if pod["spec"].get(name)]
    asked += ["privileged"] if both.get("privileged") else []
    if asked and not may_all:
        raise ConfigError(f"{asked[0]} is refused: a pod would have all of this machine")


def _user(both: Mapping[str, Any], image_user: str) -> str:
    user, group = both.get("runAsUser"), both.get("runAsGroup")
    name = image_user.partition(":")[0] or "0" if user is None else str(user)
    if group is not None:
        return f"{name}:{group}"
    return image_user if user is None else name


def _check_non_root(user: str, both: Mapping[str, Any], where: str) -> None:
    name = user.partition(":")[0]
    if both.get("runAsUser") == 0:
        raise ConfigError(f"container's runAsUser breaks non-root policy {where}")
    if name in ("", "root") or (is_number(name) and int(name) == 0):
        raise ConfigError(f"container has runAsNonRoot and image will run as root {where}")
    if not is_number(name):
        raise ConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({name}), "
            f"cannot verify user is non-root {where}"
        )


def _names(capabilities: Any) -> tuple[str, ...]:
    return tuple(sorted({str(name).upper().removeprefix("CAP_") for name in capabilities or ()}))
