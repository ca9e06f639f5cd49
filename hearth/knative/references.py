"""Objects of any kind that others refer to, in caches that start with the first reference.

Whoever looked an object up looks again when it changes. In Knative: the tracker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hearth.knative.destinations import Reference, Resolution, Unresolved, reference_of, resolve
from hearth.kube.cache import WatchCache
from hearth.kube.clusterdomain import CLUSTER_DOMAIN
from hearth.kube.controllerspec import Source
from hearth.kube.errors import Forbidden, NotFound, Retryable
from hearth.kube.manager import Manager
from hearth.kube.meta import Key, Object, key, labels, name, namespace
from hearth.kube.selectors import LabelSelector

LOOK_AGAIN_SECONDS = 10.0
"""After which a kind that was not served is asked for again."""


@dataclass(frozen=True, slots=True)
class NotServed(Unresolved):
    """The kind itself is not there (yet), or not for us; nobody tells when that changes."""

    is_forbidden: bool = False


class Referrer(NamedTuple):
    """Who looks an object up: a key of a controller."""

    controller: str
    key: Key


class References:
    """Follows what is referred to, through the manager's caches."""

    def __init__(
        self,
        manager: Manager,
        cluster_domain: str = CLUSTER_DOMAIN,
        *,
        is_near: Callable[[Reference], bool] = lambda _: False,
    ) -> None:
        """``cluster_domain`` is what names of the cluster's Services end in.

        ``is_near`` says what is followed in its namespace alone: where all of a cluster's would be
        much to hold, or more than we need to be allowed to read.
        """
        self._manager = manager
        self.cluster_domain = cluster_domain
        self._is_near = is_near
        self._followed: set[Source] = set()
        self._referrers: dict[tuple[Source, Key], set[Referrer]] = {}
        self._referred: dict[Referrer, set[tuple[Source, Key]]] = {}

    def lookup(self, referrer: Referrer) -> Lookup:
        """Begin to look up all that one key refers to; what it referred to before is forgotten."""
        self.forget(referrer)
        return Lookup(self, referrer)

    def forget(self, referrer: Referrer) -> None:
        """Tell a key no more of what it referred to."""
        for referred in self._referred.pop(referrer, ()):
            referrers = self._referrers[referred]
            referrers.discard(referrer)
            if not referrers:
                del self._referrers[referred]

    def get(self, reference: Reference, referrer: Referrer) -> Object | Unresolved | None:
        """Return the object; None where there is none, NotServed where there is no such kind.

        Raises Retryable while its kind has not been listed yet.
        """
        cache = self._follow(reference, referrer)
        if isinstance(cache, NotServed):
            return cache
        return cache.get(reference.namespace, reference.name)

    def list(
        self, kind: Reference, selector: LabelSelector, referrer: Referrer
    ) -> Sequence[Object] | Unresolved:
        """Return the objects of a kind and namespace with certain labels, in order of name.

        ``kind`` has no name. Raises Retryable while it has not been listed yet.
        """
        cache = self._follow(kind, referrer)
        if isinstance(cache, NotServed):
            return cache
        found = (obj for obj in cache.list(kind.namespace) if selector.matches(labels(obj)))
        return sorted(found, key=name)

    def _follow(self, reference: Reference, referrer: Referrer) -> WatchCache | NotServed:
        """Tell the referrer of changes from now on; without a name, of all in the namespace."""
        of_one = reference.namespace if self._is_near(reference) else None
        source = Source(reference.resource, namespace=of_one)
        cache = self._manager.cache(source)
        referred = source, (reference.namespace, reference.name)
        self._referrers.setdefault(referred, set()).add(referrer)
        self._referred.setdefault(referrer, set()).add(referred)
        if source not in self._followed:
            self._followed.add(source)
            self._manager.on_change(source, lambda old, new: self._changed(source, new or old))
        if cache.is_synced:
            return cache
        if isinstance(cache.failure, NotFound | Forbidden):
            resource, why = reference.resource, "the server could not find the requested resource"
            is_forbidden = isinstance(cache.failure, Forbidden)
            if is_forbidden:
                why = cache.failure.message
            return NotServed(
                f"failed to get lister for {resource.group}/{resource.version}, "
                f"Resource={resource.plural}: {why}",
                is_forbidden,
            )
        raise Retryable(f"{reference.resource.plural} have not been listed yet")

    def _changed(self, source: Source, obj: Object | None) -> None:
        if obj is not None:
            for referred in (key(obj), (namespace(obj), "")):
                for referrer in self._referrers.get((source, referred), ()):
                    self._manager.enqueue(referrer.controller, referrer.key)


class Lookup:
    """Looks up what one key refers to."""

    def __init__(self, references: References, referrer: Referrer) -> None:
        self._references = references
        self._referrer = referrer
        self.look_again: float | None = None
        """Seconds after which to look again, where a kind is not served."""

    def get(self, reference: Reference) -> Object | Unresolved | None:
        """Return the object referred to, or why there is none."""
        referred = self._references.get(reference, self._referrer)
        if isinstance(referred, NotServed):
            self.look_again = LOOK_AGAIN_SECONDS
        return referred

    def list(self, kind: Reference, selector: LabelSelector) -> Sequence[Object] | Unresolved:
        """Return the objects of a kind and namespace with certain labels."""
        found = self._references.list(kind, selector, self._referrer)
        if isinstance(found, NotServed):
            self.look_again = LOOK_AGAIN_SECONDS
        return found

    def resolve(self, destination: Mapping[str, Any], namespace: str) -> Resolution:
        """Return the address of a destination."""
        given = dict(destination)
        reference = reference_of(given, namespace)
        referred = self.get(reference) if reference is not None else None
        return resolve(given, reference, referred, cluster_domain=self._references.cluster_domain)
