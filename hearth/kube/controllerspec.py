"""Controllers as declarations: what they watch, observe and decide, and what a refusal means. Pure.

A kind declares itself with one ``ControllerSpec``; ``hearth.kube.manager`` runs it. The words are
client-go's and controller-runtime's: a lister reads from watch caches, an index answers which
objects have a value, a mapper tells which keys a changed object concerns.

The contract of a reconciler is level-based: it is given a key and nothing else, it may be called at
any time and any number of times, and reconciling its own result gives an empty plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from hearth.kube.meta import Key, Object, controller_of, key, labels, metadata, namespace
from hearth.kube.plan import Plan
from hearth.kube.postponement import DELAY_SECONDS
from hearth.kube.resources import Resource

Observed = TypeVar("Observed")
Settings = TypeVar("Settings")
_Observed = TypeVar("_Observed", contravariant=True)
_Settings = TypeVar("_Settings", contravariant=True)

IndexFunction = Callable[[Object], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Source:
    """The objects that one watch cache holds. Equal sources share a cache."""

    resource: Resource
    namespace: str | None = None
    """None is every namespace."""
    label_selector: str | None = None
    field_selector: str | None = None
    unread: tuple[str, ...] = ()
    """Parts of the objects that nobody reads: the cache does not hold them."""


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Finds the objects of a source by a value that ``function`` takes from them.

    Known by identity: declare it once, as a constant, and use that wherever it is read.
    """

    source: Source
    function: IndexFunction


class Lister(Protocol):
    """Reads from watch caches. The objects are shared and must not be changed."""

    def get(self, source: Source, namespace: str, name: str) -> Object | None:
        """Return the object of that name; ``namespace`` is "" for cluster-scoped ones."""
        ...

    def list(self, source: Source, namespace: str | None = None) -> Sequence[Object]:
        """Return all objects, or those of one namespace."""
        ...

    def by_index(self, index: Index, value: str) -> Sequence[Object]:
        """Return the objects for which the index's function gives this value."""
        ...

    def count(self, index: Index, value: str) -> int:
        """Return how many objects ``by_index`` would; none of them is unfolded for it."""
        ...


Mapper = Callable[[Lister, Object], Iterable[Key]]
"""The keys that a changed object concerns; called with it as it was and as it is."""


def own_key(_lister: Lister, obj: Object) -> Iterator[Key]:
    """Map an object to its own key."""
    yield key(obj)


def owner_key(resource: Resource) -> Mapper:
    """Map an object to its controller, when that is of this resource's group and kind."""

    def to_keys(_lister: Lister, obj: Object) -> Iterator[Key]:
        owner = controller_of(obj)
        if owner is None or owner["kind"] != resource.kind:
            return
        group, _, _ = owner["apiVersion"].rpartition("/")
        if group == resource.group:
            yield namespace(obj) if resource.namespaced else "", owner["name"]

    return to_keys


def label_key(label: str) -> Mapper:
    """Map an object to the name that a label of it holds, in its own namespace."""

    def to_keys(_lister: Lister, obj: Object) -> Iterator[Key]:
        value = labels(obj).get(label)
        if value:
            yield namespace(obj), value

    return to_keys


_MADE = (
    "generation",
    "labels",
    "annotations",
    "ownerReferences",
    "deletionTimestamp",
    "finalizers",
)


def is_made_otherwise(old: Object, new: Object) -> bool:
    """Whether more than a status changed, for who does not go by that."""
    before, after = metadata(old), metadata(new)
    return any(before.get(k) != after.get(k) for k in _MADE)


@dataclass(frozen=True, slots=True)
class Watch:
    """A source whose changes concern a controller."""

    source: Source
    keys: Mapper = own_key
    when: Callable[[Object, Object], bool] | None = None
    """Whether a change, from before to after, is one that the controller goes by."""
    hold: Callable[[Key], float] | None = None
    """Seconds to keep a key back when this source changed; 0 does not."""

    is_own: bool = False
    """Whether the controller knows what its own writes there come to: it does not look at them."""

    def concerns(self, old: Object | None, new: Object | None) -> bool:
        """Whether to look; an object that came or went always concerns the controller."""
        return self.when is None or old is None or new is None or self.when(old, new)


class Reconcile(Protocol[_Observed, _Settings]):
    """Decides: what was observed, the settings and the time (Unix seconds) in, a plan out. Pure."""

    def __call__(self, observed: _Observed, /, *, settings: _Settings, now: float) -> Plan:
        """Return what is to be done; an empty plan when everything is as it should be."""
        ...


class _ReconcileAlone(Protocol[_Observed]):
    def __call__(self, observed: _Observed, /, *, now: float) -> Plan: ...


def without_settings(reconcile: _ReconcileAlone[Observed]) -> Reconcile[Observed, object]:
    """Fit in a reconciler that goes by no settings."""
    return lambda observed, *, settings, now: reconcile(observed, now=now)


class Refused(Protocol[_Observed]):
    """Decides what to do when a write was refused: invalid, forbidden, its name taken. Pure."""

    def __call__(self, observed: _Observed, error: str, /, *, now: float) -> Plan | None:
        """Return a plan, given what is observed afterwards and the server's words.

        None means that it is an error like any other.
        """
        ...


@dataclass(frozen=True, slots=True)
class ControllerSpec(Generic[Observed, _Settings]):
    """One controller. Changes of ``source`` concern the object's own key.

    ``observe`` does all the reading and returns None where there is nothing to do; ``reconcile``
    gets what was observed, the settings and the time, and decides.
    """

    name: str
    """In logs and metrics."""
    source: Source
    observe: Callable[[Lister, Key], Observed | None]
    reconcile: Reconcile[Observed, _Settings]
    watches: tuple[Watch, ...] = ()
    """What concerns the controller besides ``source``."""
    indexes: tuple[Index, ...] = ()
    """What ``observe`` and the mappers read by."""
    reads: tuple[Source, ...] = ()
    """What ``observe`` reads without being told of changes."""
    refused: Refused[Observed] | None = None
    can_wait: Callable[[Object, Object], bool] | None = None
    """Whether a status may be written a moment later, given the object as stored and to be."""
    delay_seconds: float = DELAY_SECONDS
    """How long such a status waits at most."""
    field_manager: str = ""
    """Who writes, in managed fields and Events; by default the manager's name."""
    workers: int = 4
    """Keys worked on side by side."""
    when: Callable[[Object, Object], bool] | None = None
    """Whether a change of ``source``, from before to after, is one that the controller goes by."""
    settles: bool = False
    """Whether a status that it has written tells it nothing new: it does not look at that again."""
