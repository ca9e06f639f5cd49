"""Workloads as they were before bindings told them where to send and what to use.

The bindings come along in an export, and tell it anew where it is applied.
"""

from __future__ import annotations

from collections.abc import Sequence

from eventing.kinds.binding import bind
from hearth.functions.drafting.belonging import bound, identity
from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.servicebinding import keys
from hearth.servicebinding.paths import PathError
from hearth.servicebinding.projection import unproject


def unbound(objects: Sequence[Object]) -> list[Object]:
    """Return a namespace's objects without what SinkBindings and ServiceBindings put into them."""
    told = bound(objects)
    return [_without_services(bind(o, None) if identity(o) in told else o) for o in objects]


def _without_services(obj: Object) -> Object:
    version = str(obj["apiVersion"]).rpartition("/")[2]
    for key in list(meta.annotations(obj)):
        if key.startswith(keys.MAPPING):
            try:
                obj = unproject(obj, key.removeprefix(keys.MAPPING), {}, version)
            except PathError:  # by a mapping that was made unreadable: it stays as it is
                continue
    return obj
