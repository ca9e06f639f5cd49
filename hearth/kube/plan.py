"""What a reconciler decided to do, as data. ``hearth.kube.apply`` does it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hearth.kube.meta import Object
from hearth.kube.patch import MERGE_PATCH
from hearth.kube.resources import Resource


@dataclass(frozen=True, slots=True)
class Create:
    """Creates an object; that it is there already means to look again."""

    resource: Resource
    obj: Object
    can_wait: bool = False
    """Whether it may be made a moment later, when there may be more to say."""


@dataclass(frozen=True, slots=True)
class Update:
    """Replaces the object; its resourceVersion guards against writing over others' changes."""

    resource: Resource
    obj: Object
    can_wait: bool = False
    """Whether it may be written a moment later, when there may be more to say."""


@dataclass(frozen=True, slots=True)
class UpdateStatus:
    """Replaces the object's status; guarded by its resourceVersion as ``Update`` is."""

    resource: Resource
    obj: Object
    is_foretold: bool = False
    """Whether other reconcilers go by it at once, before the server has answered. For a status that
    others build on and whose being wrong for a moment nobody outside could see."""


@dataclass(frozen=True, slots=True)
class Patch:
    """Changes some fields, whatever the rest is by now."""

    resource: Resource
    name: str
    namespace: str
    patch: Any
    content_type: str = MERGE_PATCH
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Delete:
    """Deletes one object; that it is gone already is as good."""

    resource: Resource
    namespace: str
    name: str
    propagation: str = "Background"
    uid: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes Event about an object; ``type`` is Normal or Warning.

    It is recorded once the actions of its stage are done, so it tells what happened.
    """

    obj: Object
    type: str
    reason: str
    message: str


Write = Create | Update | UpdateStatus | Patch | Delete
Action = Write | Event


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions of one stage may run side by side; stages run one after the other."""

    actions: tuple[Action, ...] = ()
    requeue_after: float | None = None
    """Seconds after which to look again though nothing has changed."""
    then: tuple[Action, ...] = ()
    """Actions to run after ``actions``: for what must not be seen before them."""
    retry: bool = False
    """Look again with back-off: what the plan says is not the end of it."""

    def __bool__(self) -> bool:
        return bool(self.actions or self.then)
