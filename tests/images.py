"""Images for tests, made from nothing, and a registry on this machine to keep them in.

``static_image`` holds one static program (``program.c``, which says what it does), ``python_image``
this machine's Python and a shell. Both are OCI layouts, packed by our own code.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hearth.oci.manifests import ImageConfig, make_index, platform_of
from hearth.oci.packing import Entry, Layout, entries_of, make_image
from tests.component.image.rootfs import make_rootfs
from tests.component.keda.servers import listening, missing, process, program
from tests.ports import free_port

_PASSWD = b"root:x:0:0::/root:/program\napp:x:1234:2345::/home/app:/program\n"
_GROUP = b"root:x:0:\napp:x:2345:\nmore:x:3456:app\n"
USER, PASSWORD = "tester", "secret"
_HTPASSWD = f"{USER}:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"
"""Bcrypt, which is all that docker-registry takes."""


@dataclass(frozen=True, slots=True)
class TestImage:
    """An image in a layout of its own; ``digest`` names its manifest."""

    __test__ = False
    layout: Path
    digest: str

    def archive(self) -> Path:
        """The layout as one file, for ``podman load``."""
        path = self.layout.with_suffix(".tar")
        if not path.exists():
            Layout(self.layout).write_archive(path)
        return path


def make_test_image(
    folder: Path, name: str, *layers: Iterable[Entry], machine: str = "", **config: Any
) -> TestImage:
    """An image of these layers in ``folder/name``; ``config`` are fields of ImageConfig."""
    layout = Layout(folder / name)
    on = platform_of(machine or platform.machine())
    made = make_image(layout, layers, ImageConfig(on, **config))
    layout.write_index(make_index([(on, made)], tag="latest"))
    return TestImage(layout.folder, made.digest)


@functools.cache
def compiled_program() -> bytes:
    """``program.c``, compiled; skips the test where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        missing("there is no cc here: what runs images was not tested")
    source = Path(__file__).with_name("program.c")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "program"
        command = [compiler, "-O1", "-static", "-s", "-o", str(out), str(source), "-lpthread"]
        subprocess.run(command, check=True)
        return out.read_bytes()


def static_entries() -> list[Entry]:
    """A root filesystem of one program."""
    return [
        Entry("program", compiled_program()),
        Entry("etc/passwd", _PASSWD, 0o644),
        Entry("etc/group", _GROUP, 0o644),
        Entry("home/app", None, 0o755, 1234, 2345),
        Entry("tmp", None, 0o1777),
    ]


def static_image(folder: Path, name: str = "static", **config: Any) -> TestImage:
    """One static program, as ``/program``; by itself it serves HTTP."""
    said = {"entrypoint": ("/program",), "cmd": ("serve",), "env": {"PATH": "/", "OF": "image"}}
    return make_test_image(folder, name, static_entries(), **{**said, **config})


def python_image(folder: Path, name: str = "python", **config: Any) -> TestImage:
    """This machine's Python (/usr/local/bin/python3) and /bin/sh; some seconds to make."""
    with tempfile.TemporaryDirectory() as root:
        make_rootfs(Path(root))
        entries = [*entries_of(Path(root)), Entry("tmp", None, 0o1777)]
        said = {"cmd": ("python3",), "env": {"PATH": "/usr/local/bin:/usr/bin:/bin"}}
        return make_test_image(folder, name, entries, **{**said, **config})


@dataclass(frozen=True, slots=True)
class Registry:
    """A docker-registry on loopback, with or without a password; images lie in ``folder``."""

    port: int
    folder: Path
    has_password: bool = False

    @property
    def host(self) -> str:
        """What names of its images begin with."""
        return f"127.0.0.1:{self.port}"

    def push(self, image: TestImage, name: str) -> str:
        """Puts an image there as ``name`` (``app:1``); returns its full name."""
        login = ["--dest-creds", f"{USER}:{PASSWORD}"] if self.has_password else []
        options = ["--insecure-policy", "copy", "-q", "--dest-tls-verify=false", *login]
        places = [f"oci:{image.layout}:latest", f"docker://{self.host}/{name}"]
        env = {**os.environ, "REGISTRY_AUTH_FILE": str(self.folder / "none.json")}
        subprocess.run([program("skopeo"), *options, *places], env=env, check=True)
        return f"{self.host}/{name}"

    def digest(self, name: str) -> str:
        """That of an image there, as skopeo finds it; it reads manifest and config."""
        login = ["--creds", f"{USER}:{PASSWORD}"] if self.has_password else []
        options = ["inspect", "--tls-verify=false", *login, f"docker://{self.host}/{name}"]
        env = {**os.environ, "REGISTRY_AUTH_FILE": str(self.folder / "none.json")}
        said = subprocess.run(
            [program("skopeo"), *options], env=env, capture_output=True, check=True
        )
        return str(json.loads(said.stdout)["Digest"])


@contextlib.contextmanager
def registry(folder: Path, *, has_password: bool = False, auth: str = "") -> Iterator[Registry]:
    """A registry for as long as the context is; ``auth`` is YAML in the place of a password."""
    port = free_port()
    store = folder / f"registry-{port}"
    store.mkdir()
    (store / "htpasswd").write_text(_HTPASSWD)
    if has_password:
        auth = f"auth: {{htpasswd: {{realm: tests, path: {store}/htpasswd}}}}\n"
    settings = store / "config.yml"
    settings.write_text(
        f"version: 0.1\nlog: {{accesslog: {{disabled: true}}, level: error}}\n{auth}"
        f"storage: {{filesystem: {{rootdirectory: {store}/data}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    command = [program("docker-registry"), "serve", settings]
    env = {"OTEL_TRACES_EXPORTER": "none"}
    with process(*command, ready=listening(port), folder=store, env=env):
        yield Registry(port, store / "data", has_password)


def write_credential_helper(folder: Path, registry: Registry) -> dict[str, str]:
    """A docker config with a helper that knows the registry's password: the variables for both."""
    helper = folder / "docker-credential-tests"
    said = json.dumps({"Username": USER, "Secret": PASSWORD})
    helper.write_text(f"#!/bin/sh\nread server; [ $server = {registry.host} ] && echo '{said}'\n")
    helper.chmod(0o755)
    (folder / "config.json").write_text(json.dumps({"credHelpers": {registry.host: "tests"}}))
    return {"DOCKER_CONFIG": str(folder), "PATH": f"{folder}:{os.environ['PATH']}"}


def is_root() -> bool:
    """Whether this process may do what containers need."""
    return os.geteuid() == 0
