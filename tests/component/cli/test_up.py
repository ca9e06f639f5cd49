from __future__ import annotations

from pathlib import Path

import pytest

from hearth.cli import up
from hearth.cli.errors import UserError


def test_a_log_goes_on_and_a_large_one_makes_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up, "_MAX_LOG_BYTES", 10)
    path = tmp_path / "hearth.log"
    for text in (b"first run\n", b"second\n", b"third\n"):
        with up.open_log(path) as log:
            log.write(text)
    assert path.read_bytes() == b"third\n"
    assert (tmp_path / "hearth.log.1").read_bytes() == b"first run\nsecond\n"


def test_what_cannot_be_isolated_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = up.UpOptions(
        tmp_path, "x", "127.0.0.1", 0, 0, has_tls=False, tls_port=None, detach=False,
        verbose=False, isolate=True,
    )  # fmt: skip
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="install the package bubblewrap, or start without --isol"):
        up.up(options)
    assert [each.name for each in tmp_path.iterdir()] == ["lock"]
