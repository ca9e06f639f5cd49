"""What admission knows of a kind: its model, its defaults, its checks, what a dry run tries.

A kind works on the decoded spec. Metadata stays a dictionary, status is never looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from hearth.knative.fielderrors import Errors
from hearth.kube.meta import Object
from hearth.kube.models import Model
from hearth.kube.resources import Resource

S = TypeVar("S", bound=Model)
T = TypeVar("T")

Metadata = dict[str, Any]


@dataclass(slots=True)
class Decoded(Generic[S]):
    """One object as its kind sees it; defaulting changes metadata and spec in place."""

    metadata: Metadata
    spec: S
    namespace: str

    @property
    def name(self) -> str:
        """The object's name; empty while the server still has to generate one."""
        return str(self.metadata.get("name", ""))

    @property
    def annotations(self) -> Mapping[str, str]:
        """The annotations; an empty map where there are none."""
        return self.metadata.get("annotations") or {}

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels; an empty map where there are none."""
        return self.metadata.get("labels") or {}

    def put(self, field: str, values: Mapping[str, str]) -> None:
        """Set labels or annotations; empty ones are left out of the object, as Go leaves them."""
        if values:
            self.metadata[field] = dict(values)
        else:
            self.metadata.pop(field, None)

    @property
    def is_owned(self) -> bool:
        """Whether a controller made the object for another one."""
        return bool(self.metadata.get("ownerReferences"))


@dataclass(frozen=True, slots=True)
class Change(Generic[S, T]):
    """One write, with the settings of the moment.

    ``old`` is the object before, with today's defaults, or None. ``creating`` is False also while
    an old object gets today's defaults, so that they do not look like changes of the user.
    """

    new: Decoded[S]
    old: Decoded[S] | None
    settings: T
    creating: bool

    @property
    def is_spec_changed(self) -> bool:
        """Whether the write makes another spec of the old one; a new object counts as changed."""
        return self.old is None or self.old.spec != self.new.spec


@dataclass(frozen=True, slots=True)
class Trial:
    """What is also tried to create, and the field of the object it is made of."""

    resource: Resource
    obj: Object
    field: str
    refusal: str = "validation callback failed: dry run failed with "
    """What stands before the API server's own words where it would refuse it."""


@dataclass(frozen=True, slots=True)
class Right:
    """What who writes must be allowed to do with another object, and the field that names it."""

    verb: str
    group: str
    resource: str
    namespace: str
    name: str
    field: str


def _no_defaults(change: Change[Any, Any]) -> None:
    """Default nothing."""


def _no_errors(change: Change[Any, Any]) -> Errors:
    return []


def _never(obj: Decoded[Any]) -> bool:
    return False


def _no_trial(change: Change[Any, Any]) -> Trial | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[S, T]):
    """One kind. ``S`` is the model of its spec, ``T`` the project's settings.

    ``default`` completes ``change.new``. ``validate`` gives all complaints, those about the update
    included where ``change.old`` is there. ``is_signed`` says whether creator and last modifier
    are noted on the object. ``trial`` names the child that a dry run tries on the API server.
    ``right`` names what the user has to be allowed beside the write itself.
    ``is_strict`` refuses members that the model does not know, as Knative does; it is not for a
    model that leaves out parts of Kubernetes' own types.
    """

    resource: Resource
    spec: type[S]
    default: Callable[[Change[S, T]], None] = _no_defaults
    validate: Callable[[Change[S, T]], Errors] = _no_errors
    is_signed: Callable[[Decoded[S]], bool] = _never
    trial: Callable[[Change[S, T]], Trial | None] = _no_trial
    right: Callable[[Change[S, T]], Right | None] | None = None
    is_strict: bool = False
    always_tries: bool = False
    """Whether the trial is made at each write, not only at dry runs."""
    webhook: str = "webhook"
    """Which of the project's webhooks is asked: ``webhook.GROUP`` or another name than that."""
