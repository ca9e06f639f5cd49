"""The state file and the ports of a Hearth, on a real disk and with real sockets."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from hearth.cli import samples, state
from hearth.cli.errors import UserError
from hearth.cli.layout import prepare_layout
from hearth.cli.state import is_running, process_start, read_state, running_state
from hearth.cluster.node.images.store import ImageSpec, ImageStore
from hearth.oci.references import parse_reference


def test_ports_are_kept_across_starts(tmp_path: Path) -> None:
    first = prepare_layout(tmp_path, host="127.0.0.1", port=0, api_port=0)
    first.claims.close()
    state.write_state(tmp_path, {"ports": first.ports})
    second = prepare_layout(tmp_path, host="127.0.0.1", port=0, api_port=0)
    assert second.ports == first.ports
    assert len(set(first.ports.values())) == len(first.ports)


def test_a_port_in_use_is_neither_kept_nor_given(tmp_path: Path) -> None:
    first = prepare_layout(tmp_path, host="127.0.0.1", port=0, api_port=0)
    first.claims.close()
    state.write_state(tmp_path, {"ports": first.ports})
    with socket.create_server(("127.0.0.1", first.ports["webhook"])):
        second = prepare_layout(tmp_path, host="127.0.0.1", port=0, api_port=0)
        assert second.ports["webhook"] != first.ports["webhook"]
        with pytest.raises(UserError, match="is in use"):
            prepare_layout(tmp_path, host="127.0.0.1", port=0, api_port=first.ports["webhook"])


def test_ports_of_another_that_does_not_listen_yet_are_not_given(tmp_path: Path) -> None:
    """Some are listened on seconds after they were chosen, or not before somebody asks."""
    first = prepare_layout(tmp_path / "one", host="127.0.0.1", port=0, api_port=0)
    (tmp_path / "two").mkdir()
    state.write_state(tmp_path / "two", {"ports": first.ports})
    second = prepare_layout(tmp_path / "two", host="127.0.0.1", port=0, api_port=0)
    assert not set(first.ports.values()) & set(second.ports.values())
    with pytest.raises(UserError, match="is in use"):
        prepare_layout(tmp_path, host="127.0.0.1", port=first.port, api_port=0)


def test_state_is_private_and_replaced_as_a_whole(tmp_path: Path) -> None:
    state.write_state(tmp_path, {"a": 1})
    state.write_state(tmp_path, {"a": 2})
    assert read_state(tmp_path) == {"a": 2}
    assert state.state_file(tmp_path).stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_a_recycled_process_number_is_not_taken_for_ours() -> None:
    started = process_start(os.getpid())
    assert is_running({"pid": os.getpid(), "started": started})
    assert not is_running({"pid": os.getpid(), "started": "0"})
    assert not is_running({})


def test_a_state_that_runs_nowhere(tmp_path: Path) -> None:
    assert read_state(tmp_path) == {}
    state.state_file(tmp_path).write_text(json.dumps({"pid": 2**22 + 1, "started": "1"}))
    assert not is_running(read_state(tmp_path))
    with pytest.raises(UserError, match="start one with `hearth up`"):
        running_state(tmp_path)


def test_samples_take_no_name_that_the_user_gave(tmp_path: Path) -> None:
    layout = prepare_layout(tmp_path, host="127.0.0.1", port=0, api_port=0)
    store = ImageStore(tmp_path)
    store.add("ghcr.io/knative/helloworld-go", ImageSpec(entrypoint=("mine",)))
    store.add("hearth.dev/samples/hello", ImageSpec(entrypoint=("old",), source="hearth samples"))
    for _ in range(2):
        samples.register(layout)
    images = {tagged.name: tagged.image for tagged in store.list()}
    assert images["ghcr.io/knative/helloworld-go:latest"].entrypoint == ("mine",)
    assert images["gcr.io/knative-samples/helloworld-go:latest"].is_stand_in
    own = images["hearth.dev/samples/hello:latest"]
    assert not own.is_stand_in and own.entrypoint[-1].endswith("server.py")


def test_images_that_nobody_names_are_forgotten(tmp_path: Path) -> None:
    """By digest or by tag; tags of others than what was made here stay."""
    store = ImageStore(tmp_path)
    names = ("dev.local/used", "dev.local/named", "dev.local/gone", "mine")
    old = {name: store.add(name, ImageSpec(entrypoint=(name, "old"))) for name in names}
    new = {name: store.add(name, ImageSpec(entrypoint=(name,))) for name in names}
    in_use = [
        parse_reference(f"dev.local/used@{old['dev.local/used'].digest}"),
        parse_reference("dev.local/named"),
    ]
    left = store.prune(in_use, "dev.local")
    kept = [old["dev.local/used"], new["dev.local/named"], new["mine"]]
    assert {image.digest for image in left} == {image.digest for image in kept}
    assert store.resolve(str(in_use[0])) == kept[0]
    assert store.resolve("dev.local/gone") is None and store.resolve("dev.local/used") is None
    assert store.remove("mine") and store.resolve("mine") is None
    assert store.resolve("dev.local/named") == kept[1]
