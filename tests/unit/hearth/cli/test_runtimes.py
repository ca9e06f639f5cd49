from __future__ import annotations

import pytest

from hearth.cli.errors import UserError
from hearth.cli.runtimes import Pods, Runtime, choose
from hearth.cluster.node.runtime.engine.sockets import Found

NOWHERE = {"PATH": "/nowhere", "XDG_RUNTIME_DIR": "/nowhere"}


@pytest.mark.parametrize(
    ("pods", "text"),
    [
        (Pods(), "processes (no container engine found)"),
        (Pods(is_named=True), "processes (as asked)"),
        (
            Pods(Found("podman", "/s", is_root=True)),
            "containers by podman (rootful); known commands as processes",
        ),
        (
            Pods(Found("docker", "/s"), is_named=True),
            "containers by docker (rootless); known commands as processes",
        ),
    ],
)
def test_what_is_told(pods: Pods, text: str) -> None:
    assert str(pods) == text


def test_who_asks_for_processes_gets_them() -> None:
    assert choose(Runtime.PROCESS, NOWHERE) == Pods(is_named=True)


def test_an_engine_that_is_asked_for_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hearth.cli.runtimes.is_served", lambda _: False)
    assert choose(Runtime.AUTO, NOWHERE) == Pods()
    with pytest.raises(UserError, match="there is no podman here"):
        choose(Runtime.PODMAN, NOWHERE)
    with pytest.raises(UserError, match="containers without an engine need root"):
        choose(Runtime.RUNC, NOWHERE)
