"""Images of a folder, made without an engine: what a real registry has, and what is done once."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import json
import os
import platform
import shutil
import ssl
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hearth.functions.building.errors import BuildError
from hearth.functions.building.sources import SourceFolder
from hearth.functions.detection.application import Application
from hearth.functions.detection.detect import detect
from hearth.functions.imaging.image import ImageMaker, Order
from hearth.kube.certificates import renewed
from hearth.oci.errors import NoPlatform, OciError
from hearth.oci.manifests import (
    OCI_INDEX,
    Descriptor,
    Platform,
    digest_of,
    make_index,
    platform_of,
)
from hearth.oci.packing import Entry
from hearth.oci.references import Reference, parse_reference
from hearth.oci.registry import Repository, client
from hearth.pipelines import packing
from tests.component.keda.servers import program
from tests.images import Registry, TestImage, make_test_image

HERE = platform_of(platform.machine())
OTHER = Platform("linux", "arm64" if HERE.architecture == "amd64" else "amd64")


def write_wheel(folder: Path) -> str:
    """A wheel of one module and one script, so that no index is asked; returns its name."""
    name = "tiny-1.0-py3-none-any.whl"
    info = "tiny-1.0.dist-info"
    with zipfile.ZipFile(folder / name, "w") as wheel:
        wheel.writestr("tiny.py", "WORD = 'tiny'\ndef main():\n    print(WORD)\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/entry_points.txt", "[console_scripts]\ntiny = tiny:main\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "func.py").write_text("import tiny\ndef handle(request):\n    return tiny.WORD\n")
    (folder / "requirements.txt").write_text(f"./{write_wheel(folder)}\n")
    return folder


async def made(
    folder: Path,
    registry: Registry,
    tmp_path: Path,
    *platforms: Platform,
    base: str = "app:1",
    name: str = "shop:1",
    application: Application | None = None,
) -> tuple[str, list[str]]:
    """The digest of the folder's image in the registry, and what was said."""
    said: list[str] = []
    source = SourceFolder(folder)
    on, to = (
        parse_reference(each if "/" in each else f"{registry.host}/{each}") for each in (base, name)
    )
    async with client() as http:
        maker = ImageMaker(tmp_path / "builds", http, said.append)
        order = Order(source, application or detect(source), on, platforms or (HERE,), to)
        return await maker.make(order, (), ()), said


def inspected(registry: Registry, name: str, *options: str) -> dict[str, Any]:
    """What skopeo reads there."""
    command = [program("skopeo"), "inspect", "--tls-verify=false", *options]
    place = f"docker://{registry.host}/{name}"
    env = {**os.environ, "REGISTRY_AUTH_FILE": str(registry.folder / "none.json")}
    done = subprocess.run([*command, place], env=env, capture_output=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def test_another_tool_reads_what_was_pushed(
    shop: Path, image_registry: Registry, tmp_path: Path
) -> None:
    digest, _ = await made(shop, image_registry, tmp_path)
    assert image_registry.digest("shop:1") == digest
    base = inspected(image_registry, "app:1")
    image = inspected(image_registry, "shop:1")
    assert image["Layers"][: len(base["Layers"])] == base["Layers"]
    config = inspected(image_registry, "shop:1", "--config")["config"]
    assert config["Entrypoint"] == [
        "python3",
        "/runner/function.py",
        "func.py",
        "handle",
        "request",
    ]
    assert (config["WorkingDir"], config["User"]) == ("/app", "65532")
    assert "PYTHONPATH=/packages:/runner/ending" in config["Env"]


def unpacked(digest: str, blobs: Path, root: Path) -> Path:
    """What the layers hold that were put on the base, one over the other."""
    manifest = json.loads((blobs / digest.removeprefix("sha256:")).read_bytes())
    root.mkdir()
    for layer in manifest["layers"][1:]:
        packed = blobs / layer["digest"].removeprefix("sha256:")
        subprocess.run(["tar", "-xzf", packed, "--no-same-owner", "-C", root], check=True)
    return root


def plain_python(folder: Path) -> Path:
    """This Python without what its environment has."""
    python = folder / "bin" / "python3"
    python.parent.mkdir()
    python.symlink_to(Path(sys.executable).resolve())
    return python


def printed(root: Path, script: str) -> bytes:
    """What a script of the packages prints, started by this Python as the image's."""
    python = plain_python(root.parent)
    env = {"PATH": f"{python.parent}:/usr/bin:/bin", "PYTHONPATH": str(root / "packages")}
    return subprocess.check_output([root / "packages/bin" / script], env=env, cwd=root / "app")


async def test_the_image_runs(shop: Path, image_registry: Registry, tmp_path: Path) -> None:
    digest, _ = await made(shop, image_registry, tmp_path)
    root = unpacked(digest, tmp_path / "builds" / "images" / "blobs", tmp_path / "root")
    assert list((root / "packages" / "__pycache__").glob("tiny.*.pyc"))
    assert (root / "runner" / "function.py").exists()
    assert printed(root, "tiny") == b"tiny\n"
    assert (root / "runner/ending/sitecustomize.py").stat().st_mode & 0o777 == 0o644


async def test_a_pipelines_image_carries_what_its_script_imports(
    image_registry: Registry, tmp_path: Path
) -> None:
    """A function of it runs on a Python that has no Hearth."""
    folder = tmp_path / "flow"
    folder.mkdir()
    (folder / "helper.py").write_text("def double(n):\n    return 2 * n\n")
    script = "from hearth.pipelines import on\nimport helper\n@on('a:b')\ndef go(e): ...\n"
    (folder / "pipeline.py").write_text(f"{script}def work(n):\n    return helper.double(n)\n")
    source = SourceFolder(folder)
    application = packing.application(source, "pipeline.py")
    assert application is not None
    without = replace(application, dependencies=None)  # no index is asked
    digest, _ = await made(folder, image_registry, tmp_path, application=without)
    config = inspected(image_registry, "shop:1", "--config")["config"]
    assert config["Entrypoint"] == ["python3", "-m", "hearth.pipelines.sdk"]
    [path] = [each for each in config["Env"] if each.startswith("PYTHONPATH=")]
    assert path == "PYTHONPATH=/packages:/runner/ending:/runner/carried"
    root = unpacked(digest, tmp_path / "builds" / "images" / "blobs", tmp_path / "root")
    shutil.copy(folder / "pipeline.py", tmp_path / "script.py")
    assert said_by_a_function(root, tmp_path) == '{"value": 42}'


def said_by_a_function(root: Path, folder: Path) -> str:
    """What ``work(21)`` of the script in ``folder`` leaves as its pod's last words."""
    env = {"PYTHONPATH": str(root / "runner/carried"), "HEARTH_VOLUME_RUN": str(folder)}
    env |= {"HEARTH_JOB_FUNCTION": "work", "HEARTH_JOB_ARGUMENTS": "[21]"}
    env |= {"HEARTH_TERMINATION_LOG": str(folder / "said")}
    command = [str(plain_python(folder)), "-m", "hearth.pipelines.sdk", "function"]
    subprocess.run(command, env=env, cwd=root / "app", check=True)
    return (folder / "said").read_text()


async def test_one_name_for_several_architectures(
    image_registry: Registry, static_layout: TestImage, tmp_path: Path
) -> None:
    both = {HERE: static_layout, OTHER: other_image(tmp_path)}
    base = parse_reference(f"{image_registry.host}/both:1")
    async with client() as http:
        repository = Repository(http, base, actions="pull,push")
        images = []
        for on, layout in both.items():
            image_registry.push(layout, f"both:{on.architecture}")
            told = await repository.manifest(on.architecture)
            images.append((on, Descriptor(told.media_type, told.digest, len(told.content))))
        await repository.push_manifest(make_index(images), OCI_INDEX, "1")
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "index.html").write_text("<p>")
    digest, _ = await made(folder, image_registry, tmp_path, HERE, OTHER, base="both:1")
    index = inspected(image_registry, "shop:1", "--raw")
    assert {each["platform"]["architecture"] for each in index["manifests"]} == {"amd64", "arm64"}
    assert digest_of(await raw_manifest(base, "shop", digest)) == digest
    assert inspected(image_registry, f"shop@{digest}")["Os"] == "linux"


def other_image(folder: Path) -> TestImage:
    """An image for the architecture that this machine has not."""
    machine = "aarch64" if OTHER.architecture == "arm64" else "x86_64"
    return make_test_image(folder, "other", [Entry("x", b"")], machine=machine)


async def raw_manifest(beside: Reference, repository: str, digest: str) -> bytes:
    async with client() as http:
        name = parse_reference(f"{beside.domain}/{repository}@{digest}")
        return (await Repository(http, name).manifest(digest)).content


async def test_the_same_again_is_the_same_image(
    shop: Path, image_registry: Registry, tmp_path: Path
) -> None:
    """In another folder of Hearth's too; packages are installed once in each."""
    digest, said = await made(shop, image_registry, tmp_path)
    assert any("installing" in line for line in said)
    os.utime(shop / "func.py", (0, 0))
    assert await made(shop, image_registry, tmp_path) == (digest, [])
    assert (await made(shop, image_registry, tmp_path / "other"))[0] == digest
    (shop / "func.py").write_text("def handle(request): ...\n")
    changed, said = await made(shop, image_registry, tmp_path)
    assert changed != digest and said == []


async def test_an_architecture_that_the_base_has_not(
    image_registry: Registry, tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "index.html").write_text("<p>")
    with pytest.raises(NoPlatform, match=str(OTHER)):
        await made(folder, image_registry, tmp_path, HERE, OTHER)


async def test_registries_that_refuse_are_told_apart(
    shop: Path, image_registry: Registry, locked_registry: Registry, tmp_path: Path
) -> None:
    """0.0.0.0 is this machine, too, and no loopback address: TLS is spoken there."""
    refusals = [
        (locked_registry.host, "access denied", f"`docker login {locked_registry.host}`"),
        ("127.0.0.1:1", "connection refused", "--registry names another"),
        ("no.such.example", "no such host", "--registry names another"),
        (f"0.0.0.0:{image_registry.port}", "server gave HTTP response", "on loopback"),
    ]
    with tls_server(tmp_path) as port:
        refusals.append((f"0.0.0.0:{port}", "failed to verify certificate", "SSL_CERT_FILE"))
        for host, why, todo in refusals:
            with pytest.raises(OciError, match=f"(?s)^{host}/shop:1: .*{why}.*{todo}"):
                await made(shop, image_registry, tmp_path, name=f"{host}/shop:1")
    with pytest.raises(OciError, match=r"(?s)no such host.*--base names another"):
        await made(shop, image_registry, tmp_path, base="no.such.example/python:3")


@contextlib.contextmanager
def tls_server(folder: Path) -> Iterator[int]:
    """A port that answers with a certificate that nobody trusts."""
    files = renewed({}, ["0.0.0.0"], datetime.datetime.now(datetime.UTC)) or {}
    (folder / "tls.pem").write_bytes(files["server-key.pem"] + files["server-cert.pem"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.pem")
    with http.server.HTTPServer(("0.0.0.0", 0), http.server.BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


async def test_rust_for_another_machine_is_refused(
    image_registry: Registry, static_layout: TestImage, tmp_path: Path
) -> None:
    folder = tmp_path / "rust"
    (folder / "src").mkdir(parents=True)
    (folder / "Cargo.toml").write_text('[package]\nname = "shop"\n')
    (folder / "src" / "main.rs").touch()
    image_registry.push(other_image(tmp_path), "other:1")
    with pytest.raises(BuildError, match=f"Rust is compiled for {HERE} here, not for {OTHER}"):
        await made(folder, image_registry, tmp_path, OTHER, base="other:1")
