"""Names of pods that a node is ready to start at once, told to whoever makes pods.

A container made ahead has its host name already, and that is its pod's name: so the name is chosen
before the pod is made. Node and controllers of one machine share a process; where they do not,
nobody offers and every name is the API server's choice.
"""

from __future__ import annotations

_offers: dict[str, str] = {}


def offer(owner_uid: str, name: str) -> None:
    """The next pod of that ReplicaSet should be called so."""
    _offers[owner_uid] = name


def withdraw(owner_uid: str, name: str) -> None:
    """The name is taken, or what was ready is no more."""
    if _offers.get(owner_uid) == name:
        del _offers[owner_uid]


def offered(owner_uid: str) -> str:
    """The name for the next pod; empty for none."""
    return _offers.get(owner_uid, "")
