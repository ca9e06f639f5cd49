"""Root filesystems of containers, made by a node whose own files are private."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hearth.cluster.node.runtime.bundles.kernel import Overlays, unmount


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_any_user_of_a_container_may_look_into_its_root(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        layer = tmp_path / "layers" / "one"
        layer.mkdir(parents=True)
        (layer / "file").write_text("content")
        target = tmp_path / "rootfs"
        overlays = Overlays(tmp_path / "layers")
        try:
            overlays.mount([layer], tmp_path / "writable", target)
        except PermissionError:
            pytest.skip("this machine lets nobody mount overlays")
        finally:
            overlays.close()
        try:
            assert (target / "file").read_text() == "content"
            assert target.stat().st_mode & 0o777 == 0o755
        finally:
            unmount(target)
    finally:
        os.umask(before)
