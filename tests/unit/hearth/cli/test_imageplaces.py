from __future__ import annotations

import asyncio
from pathlib import Path

from hearth.cli.imageplaces import place_at_hand
from hearth.cli.runtimes import Pods
from hearth.cluster.node.runtime.engine.sockets import Found


def test_to_look_at_what_is_not_there_makes_nothing(tmp_path: Path) -> None:
    place = place_at_hand(tmp_path)
    assert place is not None
    assert asyncio.run(place.images()) == []
    assert list(tmp_path.iterdir()) == []


def test_where_an_engine_answers() -> None:
    assert Pods().engine_socket is None
    assert Pods(Found("runc", command="/runc")).engine_socket is None
    assert Pods(Found("podman", command="/podman")).engine_socket == ""
    assert Pods(Found("docker", "/d.sock")).engine_socket == "/d.sock"
