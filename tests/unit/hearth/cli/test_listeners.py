"""The sockets of several activators: who gets which, and whom connections are dealt to."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest

from hearth.cli import listeners
from hearth.cli.listeners import Listeners
from hearth.cli.roster import ComponentState

UP, DOWN = ComponentState(pid=7, is_ready=True), ComponentState(pid=7, is_ready=False)


class Sockets:
    """In place of the kernel."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[tuple[str, int, bool]] = []
        self.steered: list[list[int]] = []
        monkeypatch.setattr(listeners, "bind", self.bind)
        monkeypatch.setattr(listeners, "steer", self.steer)

    def bind(self, host: str, port: int, *, is_shared: bool = False) -> socket.socket:
        self.opened.append((host, port, is_shared))
        return object()  # type: ignore[return-value]

    def steer(self, sockets: Sequence[socket.socket], live: Sequence[int]) -> None:
        self.steered.append(list(live))


def test_one_has_its_ports_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = Sockets(monkeypatch)
    one = Listeners(("activator",))
    one.open("gateway", "127.0.0.1", 80)
    assert sockets.opened == [("127.0.0.1", 80, False)]
    assert one.held_for("activator").keys() == {"gateway"}
    one.follow({"activator": UP})
    one.follow({"activator": DOWN})
    assert sockets.steered == []


def test_several_have_a_socket_each_for_every_port(monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = Sockets(monkeypatch)
    two = Listeners(("activator-1", "activator-2"))
    two.open("gateway", "127.0.0.1", 80)
    two.open("internal", "127.0.0.1", 81)
    assert sockets.opened == [("127.0.0.1", port, True) for port in (80, 80, 81, 81)]
    first, second = two.held_for("activator-1"), two.held_for("activator-2")
    assert first.keys() == second.keys() == {"gateway", "internal"}
    assert len({id(sock) for sock in (*first.values(), *second.values())}) == 4


def test_connections_follow_those_that_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = Sockets(monkeypatch)
    two = Listeners(("activator-1", "activator-2"))
    two.open("gateway", "127.0.0.1", 80)
    for first, second in ((DOWN, DOWN), (UP, DOWN), (UP, UP), (UP, UP), (DOWN, UP), (DOWN, DOWN)):
        two.follow({"api": UP, "activator-1": first, "activator-2": second})
    assert sockets.steered == [[0], [0, 1], [1], []]


def test_a_component_may_have_a_socket_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = Sockets(monkeypatch)
    two = Listeners(("activator-1", "activator-2"))
    two.open("gateway", "127.0.0.1", 80)
    two.open_for("broker", "broker", "127.0.0.1", 82)
    assert sockets.opened[-1] == ("127.0.0.1", 82, False)
    assert two.held_for("broker").keys() == {"broker"}
    assert two.held_for("activator-1").keys() == {"gateway"}
    assert two.held_for("control") == {}
