from __future__ import annotations

from pathlib import Path

import pytest

from hearth.cli import up


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
