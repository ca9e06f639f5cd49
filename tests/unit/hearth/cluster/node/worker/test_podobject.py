"""Whose object a worker has of its pod, from when it is found until it has gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from hearth.cluster.node.worker.podobject import PodObject
from hearth.kube import meta
from hearth.kube.meta import Object


def test_the_object_is_the_caches_as_long_as_that_is_followed(a_pod: Callable[..., Object]) -> None:
    found, newer, other = a_pod(), a_pod(), a_pod()
    cache = {meta.key(found): newer}
    pod = PodObject(cast(Any, Cache(cache)), found)
    assert pod() is found
    pod.followed()
    assert pod() is newer
    cache[meta.key(found)] = other
    pod.gone(newer)
    assert pod() is newer


def test_what_is_missed_is_not_guessed(a_pod: Callable[..., Object]) -> None:
    pod = PodObject(cast(Any, Cache({})), a_pod())
    pod.followed()
    with pytest.raises(LookupError):
        pod()


class Cache:
    """Holds objects by their keys."""

    def __init__(self, objects: dict[meta.Key, Object]) -> None:
        self._objects = objects

    def get(self, *key: str) -> Object | None:
        return self._objects.get(cast(meta.Key, key))
