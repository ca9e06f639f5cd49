"""Tells once when there is an object of some resource: what works on it need not run before."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

from hearth.cluster.model.objects import Change
from hearth.cluster.store.store import Store


@contextlib.contextmanager
def telling(store: Store, first: Mapping[str, Callable[[], None]]) -> Iterator[None]:
    """Call, by resource (``PLURAL.GROUP``), at once where there are objects, else at the first."""
    with contextlib.ExitStack() as stack:
        for resource, call in first.items():
            stack.callback(_tell(store, resource, call))
        yield


def _tell(store: Store, resource: str, call: Callable[[], None]) -> Callable[[], None]:
    told = any(True for _ in store.state.entries(resource))
    if told:
        call()

    def changed(change: Change) -> None:
        nonlocal told
        if not told and not change.deleted:
            told = True
            call()

    return store.listen(resource, changed)
