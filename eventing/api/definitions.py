"""What one kind of eventing is: its resource, its models, its rules, its CRD. Pure.

Each kind has a module of its own, which ends with its ``DEFINITION``; ``catalog`` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from eventing.api import keys
from eventing.api.settings import Settings
from hearth.knative.admission.kinds import Change, Decoded, Kind, Right, Trial
from hearth.knative.fielderrors import Errors
from hearth.kube.crdgen import READY_COLUMNS, Crd, Version
from hearth.kube.models import Model
from hearth.kube.resources import Resource

S = TypeVar("S", bound=Model)
Column = tuple[str, str, str]

_LABELS = {
    "app.kubernetes.io/name": keys.SYSTEM_NAMESPACE,
    "knative.dev/crd-install": "true",
}
ADDRESSABLE = {"duck.knative.dev/addressable": "true"}
SOURCE = {"duck.knative.dev/source": "true", "eventing.knative.dev/source": "true"}
EVENTING, MESSAGING = ("all", "knative", "eventing"), ("all", "knative", "messaging")
FLOWS, SOURCES = ("all", "knative", "flows"), ("all", "knative", "sources")
URL: Column = ("URL", "string", ".status.address.url")
AGE: Column = ("Age", "date", ".metadata.creationTimestamp")
READY: Sequence[Column] = READY_COLUMNS
SINK: Column = ("Sink", "string", ".status.sinkUri")


@dataclass(frozen=True, slots=True)
class Look:
    """How a kind shows itself: labels and categories of its CRD, columns of its table."""

    description: str
    columns: Sequence[Column] = (AGE, *READY)
    labels: Mapping[str, str] = field(default_factory=dict)
    categories: Sequence[str] = EVENTING
    short_names: Sequence[str] = ()
    scale: Mapping[str, str] | None = None
    """The paths of the subresource scale, where there is one."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One kind, for admission and as a CRD."""

    kind: Kind[Any, Settings]
    crd: Crd
    older: Sequence[Kind[Any, Settings]] = ()
    """The same kind in versions that are served besides, of which its CRD knows, too."""

    @property
    def kinds(self) -> Sequence[Kind[Any, Settings]]:
        """The kind in all its versions."""
        return self.kind, *self.older

    def served_as(self, version: str) -> Definition:
        """Return the same, served in one more version that differs by its name alone."""
        kind = replace(self.kind, resource=replace(self.kind.resource, version=version))
        added = replace(self.crd.versions[0], name=version, storage=False)
        crd = replace(self.crd, versions=(*self.crd.versions, added))
        return replace(self, crd=crd, older=(*self.older, kind))


def define(
    resource: Resource,
    spec: type[S],
    status: type[Model],
    look: Look,
    *,
    default: Callable[[Change[S, Settings]], None],
    validate: Callable[[Change[S, Settings]], Errors],
    trial: Callable[[Change[S, Settings]], Trial | None] | None = None,
    right: Callable[[Change[S, Settings]], Right | None] | None = None,
    webhook: str = "webhook",
) -> Definition:
    """Define a kind, as strict about unknown members as Knative is with all of eventing's."""
    kind = Kind(
        resource=resource,
        spec=spec,
        default=default,
        validate=validate,
        is_signed=_always,
        is_strict=True,
        right=right,
        webhook=webhook,
        always_tries=trial is not None,
        **({} if trial is None else {"trial": trial}),
    )
    version = Version(
        resource.version,
        spec,
        status,
        columns=look.columns,
        description=look.description,
        scale=look.scale,
    )
    crd = Crd(
        resource.group,
        resource.kind,
        resource.plural,
        (version,),
        short_names=look.short_names,
        categories=look.categories,
        labels=_LABELS | dict(look.labels),
    )
    return Definition(kind, crd)


def _always(obj: Decoded[Any]) -> bool:
    return True
