"""Pods that are all but there: which can be, which of them wait, and which give way. Pure.

When the last pod of a workload has gone, the node makes its next one as far as that goes before it
exists: folder, volumes, network, containers that are created and not begun. ``node.worker.ahead``
does it, by what is decided here; a container is used only if it is still what its pod asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from hearth.cluster.node.pod.payload import kind_of
from hearth.cluster.node.pod.spec import Container, raw_container
from hearth.kube import meta
from hearth.kube.meta import Object

MOST = 32
"""Containers that wait at a time; the oldest gives way."""
_MEMORY_FOR_EACH = 64 << 20
"""One waits for each such part of the memory that is free: it takes a tenth of that at most."""
_MOST_NAMED = 256
_TRIES = 3
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes makes the end of a pod's name of."""

It = TypeVar("It")


@dataclass(frozen=True, slots=True)
class Owner:
    """A ReplicaSet."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Spare(Generic[It]):
    """A pod that is to be called ``name``, with containers that wait."""

    owner: Owner
    name: str
    containers: int
    it: It


def owner_of(pod: Object) -> Owner | None:
    """The ReplicaSet that a pod belongs to."""
    owner = meta.controller_of(pod)
    if owner is None or owner["kind"] != "ReplicaSet":
        return None
    return Owner(meta.namespace(pod), str(owner["name"]), str(owner["uid"]))


def sleepers(replica_sets: Iterable[Object]) -> list[Owner]:
    """The ReplicaSets of Deployments that have no replicas, as many as there is room for.

    The newest are taken, in the order of their making.
    """
    asleep = [
        each
        for each in replica_sets
        if each["spec"].get("replicas") == 0
        and (meta.controller_of(each) or {}).get("kind") == "Deployment"
    ]
    asleep.sort(key=meta.creation_timestamp)
    return [Owner(meta.namespace(e), meta.name(e), meta.uid(e)) for e in asleep[-MOST:]]


def can_be_ahead(pod: Object, container: Container) -> bool:
    """Whether a container can be made before its pod is there.

    Not where somebody would have to hold the other end of its input or terminal; where it is told
    the pod's uid; where it mounts a part of a volume that init containers are to fill first; nor
    where a claim's files are to be given to a group, while others may still use them.
    """
    raw, spec = raw_container(pod, container.name), pod["spec"]
    kinds = {v["name"]: kind_of(v) for v in spec.get("volumes") or ()}
    mounted = [m for m in raw.get("volumeMounts") or () if kinds.get(m["name"]) in _WRITABLE]
    has_parts = any(m.get("subPath") or m.get("subPathExpr") for m in mounted)
    has_claim = "persistentVolumeClaim" in kinds.values()
    return not (
        (raw.get("stdin") or raw.get("tty"))
        or any(_field(entry) == "metadata.uid" for entry in raw.get("env") or ())
        or (has_parts and spec.get("initContainers"))
        or (has_claim and (spec.get("securityContext") or {}).get("fsGroup") is not None)
    )


_WRITABLE = ("emptyDir", "persistentVolumeClaim", "hostPath")


def _field(entry: Mapping[str, Any]) -> str:
    reference = (entry.get("valueFrom") or {}).get("fieldRef") or {}
    return str(reference.get("fieldPath", ""))


def next_name(owner: Owner, random: bytes) -> str:
    """A name as the API server would give the next pod; ``random`` are five bytes."""
    return f"{owner.name}-" + "".join(_SUFFIX[byte % len(_SUFFIX)] for byte in random)


def is_the_same(made: Object, come: Object) -> bool:
    """Whether the pod that has come is the one that was foreseen."""

    def described(pod: Object) -> tuple[Any, ...]:
        spec = {name: value for name, value in pod["spec"].items() if name != "nodeName"}
        return spec, meta.labels(pod), meta.annotations(pod)

    return described(made) == described(come)


def room(available_bytes: int) -> int:
    """How many containers may wait on a machine with so much memory free."""
    return min(MOST, available_bytes // _MEMORY_FOR_EACH)


class Waiting(Generic[It]):
    """Who is to have a pod made ahead, and the pods that are made: one for each ReplicaSet."""

    def __init__(self) -> None:
        self._wanted: dict[Owner, int] = {}  # in order, as all of these; how often it was missed
        self._missed: dict[Owner, int] = {}
        self._spares: dict[Owner, Spare[It]] = {}

    def want(self, owner: Owner) -> None:
        """One is to be made, unless there is one."""
        if owner not in self._spares:
            self._missed.pop(owner, None)
            self._wanted[owner] = 0
            _bound(self._wanted)

    def next(self) -> tuple[Owner, int] | None:
        """Whose turn it is, which waits for it no more, and how often that one was missed."""
        while self._wanted:
            owner = next(iter(self._wanted))
            times = self._wanted.pop(owner)
            if owner not in self._spares:
                return owner, times
        return None

    def missed(self, owner: Owner, times: int = 0) -> None:
        """None could be made; it is tried again when something changes, and a few times anyway."""
        self._missed[owner] = times + 1
        _bound(self._missed)

    @property
    def is_idle(self) -> bool:
        """Nothing waits, and nothing is to be tried again."""
        return not self._spares and not any(times < _TRIES for times in self._missed.values())

    def try_anyway(self) -> None:
        """Some time has gone by."""
        for owner, times in list(self._missed.items()):
            if times < _TRIES:
                self._wanted[owner] = self._missed.pop(owner)

    def try_again(self, namespace: str = "") -> None:
        """Something that some may lack is there now, in one namespace or for all."""
        for owner in list(self._missed):
            if namespace in ("", owner.namespace):
                self.want(owner)

    def put(self, spare: Spare[It], most: int) -> list[Spare[It]]:
        """One is made; those that have to go for it, of which it may be one itself."""
        before = self._spares.pop(spare.owner, None)
        self._spares[spare.owner] = spare
        return [*([before] if before is not None else ()), *self.excess(most)]

    def excess(self, most: int) -> list[Spare[It]]:
        """Takes out the oldest, until no more than so many containers wait."""
        gone = []
        while sum(spare.containers for spare in self._spares.values()) > most:
            gone.append(self._spares.pop(next(iter(self._spares))))
        return gone

    def claim(self, namespace: str, name: str) -> Spare[It] | None:
        """Takes out the one that waits for a pod of that name."""
        for spare in self._spares.values():
            if (spare.owner.namespace, spare.name) == (namespace, name):
                return self._spares.pop(spare.owner)
        return None

    def remove(self, spare: Spare[It]) -> bool:
        """Takes one out; False where somebody has done that already."""
        if self._spares.get(spare.owner) is not spare:
            return False
        del self._spares[spare.owner]
        return True

    def all(self) -> list[Spare[It]]:
        """Those that wait, the oldest first."""
        return list(self._spares.values())

    def __contains__(self, owner: Owner) -> bool:
        return owner in self._spares


def _bound(owners: dict[Owner, int]) -> None:
    while len(owners) > _MOST_NAMED:
        del owners[next(iter(owners))]
