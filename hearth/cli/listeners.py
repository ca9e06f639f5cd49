"""The listening sockets of one machine: held here, given to activators, broker and webhooks.

They are opened before anything is started and stay open until everything is told to stop, so that
whoever ends, and however, refuses nobody (``hearth.listening``).
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence

from hearth.cli.layout import Layout, activators
from hearth.cli.roster import ComponentState
from hearth.listening import bind, steer

PURPOSES = ("gateway", "internal")
"""The ports of the layout that activators share."""
_WITH_TLS = ("gateway-tls", "internal-tls")


def shared_ports(layout: Layout) -> tuple[str, ...]:
    """Return those of a layout that are opened before anything is started.

    Without an authority nobody may ever ask for TLS: who does so first opens the port.
    """
    return (*PURPOSES, *_WITH_TLS) if layout.has_tls else PURPOSES


class Listeners:
    """A socket for each port and each activator, and those that others have for themselves."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._own: dict[str, dict[str, socket.socket]] = {}
        self._by_purpose: dict[str, list[socket.socket]] = {}
        self._live: list[int] = []

    @classmethod
    def of(cls, layout: Layout, purposes: Sequence[str] = PURPOSES) -> Listeners:
        """Open all; raises OSError when a port has been taken meanwhile."""
        listeners = cls(activators(layout.workers))
        for name in ("broker", "webhooks"):
            listeners.open_for(name, name, layout.host, layout.ports[name])
        listeners.open_for("ui", "ui", "127.0.0.1", layout.ports["ui"])
        for purpose in purposes:
            listeners.open(purpose, layout.host, layout.ports[purpose])
        return listeners

    def open(self, purpose: str, host: str, port: int) -> None:
        """Open one port."""
        is_shared = len(self._names) > 1
        sockets = self._by_purpose.setdefault(purpose, [])
        for _ in self._names:
            sockets.append(bind(host, port, is_shared=is_shared))

    def open_for(self, name: str, purpose: str, host: str, port: int) -> None:
        """Open one port for one component, which need not have been started yet."""
        self._own.setdefault(name, {})[purpose] = bind(host, port)

    def held_for(self, name: str) -> dict[str, socket.socket]:
        """The sockets of one component, by purpose."""
        if name not in self._names:
            return self._own.get(name, {})
        number = self._names.index(name)
        return {purpose: sockets[number] for purpose, sockets in self._by_purpose.items()}

    def follow(self, states: Mapping[str, ComponentState]) -> None:
        """Have new connections dealt to those that serve, as far as any does."""
        live = [number for number, name in enumerate(self._names) if states[name].is_ready]
        if len(self._names) == 1 or live == self._live:
            return
        self._live = live
        for sockets in self._by_purpose.values():
            steer(sockets, live)
