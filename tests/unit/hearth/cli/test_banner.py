"""What a user is told when everything serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from hearth.cli.banner import banner, naming_options
from hearth.cli.layout import Layout


def told(port: int = 8080, *, options: str = "", is_detached: bool = True) -> str:
    layout = Layout(Path("/s p/h"), "127.0.0.1", {"gateway": port, "api": 6443}, "token", "other")
    return banner(
        layout,
        seconds=0.84,
        sample=Path("samples/hello.yaml"),
        options=options,
        is_detached=is_detached,
    )


def test_commands_can_be_copied() -> None:
    lines = told().splitlines()
    assert lines[0] == "Hearth is ready (0.8 s)."
    assert "  export KUBECONFIG='/s p/h/kubeconfig'" in lines
    assert "  kubectl apply -f samples/hello.yaml" in lines
    assert "  curl http://hello.default.localhost:8080" in lines


def test_port_80_needs_no_mention() -> None:
    assert "  curl http://hello.default.localhost" in told(80).splitlines()


def test_it_tells_how_processes_are_isolated() -> None:
    ports = {"gateway": 8080, "api": 6443}
    layout = Layout(Path("/h"), "127.0.0.1", ports, "token", "other", isolation="by walls")
    text = banner(layout, seconds=1, sample=Path("hello.yaml"), options="", is_detached=True)
    assert "  processes    by walls" in text.splitlines()
    assert "\n  processes " not in told()


def test_with_tls_it_tells_whom_to_trust() -> None:
    ports = {"gateway": 8080, "api": 6443, "gateway-tls": 8443}
    layout = Layout(Path("/s p/h"), "127.0.0.1", ports, "token", "other", has_tls=True)
    text = banner(layout, seconds=1, sample=Path("hello.yaml"), options="", is_detached=True)
    lines = text.splitlines()
    assert "  https        https://localhost:8443" in lines
    assert "  authority    /s p/h/tls/ca.crt" in lines
    assert "  curl --cacert '/s p/h/tls/ca.crt' https://hello.default.localhost:8443" in lines
    assert "Clients have to trust the authority" in text
    assert "https://hello" not in told()


def test_the_way_to_stop_it() -> None:
    assert told(options=" --name x").endswith("Stop it with `hearth down --name x`.")
    assert told(is_detached=False).endswith("Stop it with Ctrl-C.")


@pytest.mark.parametrize(
    ("name", "is_found", "options"),
    [
        ("default", True, ""),
        ("blue", True, " --name blue"),
        ("blue", False, " --data-dir '/a b'"),
        ("default", False, " --data-dir '/a b'"),
    ],
)
def test_other_commands_find_it(name: str, is_found: bool, options: str) -> None:
    assert naming_options(name, Path("/a b"), is_found=is_found) == options
