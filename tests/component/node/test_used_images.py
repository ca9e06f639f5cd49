"""Which images of an engine were used last is still known by the next node."""

from __future__ import annotations

from pathlib import Path

from hearth.cluster.node.runtime.engine.used import UsedImages, read_used


def test_what_was_used_is_written_once_a_minute(tmp_path: Path) -> None:
    path = tmp_path / "used.json"
    used = UsedImages(path)
    assert used.note("sha256:a", 100.0)
    used.save()
    assert not used.note("sha256:a", 159.0) and used.note("sha256:b", 159.0)
    used.save()
    assert read_used(path) == {"sha256:a": 159.0, "sha256:b": 159.0}
    assert not UsedImages(path).note("sha256:b", 160.0)


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    used = UsedImages(tmp_path / "used.json")
    for number in range(1100):
        used.note(f"sha256:{number}", 100.0 + number)
    used.save()
    kept = read_used(tmp_path / "used.json")
    assert len(kept) == 1000 and "sha256:99" not in kept and "sha256:1099" in kept


def test_what_cannot_be_read_or_written_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "used.json").write_text("[1]")
    assert read_used(tmp_path / "used.json") == {} == read_used(tmp_path / "none")
    UsedImages(tmp_path / "no/such/folder").save()
