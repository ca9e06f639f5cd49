"""To whom the files of a pod's volumes belong. Pure; the rules are kubelet's.

``fsGroup`` gets every volume that is the pod's or a claim's: files are readable by it (and
writable, where the volume is), folders hand it on. A service account token is readable by all users
unless the pod says by ``fsGroup``, or by one ``runAsUser`` of all its containers, who needs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hearth.kube.meta import Object

_SET_GROUP = 0o2000


@dataclass(frozen=True, slots=True)
class Owners:
    """``group`` is the pod's ``fsGroup``, ``user`` whom all its containers are told to run as."""

    group: int | None = None
    user: int | None = None

    def token_mode(self, default: int) -> int:
        """The mode of a token's file before the group's part."""
        return default if self.group is None and self.user is None else 0o600

    def file_mode(self, mode: int) -> int:
        """The mode of a file that nobody writes to."""
        return mode if self.group is None else mode | 0o440

    def folder_mode(self, mode: int) -> int:
        """The mode of a folder in which the group may do what the owner may."""
        return mode if self.group is None else mode | _SET_GROUP | 0o550


def owners_of(pod: Object) -> Owners:
    """Reads a pod's security contexts."""
    spec = pod["spec"]
    context = spec.get("securityContext") or {}
    containers = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    users = {_user(container, context) for container in containers}
    user = users.pop() if len(users) == 1 else None
    return Owners(_number(context.get("fsGroup")), _number(user))


def _user(container: dict[str, Any], context: dict[str, Any]) -> Any:
    own = (container.get("securityContext") or {}).get("runAsUser")
    return context.get("runAsUser") if own is None else own


def _number(value: Any) -> int | None:
    return None if value is None else int(value)
