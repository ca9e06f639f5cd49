"""Layers of strangers: what they may do, and what they may not."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.oci.errors import CutOff, InvalidContent, OciError
from hearth.oci.layers import Bounds, unpack
from hearth.oci.manifests import digest_of
from hearth.oci.packing import Entry, write_layer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="layers are owned by others than us")


def entry(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", **more: Any) -> Any:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode = kind, len(content), 0o644
    for key, value in more.items():
        setattr(info, key, value)
    return info, content


def folder(name: str) -> Any:
    return entry(name, tarfile.DIRTYPE, mode=0o755)


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> Any:
    return entry(name, kind, linkname=to)


def archive(entries: Iterable[Any]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as packed:
        for info, content in entries:
            packed.addfile(info, io.BytesIO(content))
    return out.getvalue()


class Box:
    """A folder to unpack into, with a neighbour that nothing may touch."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root, self.outside = path / "root", path / "outside"
        self.root.mkdir(parents=True)
        self.outside.mkdir()

    def unpack(self, *entries: Any, **bounds: int) -> int:
        return self.unpack_bytes(archive(entries), bounds=bounds)

    def unpack_bytes(
        self, plain: bytes, *, packed: bytes | None = None, bounds: dict[str, int] | None = None
    ) -> int:
        layer = self.path / "layer"
        layer.write_bytes(plain if packed is None else packed)
        return unpack(layer, self.root, digest_of(plain), bounds=Bounds(**(bounds or {})))


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = Box(tmp_path)
    return made


def test_files_owners_modes_and_times(box: Box) -> None:
    box.unpack(
        folder("a"),
        entry("a/b", content=b"hello", mode=0o4755, uid=12, gid=34, mtime=1_000_000),
        link("a/c", "/anywhere"),
        link("d", "a/b", tarfile.LNKTYPE),
    )
    made = (box.root / "a/b").stat()
    assert (box.root / "a/b").read_bytes() == b"hello"
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (12, 34, 0o4755)
    assert made.st_mtime == 1_000_000
    assert os.readlink(box.root / "a/c") == "/anywhere"
    assert made.st_ino == (box.root / "d").stat().st_ino


@pytest.mark.parametrize("name", ["./a/x", "/a/x", "a/x", "a//x", "a/./x"])
def test_one_path_however_it_is_written(box: Box, name: str) -> None:
    box.unpack(entry(name, content=b"1"))
    assert (box.root / "a/x").read_bytes() == b"1"


def test_folders_that_no_entry_tells_of_are_open_to_all(box: Box) -> None:
    before = os.umask(0o077)
    try:
        box.unpack(entry("a/b/c"))
    finally:
        os.umask(before)
    for path in ("a", "a/b"):
        assert stat.S_IMODE((box.root / path).stat().st_mode) == 0o755


def test_whiteouts_are_those_of_overlay(box: Box) -> None:
    box.unpack(folder("a"), entry("a/.wh..wh..opq"), entry(".wh.gone"), entry("deep/.wh.gone"))
    assert os.getxattr(box.root / "a", "trusted.overlay.opaque") == b"y"
    for name in ("gone", "deep/gone"):
        made = (box.root / name).lstat()
        assert stat.S_ISCHR(made.st_mode) and made.st_rdev == 0


def test_a_later_entry_replaces_an_earlier(box: Box) -> None:
    box.unpack(entry("a", content=b"1"), folder("a"), entry("a/b"), entry("a", content=b"2"))
    assert (box.root / "a").read_bytes() == b"2"


def test_devices_are_left_out(box: Box) -> None:
    box.unpack(entry("null", tarfile.CHRTYPE, devmajor=1, devminor=3), entry("x"))
    assert os.listdir(box.root) == ["x"]


@pytest.mark.parametrize(
    "target", ["../outside", "/outside", "..", "/../../outside", "a/../../outside"]
)
def test_links_lead_nowhere_outside(box: Box, target: str) -> None:
    """They are followed as in the container: from its own root."""
    with contextlib.suppress(InvalidContent):
        box.unpack(link("to", target), entry("to/file", content=b"evil"))
    assert os.listdir(box.outside) == []
    assert sorted(os.listdir(box.path)) == ["layer", "outside", "root"]


def test_an_absolute_link_to_the_machine_is_not_written_through(box: Box) -> None:
    with pytest.raises(InvalidContent):
        box.unpack(link("to", str(box.outside)), entry("to/file", content=b"evil"))
    assert os.listdir(box.outside) == []


def test_a_link_within_the_layer_is_followed(box: Box) -> None:
    box.unpack(folder("usr"), folder("usr/lib"), link("lib", "/usr/lib"), entry("lib/x"))
    assert (box.root / "usr/lib/x").exists()


@pytest.mark.parametrize("name", ["../x", "a/../../x", "..", "a/..", "/../x"])
def test_names_with_dots_are_refused(box: Box, name: str) -> None:
    with pytest.raises(InvalidContent):
        box.unpack(entry(name, content=b"evil"))
    assert os.listdir(box.outside) == []


@pytest.mark.parametrize(
    ("name", "to", "kind"),
    [
        ("x", "", tarfile.SYMTYPE),
        ("x", "y" * 5000, tarfile.SYMTYPE),
        ("x" * 300, "y", tarfile.SYMTYPE),
        ("x" * 300, "", tarfile.DIRTYPE),
        (f"{'x' * 300}/y", "", tarfile.FIFOTYPE),
        (".wh.", "", tarfile.REGTYPE),
        ("x", "", tarfile.LNKTYPE),
    ],
)
def test_a_name_that_can_be_none_is_the_layers_fault(
    box: Box, name: str, to: str, kind: bytes
) -> None:
    with pytest.raises(InvalidContent):
        box.unpack(link(name, to, kind))


def test_a_hard_link_out_is_none(box: Box) -> None:
    (box.outside / "secret").write_text("s")
    box.unpack(folder("a"), link("to", "../outside"))
    for target in ("../outside/secret", str(box.outside / "secret"), "to/secret"):
        with pytest.raises(InvalidContent):
            box.unpack(link("x", target, tarfile.LNKTYPE))
    assert not (box.root / "x").exists()


def test_a_file_is_not_written_through_a_link_of_its_name(box: Box) -> None:
    box.unpack(link("x", "../outside/y"), entry("x", content=b"1"))
    assert not (box.root / "x").is_symlink() and os.listdir(box.outside) == []


def test_a_whiteout_through_a_link_stays_inside(box: Box) -> None:
    (box.outside / "y").write_text("kept")
    with contextlib.suppress(InvalidContent):
        box.unpack(link("x", "../outside"), entry("x/.wh.y"), entry("x/.wh..wh..opq"))
    assert (box.outside / "y").read_text() == "kept"


@pytest.mark.parametrize("bounds", [{"size": 100_000}, {"entries": 3}])
def test_no_more_than_is_allowed(box: Box, bounds: dict[str, int]) -> None:
    with pytest.raises(InvalidContent, match="more than"):
        box.unpack(*(entry(f"f{n}", content=b"x" * 50_000) for n in range(5)), **bounds)


def test_a_bomb_ends_early(box: Box) -> None:
    plain = archive([entry("zeros", content=bytes(1 << 24))])
    with pytest.raises(InvalidContent, match="more than"):
        box.unpack_bytes(plain, packed=gzip.compress(plain), bounds={"size": 1 << 20})
    assert sum(path.stat().st_size for path in box.root.iterdir()) <= 2 << 20


def test_a_header_that_would_fill_memory(box: Box) -> None:
    with pytest.raises(InvalidContent, match="header is too large"):
        box.unpack_bytes(archive([entry("x", pax_headers={"comment": "x" * (2 << 20)})]))


def test_another_layer_than_was_said(box: Box) -> None:
    layer = box.path / "layer"
    layer.write_bytes(archive([entry("x")]))
    with pytest.raises(InvalidContent, match="is not what the config says"):
        unpack(layer, box.root, digest_of(b"other"))


@pytest.mark.parametrize("end", [20, 600, -600])
def test_half_an_archive(box: Box, end: int) -> None:
    plain = archive([entry("x", content=b"1" * 5000), entry("y")])
    with pytest.raises(CutOff):
        box.unpack_bytes(plain, packed=gzip.compress(plain)[:end] if end < 100 else plain[:700])


def test_zstd(box: Box) -> None:
    zstd = pytest.importorskip("backports.zstd")
    plain = archive([entry("x", content=b"1")])
    box.unpack_bytes(plain, packed=zstd.compress(plain))
    assert (box.root / "x").read_bytes() == b"1"


names = st.lists(st.sampled_from(["a", "b", "..", ".", "", ".wh.a", ".wh..wh..opq"]), min_size=1)
kinds = st.sampled_from(
    [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]
)
paths = names.map("/".join)


@given(st.lists(st.tuples(paths, kinds, paths), max_size=8))
def test_no_archive_gets_out(entries: list[tuple[str, bytes, str]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        box = Box(Path(place))
        with contextlib.suppress(OciError):
            box.unpack(*(link(name, to, kind) for name, kind, to in entries))
        assert os.listdir(box.outside) == []
        assert sorted(os.listdir(box.path)) == ["layer", "outside", "root"]


def test_what_we_pack_we_unpack(box: Box) -> None:
    layer = box.path / "layer"
    with layer.open("wb") as out:
        said = write_layer(
            out,
            [Entry("a/b", b"1", 0o644), Entry("a/l", "b", 0o777), Entry("w", None, 0o1777, 7, 8)],
        )
    assert unpack(layer, box.root, said.diff_id) > 1
    assert layer.stat().st_size == said.descriptor.size
    assert (box.root / "a/l").read_bytes() == b"1"
    made = (box.root / "w").stat()
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (7, 8, 0o1777)
