"""Archives of images, as other tools write them, as skopeo does, and as nobody should."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from hearth.oci.archives import names_of, read_archive
from hearth.oci.errors import InvalidContent, NoPlatform
from hearth.oci.loading import load
from hearth.oci.manifests import (
    OCI_INDEX,
    Descriptor,
    ImageConfig,
    Platform,
    digest_of,
    make_config,
    make_index,
    parse_manifest,
)
from hearth.oci.packing import Entry, Layout, make_image
from hearth.oci.references import parse_reference
from hearth.oci.store import ContentStore
from tests.component.keda.servers import program
from tests.images import is_root

HERE = Platform("linux", "amd64")
NAME = parse_reference("app:1")


def an_image(folder: Path, *, index: bytes | None = None) -> tuple[Layout, Descriptor]:
    layout = Layout(folder)
    made = make_image(layout, [[Entry("file", b"content")]], ImageConfig(HERE, cmd=("/file",)))
    layout.write_index(index or make_index([(None, made)], tag="quay.io/team/app:1"))
    return layout, made


def archive_of(path: Path, files: Mapping[str, bytes | str]) -> Path:
    """A text is what a symbolic link says."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def a_layer() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        info = tarfile.TarInfo("file")
        info.size = 7
        archive.addfile(info, io.BytesIO(b"content"))
    return made.getvalue()


def test_an_archived_layout(tmp_path: Path) -> None:
    layout, made = an_image(tmp_path / "layout")
    layout.write_archive(tmp_path / "app.tar")
    [image] = read_archive(tmp_path / "app.tar", Layout(tmp_path / "read"), HERE)
    assert (image.manifest.digest, image.names) == (made.digest, ("quay.io/team/app:1",))
    assert Layout(tmp_path / "read").read(made.digest) == layout.read(made.digest)
    assert names_of([image], None, "x") == {parse_reference("quay.io/team/app:1"): image.manifest}
    assert names_of([image], NAME, "x") == {NAME: image.manifest}


def test_of_several_platforms_ours_is_taken(tmp_path: Path) -> None:
    layout, made = an_image(tmp_path / "layout")
    inner = make_index([(Platform("linux", "arm64"), made), (HERE, made)])
    outer = Descriptor(OCI_INDEX, layout.put(inner), len(inner))
    layout.write_index(make_index([(None, outer)], tag="latest"))
    layout.write_archive(tmp_path / "app.tar")
    [image] = read_archive(tmp_path / "app.tar", Layout(tmp_path / "read"), HERE)
    assert (image.manifest.digest, image.names) == (made.digest, ())
    with pytest.raises(NoPlatform, match="linux/s390x"):
        read_archive(tmp_path / "app.tar", Layout(tmp_path / "other"), Platform("linux", "s390x"))


@pytest.mark.skipif(not is_root(), reason="layers are unpacked by root")
def test_what_docker_saved_before_it_knew_of_layouts(tmp_path: Path) -> None:
    layer = a_layer()
    diff_ids = (digest_of(layer), digest_of(layer))
    config = make_config(ImageConfig(HERE, diff_ids=diff_ids, cmd=("/file",)))
    entry = {"Config": "c.json", "RepoTags": ["app:1"], "Layers": ["1/layer.tar", "2/layer.tar"]}
    files: dict[str, bytes | str] = {
        "c.json": config,
        "1/layer.tar": layer,
        "2/layer.tar": "../1/layer.tar",
        "manifest.json": json.dumps([entry]).encode(),
    }
    layout = Layout(tmp_path / "read")
    [image] = read_archive(archive_of(tmp_path / "app.tar", files), layout, HERE)
    assert image.names == ("app:1",)
    stored = load(layout, image.manifest, ContentStore(tmp_path / "store"), NAME, now=1.0)
    assert stored.config.cmd == ("/file",)
    lies = ContentStore(tmp_path / "store").layer(diff_ids[0]) / "file"
    assert lies.read_bytes() == b"content"


def test_what_skopeo_writes(tmp_path: Path) -> None:
    layout, made = an_image(tmp_path / "layout")
    config = parse_manifest(layout.read(made.digest), "app").config.digest
    for form in ("oci-archive", "docker-archive"):
        path = tmp_path / f"{form}.tar"
        target = f"{form}:{path}:docker.io/library/app:1"
        copy = [program("skopeo"), "--insecure-policy", "copy", "-q", f"oci:{layout.folder}"]
        subprocess.run([*copy, target], check=True)
        read = Layout(tmp_path / form)
        [image] = read_archive(path, read, HERE)
        assert parse_manifest(read.read(image.manifest.digest), "app").config.digest == config
        assert names_of([image], None, "x") == {NAME: image.manifest}


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"file": b""}, "no archive of images"),
        ({"index.json": b"{"}, "index.json is no JSON"),
        ({"index.json": b"[]"}, "not a JSON object"),
        ({"manifest.json": b"[{}]"}, "without 'Config'"),
        (
            {"manifest.json": b'[{"Config": "../c", "Layers": []}]'},
            "names '../c', which is not in it",
        ),
        ({"manifest.json": b'[{"Config": "c", "Layers": []}]', "c": "/etc/passwd"}, "not in it"),
    ],
)
def test_what_is_no_archive_of_images(
    tmp_path: Path, files: dict[str, bytes | str], complaint: str
) -> None:
    with pytest.raises(InvalidContent, match=complaint):
        read_archive(archive_of(tmp_path / "x.tar", files), Layout(tmp_path / "read"), HERE)


def test_what_is_no_archive_at_all(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"nothing of the kind")
    with pytest.raises(InvalidContent, match="cannot be read"):
        read_archive(tmp_path / "x", Layout(tmp_path / "read"), HERE)


def test_one_name_is_for_one_image(tmp_path: Path) -> None:
    layout, made = an_image(tmp_path / "layout")
    layout.write_index(make_index([(None, made), (None, made)]))
    layout.write_archive(tmp_path / "two.tar")
    images = read_archive(tmp_path / "two.tar", Layout(tmp_path / "read"), HERE)
    with pytest.raises(InvalidContent, match="holds 2 images"):
        names_of(images, NAME, "two.tar")
    with pytest.raises(InvalidContent, match="does not say what its image is called"):
        names_of(images, None, "two.tar")
