"""The image: built as a user builds it, and run as a cluster runs it: no root, nothing to write to.

No registry is needed: the base is made of this machine's Python, and dependencies come from a
folder of wheels, which pip fills from its cache where it can.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.component.image.rootfs import make_rootfs
from tests.component.test_run import cluster
from tests.ports import free_port
from tests.waiting import is_ready

ROOT = Path(__file__).resolve().parents[3]
BASE, IMAGE = "localhost/hearth-base:test", "localhost/hearth:test"
COMPILERS = {"gcc", "cc", "c++", "g++", "clang", "ld", "as", "make", "cargo", "rustc", "go"}
WAIT_SECONDS = 60

pytestmark = pytest.mark.skipif(
    not os.environ.get("HEARTH_REQUIRE_IMAGE")
    and (shutil.which("buildah") is None or shutil.which("runc") is None or os.geteuid() != 0),
    reason="needs buildah to build the image, runc to run it, and root for both",
)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class Builder:
    """buildah with a store of its own."""

    folder: Path

    def __call__(self, *arguments: str) -> str:
        store = ("--root", str(self.folder / "store"), "--runroot", str(self.folder / "run"))
        return _run("buildah", *store, "--storage-driver", "vfs", *arguments)


@dataclass(frozen=True, slots=True)
class Image:
    """A built image: its configuration, and its files as they lie on this machine."""

    config: dict[str, Any]
    root: Path


def _extras() -> list[str]:
    """Those that the Dockerfile asks for."""
    named = re.search(r"for extra in \(([^)]*)\)", (ROOT / "Dockerfile").read_text())
    assert named is not None
    return re.findall(r"[\w-]+", named[1])


def _download_wheels(folder: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = (
        *project["project"]["dependencies"],
        *(
            each
            for extra in _extras()
            for each in project["project"]["optional-dependencies"][extra]
        ),
        *project["build-system"]["requires"],
    )
    options = ("--quiet", "--only-binary", ":all:", "-c", str(ROOT / "requirements-dev.lock"))
    _run(sys.executable, "-m", "pip", "download", *options, "-d", str(folder), *needed)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    folder = tmp_path_factory.mktemp("image")
    buildah = Builder(folder)
    wheels, rootfs = folder / "wheels", folder / "rootfs"
    _download_wheels(wheels)
    make_rootfs(rootfs)
    scratch = buildah("from", "scratch")
    buildah("copy", "--quiet", scratch, str(rootfs), "/")
    buildah("commit", "--quiet", "--rm", scratch, BASE)
    arguments = (f"BASE={BASE}", "PIP_FIND_LINKS=/wheels", "PIP_NO_INDEX=1")
    options = [part for argument in arguments for part in ("--build-arg", argument)]
    mount = f"{wheels}:/wheels:ro"
    buildah("bud", "--isolation", "chroot", "-v", mount, *options, "-t", IMAGE, str(ROOT))
    container = buildah("from", "--pull-never", IMAGE)
    try:
        found = json.loads(buildah("inspect", "--type", "image", IMAGE))
        yield Image(found["OCIv1"]["config"], Path(buildah("mount", container)))
    finally:
        buildah("rm", "--all")
        shutil.rmtree(folder)


def test_it_says_what_runs_and_as_whom(image: Image) -> None:
    assert image.config["Entrypoint"] == ["hearth"]
    assert image.config["User"] == "65532:65532"


def test_there_is_no_compiler_and_no_source_in_it(image: Image) -> None:
    programs = {path.name for path in image.root.rglob("bin/*")}
    assert "python3" in programs
    assert programs & COMPILERS == set()
    assert not (image.root / "src").exists()
    assert list(image.root.glob("opt/hearth/lib/python3*/site-packages/tests")) == []


def test_nothing_has_to_be_compiled_at_a_start(image: Image) -> None:
    for module in ("local/lib/python3*/asyncio", "hearth/lib/python3*/site-packages/hearth"):
        [folder] = image.root.glob(f"*/{module}")
        sources = {path.stem for path in folder.glob("*.py")}
        compiled = {path.name.partition(".")[0] for path in folder.glob("__pycache__/*.pyc")}
        assert sources == compiled


def _bundle(image: Image, folder: Path, arguments: Sequence[str], **environment: str) -> Path:
    """What runc runs: nobody's rights, a root that cannot be written to, this machine's network."""
    variables = [*image.config["Env"], *(f"{name}={value}" for name, value in environment.items())]
    scratch = {"type": "tmpfs", "source": "tmpfs"}
    config = {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 65532, "gid": 65532},
            "args": [*image.config["Entrypoint"], *arguments],
            "env": variables,
            "cwd": image.config["WorkingDir"],
            "capabilities": {},
            "noNewPrivileges": True,
        },
        "root": {"path": str(image.root), "readonly": True},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", **scratch, "options": ["nosuid", "mode=755"]},
            {"destination": "/tmp", **scratch, "options": ["nosuid", "nodev", "mode=1777"]},
            {
                "destination": "/tmp/given",
                "type": "bind",
                "source": str(folder),
                "options": ["rbind", "ro"],
            },
        ],
        "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}]},
    }
    bundle = folder / "bundle"
    bundle.mkdir()
    (bundle / "config.json").write_text(json.dumps(config))
    return bundle


def test_the_command_is_there(image: Image, tmp_path: Path) -> None:
    bundle = _bundle(image, tmp_path, ["version"])
    said = _run("runc", "run", "--bundle", str(bundle), f"hearth-{os.getpid()}-version")
    assert said.startswith("hearth ")


async def test_control_runs_without_rights_and_ends_in_order(image: Image, tmp_path: Path) -> None:
    name = f"hearth-{os.getpid()}-control"
    async with cluster(tmp_path / "cluster") as (server, _):
        given = tmp_path / "given"
        given.mkdir(mode=0o755)
        (given / "kubeconfig").write_text(server.kubeconfig.read_text())
        ports = {part: str(free_port()) for part in ("METRICS", "HEALTH", "STATS", "WEBHOOK")}
        bundle = _bundle(
            image,
            given,
            ["run", "control"],
            KUBECONFIG="/tmp/given/kubeconfig",
            POD_NAME="control-0",
            POD_IP="127.0.0.1",
            HEARTH_HOST="127.0.0.1",
            HEARTH_CONTROL_HOST="127.0.0.1",
            HEARTH_EVENTING_WEBHOOK_PORT=str(free_port()),
            HEARTH_DRAIN_DELAY_SECONDS="0",
            **{f"HEARTH_{part}_PORT": port for part, port in ports.items()},
        )
        with (tmp_path / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *("runc", "run", "--bundle", str(bundle), name),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log,
            )
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not await is_ready(int(ports["HEALTH"])):
                    assert process.returncode is None, (tmp_path / "log").read_text()
                    await asyncio.sleep(0.05)
            _run("runc", "kill", name, "TERM")
            async with asyncio.timeout(WAIT_SECONDS):
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                _run("runc", "delete", "--force", name)
            await process.wait()
