"""``hearth build``: what is recognised, and that it runs."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.node.images.build import build, tree_digest
from hearth.cluster.node.images.detect import BuildError, detect
from hearth.cluster.node.images.store import ImageSpec, ImageStore
from tests.ports import free_port


def folder(tmp_path: Path, **files: str) -> Path:
    place = tmp_path / "app"
    place.mkdir()
    for name, text in files.items():
        (place / name.replace("__", ".")).write_text(text)
    return place


@pytest.mark.parametrize(
    ("files", "kind", "command"),
    [
        ({"Procfile": "web: ./serve --fast\n"}, "procfile", ("./serve", "--fast")),
        (
            {"Procfile": "release: x\nweb: gunicorn -b :$PORT app:app\n"},
            "procfile",
            ("/bin/sh", "-c", "exec gunicorn -b :$PORT app:app"),
        ),
        ({"main__py": ""}, "python", ("python", "main.py")),
        ({"app__py": "", "server__py": ""}, "python", ("python", "app.py")),
        ({"package__json": '{"scripts": {"start": "node s.js"}}'}, "node", ("node", "s.js")),
        (
            {"package__json": '{"scripts": {"start": "next start"}}'},
            "node",
            ("npm", "start", "--silent"),
        ),
        ({"package__json": "{}", "index__js": ""}, "node", ("node", "index.js")),
        (
            {"pyproject__toml": '[project]\nname="a"\nscripts={serve="a:main"}'},
            "python",
            ("serve",),
        ),
    ],
)
def test_detection(
    tmp_path: Path, files: dict[str, str], kind: str, command: tuple[str, ...]
) -> None:
    found = detect(folder(tmp_path, **files))
    assert (found.kind, found.command) == (kind, command)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "add a Procfile"),
        ({"Procfile": "worker: x"}, "no line `web: COMMAND`"),
        ({"requirements__txt": ""}, "without an entry"),
        ({"package__json": "{}"}, "neither a start script nor a main file"),
        ({"package__json": "{"}, "package.json"),
        ({"func__py": "x = 1"}, "neither handle"),
        ({"func__py": "def"}, "line 1"),
    ],
)
def test_what_is_not_recognised(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(BuildError, match=message):
        detect(folder(tmp_path, **files))


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    place = folder(tmp_path, main__py="print(1)")
    first = tree_digest(place)
    (place / "__pycache__").mkdir()
    (place / "__pycache__" / "x.pyc").write_text("")
    assert tree_digest(place) == first
    (place / "main.py").write_text("print(2)")
    assert tree_digest(place) != first


def made(place: Path, tmp_path: Path) -> ImageSpec:
    store = ImageStore(tmp_path / "data")
    return build(place, "app", store, builds=tmp_path / "builds", say=lambda _: None)


def test_requirements_get_a_venv_of_their_own(tmp_path: Path) -> None:
    """An empty list keeps the test off the network; the venv is made all the same, once."""
    place = folder(tmp_path, main__py="import sys; print(sys.prefix)", requirements__txt="# none\n")
    image = made(place, tmp_path)
    output = subprocess.run(image.entrypoint, cwd=place, capture_output=True, text=True, check=True)
    venv = Path(output.stdout.strip())
    assert venv.parent == tmp_path / "builds"
    assert made(place, tmp_path).entrypoint == image.entrypoint
    assert len(list((tmp_path / "builds").iterdir())) == 1


async def ask(port: int, request: bytes) -> bytes:
    async with asyncio.timeout(10):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                break
            except OSError:
                await asyncio.sleep(0.01)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        return answer


def launched(image: ImageSpec, **env: str) -> tuple[subprocess.Popen[bytes], int]:
    port = free_port()
    full = {"PATH": os.environ["PATH"], "PORT": str(port), **image.env, **env}
    command = image.command_line((), ())
    return subprocess.Popen(command, env=full, cwd=image.workdir or "/"), port


async def test_a_function_is_served(tmp_path: Path) -> None:
    function = "def handle(r):\n    return {'method': r.method, 'event': r.event}\n"
    place = folder(tmp_path, func__py=function)
    process, port = launched(made(place, tmp_path))
    try:
        request = (
            b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n"
            b"ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: t\r\n\r\n7"
        )
        answer = await ask(port, request)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        event: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
        assert json.loads(body) == {"method": "POST", "event": event | {"data": "7"}}
    finally:
        process.terminate()
        assert process.wait(10) == 0


async def test_a_node_application(tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("there is no Node.js on this machine")
    place = folder(
        tmp_path,
        package__json='{"scripts": {"start": "node s.js"}}',
        s__js="require('http').createServer((q, r) => r.end('hi')).listen(process.env.PORT)",
    )
    process, port = launched(made(place, tmp_path), PATH=os.environ["PATH"])
    try:
        answer = await ask(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")
    finally:
        process.terminate()
        process.wait(10)


def test_a_python_application_runs_with_this_python(tmp_path: Path) -> None:
    image = made(folder(tmp_path, main__py=""), tmp_path)
    assert image.entrypoint == (sys.executable, "main.py")
