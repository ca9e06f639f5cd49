"""``hearth build``: what is recognised, and that it runs."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hearth.functions.building.build import Built, build
from hearth.functions.building.builds import building, remove_unused
from hearth.functions.building.environments import compiled_packages, node_install
from hearth.functions.building.errors import BuildError
from hearth.functions.building.sources import SourceFolder
from hearth.functions.detection.application import Dependencies, DetectionError
from hearth.functions.detection.detect import detect
from tests.ports import free_port


def folder(tmp_path: Path, **files: str) -> Path:
    place = tmp_path / "app"
    place.mkdir()
    for name, text in files.items():
        (place / name.replace("__", ".")).write_text(text)
    return place


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    place = folder(tmp_path, main__py="print(1)")
    first = SourceFolder(place).digest
    (place / "__pycache__").mkdir()
    (place / "__pycache__" / "x.pyc").write_text("")
    assert SourceFolder(place).digest == first
    (place / "main.py").write_text("print(2)")
    assert SourceFolder(place).digest != first


def test_what_does_not_count_is_named_in_a_file(tmp_path: Path) -> None:
    place = folder(tmp_path, main__py="", notes__txt="", data__bin="")
    (place / ".hearthignore").write_text("*.txt\n!keep.txt\n")
    (place / "keep.txt").write_text("")
    assert SourceFolder(place).paths == {"main.py", "data.bin", "keep.txt", ".hearthignore"}


def test_a_single_file_goes_with_its_requirements(tmp_path: Path) -> None:
    place = folder(tmp_path, hello__py="", other__py="", requirements__txt="")
    assert SourceFolder(place, only="hello.py").paths == {"hello.py", "requirements.txt"}


def test_what_is_no_folder_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(DetectionError, match="is not a folder"):
        SourceFolder(tmp_path / "nowhere")
    (tmp_path / "main.py").write_bytes(b"\xff\xfe")
    with pytest.raises(DetectionError, match="cannot be read"):
        SourceFolder(tmp_path).text("main.py")


def made(place: Path, tmp_path: Path) -> Built:
    source = SourceFolder(place)
    return build(source, detect(source), builds=tmp_path / "builds", say=lambda _: None)


def test_requirements_get_a_venv_of_their_own(tmp_path: Path) -> None:
    """An empty list keeps the test off the network; the venv is made all the same, once."""
    place = folder(tmp_path, main__py="import sys; print(sys.prefix)", requirements__txt="# none\n")
    built = made(place, tmp_path)
    output = subprocess.run(built.command, cwd=place, capture_output=True, text=True, check=True)
    venv = Path(output.stdout.strip())
    assert venv.parent == tmp_path / "builds"
    assert made(place, tmp_path) == built
    assert len(list((tmp_path / "builds").glob("python-*"))) == 1


def test_a_revision_keeps_what_it_was_made_of(tmp_path: Path) -> None:
    place = folder(tmp_path, main__py="print(1)")
    first = made(place, tmp_path)
    (place / "main.py").write_text("print(2)")
    second = made(place, tmp_path)
    for built, said in ((first, b"1\n"), (second, b"2\n")):
        assert subprocess.check_output(built.command, cwd=built.folder) == said


def test_what_was_left_half_made_is_made_anew(tmp_path: Path) -> None:
    place = folder(tmp_path, main__py="", requirements__txt="# none\n")
    built = made(place, tmp_path)
    for done in (tmp_path / "builds").glob("*/.complete"):
        done.unlink()
    (built.folder / "main.py").unlink()
    assert made(place, tmp_path) == built
    assert (built.folder / "main.py").exists()


def test_a_tool_that_fails_has_the_last_word(tmp_path: Path) -> None:
    place = folder(tmp_path, main__py="", requirements__txt="-r missing.txt\n")
    with pytest.raises(BuildError, match=r"(?s)pip.* failed with code .*missing.txt"):
        made(place, tmp_path)


def test_the_port_is_told_without_a_shell(tmp_path: Path) -> None:
    place = folder(tmp_path, Procfile="web: sleep $PORT :${PORT}\n")
    assert made(place, tmp_path).command == ("sleep", "$(PORT)", ":$(PORT)")


def test_a_dockerfile_takes_an_engine(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="hearth deploy` builds it"):
        made(folder(tmp_path, Dockerfile="FROM scratch"), tmp_path)


async def ask(port: int, request: bytes) -> bytes:
    async with asyncio.timeout(60):
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


def launched(built: Built, **env: str) -> tuple[subprocess.Popen[bytes], int]:
    port = free_port()
    full = {"PATH": os.environ["PATH"], "PORT": str(port), **built.env, **env}
    command = [word.replace("$(PORT)", str(port)) for word in built.command]
    return subprocess.Popen(command, env=full, cwd=built.folder), port


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
    assert made(folder(tmp_path, main__py=""), tmp_path).command == (sys.executable, "main.py")


async def test_a_static_site(tmp_path: Path) -> None:
    """Its files, and nothing that begins with a dot, lists a folder or lies outside."""
    place = folder(tmp_path, index__html="<p>hi", secret__env="x")
    (place / "secret.env").rename(place / ".env")
    (place / "empty").mkdir()
    (place / "empty" / "x").write_text("")
    process, port = launched(made(place, tmp_path))
    try:
        for path, says in (
            ("/", b"200"),
            ("/.env", b"404"),
            ("/%2eenv", b"404"),
            ("/empty/", b"404"),
            ("/../app/index.html", b"404"),
        ):
            request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            assert (await ask(port, request.encode())).split()[1] == says, path
    finally:
        process.terminate()
        assert process.wait(10) == 0


def test_what_no_image_names_is_removed(tmp_path: Path) -> None:
    """The copy and the packages that one does name stay."""
    builds = tmp_path / "builds"
    old = made(folder(tmp_path, main__py="1", requirements__txt="# none\n"), tmp_path)
    (tmp_path / "app" / "main.py").write_text("2")
    new = made(tmp_path / "app", tmp_path)
    (builds / "images").mkdir()
    assert remove_unused(builds, [str(new.folder), *new.command, *new.env.values()]) == 8
    assert not old.folder.exists() and not (builds / "images").exists()
    assert new.folder.exists() and Path(new.env["VIRTUAL_ENV"]).exists()
    assert remove_unused(builds, []) > 8
    assert [each.name for each in builds.iterdir()] == ["lock"]
    assert remove_unused(tmp_path / "nowhere", []) == 0


def test_builds_wait_for_each_other(tmp_path: Path) -> None:
    def taken() -> None:
        with (tmp_path / "lock").open() as other:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)

    with building(tmp_path), pytest.raises(BlockingIOError):
        taken()
    taken()


def test_npm_installs_for_another_machine_what_comes_compiled(tmp_path: Path) -> None:
    needs = Dependencies("npm", "package.json")
    assert "--cpu=arm64" in node_install(needs, ["package-lock.json"], "arm64")
    with pytest.raises(BuildError, match="yarn installs for this machine alone"):
        node_install(Dependencies("yarn", "package.json"), [], "arm64")
    for path in ("plain/x", "sharp/prebuilds/x", "sharp/binding.gyp", "@a/b/binding.gyp"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert compiled_packages(tmp_path) == ["@a/b"]
