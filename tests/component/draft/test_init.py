"""`hearth init`: the files it writes, the packs it reads, the images that come of them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from hearth.cli import main
from hearth.cli.draft import initing
from hearth.cli.draft.kinds import Kinds
from hearth.cli.errors import UserError
from tests.component.keda.servers import program
from tests.gitrepository import committed
from tests.images import is_root

HELM = Path(__file__).parents[1] / "install" / "helm.py"
FLASK = "from flask import Flask\napp = Flask(__name__)\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "app.py").write_text(FLASK)
    (folder / "requirements.txt").write_text("flask\n")
    return folder


def init(*arguments: str) -> Result:
    return CliRunner().invoke(main.app, ["init", *arguments])


def refusal(*arguments: str) -> str:
    result = init(*arguments)
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


def names(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_gets_what_it_takes(shop: Path) -> None:
    done = init(str(shop), "--variable", "IMAGE=ghcr.io/me/shop:1", "--variable", "PORT=9000")
    assert done.exit_code == 0
    assert "template python of hearth" in done.stdout
    assert f"docker build -t ghcr.io/me/shop:1 {shop}" in done.stdout
    assert names(shop) == {"app.py", "requirements.txt", "Dockerfile", ".dockerignore",
                           "service.yaml"}  # fmt: skip
    assert "PORT=9000" in (shop / "Dockerfile").read_text()
    service = yaml.safe_load((shop / "service.yaml").read_text())
    assert service["metadata"]["name"] == "shop"
    [container] = service["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["ports"]) == (
        "ghcr.io/me/shop:1",
        [{"containerPort": 9000}],
    )


def test_nothing_is_written_over(shop: Path) -> None:
    (shop / "Dockerfile").write_text("FROM mine\n")
    before = names(shop)
    assert "has Dockerfile already, which would change" in refusal(str(shop))
    assert names(shop) == before
    assert init(str(shop), "--force").exit_code == 0
    assert (shop / "Dockerfile").read_text() != "FROM mine\n"
    assert init(str(shop)).exit_code == 0  # the same again


def test_a_dry_run_writes_nothing(shop: Path) -> None:
    before = names(shop)
    assert "--- Dockerfile\nFROM python:" in init(str(shop), "--dry-run").stdout
    shown = json.loads(init(str(shop), "--dry-run", "-o", "json").stdout)
    assert shown["template"] == "python"
    assert shown["variables"]["COMMAND"].startswith("python -m waitress")
    assert set(shown["files"]) == {"Dockerfile", ".dockerignore", "service.yaml"}
    assert names(shop) == before


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--helm", {"out/Chart.yaml", "out/templates/ksvc-shop.yaml", "out/values.yaml"}),
        ("--kustomize", {"out/base/ksvc-shop.yaml", "out/overlays/production/kustomization.yaml"}),
        ("--manifests", {"out"}),
    ],
)
def test_other_forms_of_the_service(shop: Path, option: str, expected: set[str]) -> None:
    assert init(str(shop), option, "out").exit_code == 0
    assert expected <= names(shop)
    assert "service.yaml" not in names(shop)


def test_what_cannot_be_is_said(shop: Path) -> None:
    assert "has no variable COLOUR; it has PORT, VERSION" in refusal(
        str(shop), "--variable", "COLOUR=red"
    )
    assert "VERSION is '2', which does not fit" in refusal(str(shop), "--variable", "VERSION=2")
    assert "leaves the folder" in refusal(str(shop), "--manifests", "../service.yaml")
    assert "is not a folder" in refusal(str(shop / "nothing"))
    (shop / "app.py").unlink()
    (shop / "func.py").write_text("def handle(request): ...\n")
    assert "Hearth's own runner calls it" in refusal(str(shop))


def test_it_asks_on_a_terminal_for_what_no_flag_says(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, str] = {}

    def prompt(text: str, *, default: str, type: object) -> str:
        name = text.split()[0]
        asked[name] = default
        return {"PORT": "8088"}.get(name, default)

    class Terminal:
        @staticmethod
        def isatty() -> bool:
            return True

    class System:
        stdin = stdout = Terminal

    monkeypatch.setattr(typer, "prompt", prompt)
    monkeypatch.setattr(initing, "sys", System)
    assert init(str(shop), "--variable", "NAME=front").exit_code == 0
    assert asked["INSTALL"] == "pip install --no-cache-dir -r requirements.txt waitress"
    assert "NAME" not in asked
    assert "PORT=8088" in (shop / "Dockerfile").read_text()
    service = (shop / "service.yaml").read_text()
    assert "name: front" in service and "image: registry.example.com/front:0.1.0" in service


def test_the_chart_is_one_that_helm_takes(shop: Path) -> None:
    init(str(shop), "--helm", "chart", "--variable", "IMAGE=ghcr.io/me/shop:1")
    given = [{}, {"shop": {"minScale": 1, "concurrency": 5, "resources": None}}]
    done = subprocess.run(
        [sys.executable, str(HELM), str(shop / "chart")],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert [each for each in answer["lint"]["messages"] if each["severity"] > 1] == []
    plain, changed = (each["objects"][0] for each in answer["answers"])
    kinds = Kinds()
    assert (kinds.answer(plain, "x").refusals, kinds.answer(changed, "x").refusals) == ([], [])
    assert plain["spec"]["template"]["spec"]["containers"][0]["image"] == "ghcr.io/me/shop:1"
    assert changed["spec"]["template"]["spec"]["containerConcurrency"] == 5
    assert "resources" not in changed["spec"]["template"]["spec"]["containers"][0]


# -- packs -----------------------------------------------------------------------------------------

SAYS = """\
about: Ours.
order: 1
detect: [{files: [app.py]}]
variables: {PORT: {default: "80"}, TEAM: {}}
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack" / "ours"
    folder.mkdir(parents=True)
    (folder / "template.yaml").write_text(SAYS)
    (folder / "Dockerfile").write_text("FROM ours/{{TEAM}}:1\nENV PORT={{PORT}}\n")
    (folder / "k8s").mkdir()
    (folder / "k8s" / "deploy.yaml").write_text("team: {{TEAM}}\n")
    return folder.parent


def test_a_pack_goes_before_our_own(shop: Path, pack: Path) -> None:
    assert "needs a value: --variable TEAM=VALUE" in refusal(str(shop), "--pack", str(pack))
    done = init(str(shop), "--pack", str(pack), "--variable", "TEAM=blue")
    assert "these fit as well: python" in done.stdout
    assert (shop / "Dockerfile").read_text() == "FROM ours/blue:1\nENV PORT=80\n"
    assert "service.yaml" not in names(shop)  # it has objects of its own
    assert (shop / "k8s" / "deploy.yaml").read_text() == "team: blue\n"
    assert "ours" in init("--list", "--pack", str(pack)).stdout


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
def test_a_repository_is_read_at_a_commit(shop: Path, pack: Path) -> None:
    first = committed(pack)
    (pack / "ours" / "Dockerfile").write_text("FROM second\n")
    second = committed(pack)
    url = f"file://{pack}"
    newest = json.loads(init("--list", "--pack", url, "-o", "json").stdout)[0]
    assert newest["pack"] == f"{url}@{second}"
    arguments = (str(shop), "--pack", f"{url}@{first}", "--variable", "TEAM=red", "--dry-run")
    assert "FROM ours/red:1" in init(*arguments).stdout
    assert "git could not read" in refusal("--list", "--pack", f"file://{pack}/nothing")
    assert "git could not read" in refusal("--list", "--pack", f"{url}@{'0' * 40}")
    assert "git could not read" in refusal("--list", "--pack", f"{url}#no-such-branch")


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
def test_links_and_bad_templates_hurt_themselves_only(pack: Path) -> None:
    bad = pack / "bad"
    bad.mkdir()
    (bad / "template.yaml").write_text("about: x\n")
    (bad / "passwd").symlink_to("/etc/passwd")
    wrong = pack / "wrong"
    wrong.mkdir()
    (wrong / "template.yaml").write_text("abuot: x\n")
    committed(pack)
    for place in (str(pack), f"file://{pack}"):
        done = init("--list", "--pack", place)
        assert done.exit_code == 0
        assert "left out: it has a link" in done.stderr
        assert "abuot: Extra inputs" in done.stderr
        assert "ours" in done.stdout
        assert "root:" not in done.output
    (pack / "ours" / "template.yaml").unlink()
    shutil.rmtree(bad)
    shutil.rmtree(wrong)
    assert "has no template" in refusal("--list", "--pack", str(pack))
    assert "there is no pack ext::sh" in refusal("--list", "--pack", "ext::sh -c touch% x")


# -- images ----------------------------------------------------------------------------------------

BASE = "localhost/hearth-draft-base"
STUB = "#!/bin/sh\nmkdir -p node_modules; test \"$*\" != '-m venv /venv' || mkdir -p /venv/bin\n"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image with a shell, on which tools do next to nothing: no registry is asked for bases."""
    if not is_root():
        pytest.skip("no root: Dockerfiles are only looked at")
    program("buildah"), program("busybox")
    root = tmp_path_factory.mktemp("root")
    (root / "bin").mkdir()
    shutil.copy(program("busybox"), root / "bin" / "busybox")
    for each in ("sh", "mkdir", "true", "test"):
        (root / "bin" / each).symlink_to("/bin/busybox")
    for each in ("python", "pip", "npm"):
        (root / "bin" / each).write_text(STUB)
        (root / "bin" / each).chmod(0o755)
    container = buildah("from", "scratch")
    buildah("copy", "--quiet", container, str(root), "/")
    buildah("commit", "--quiet", "--rm", container, BASE)
    yield BASE
    buildah("rmi", "--force", BASE)


def buildah(*arguments: str) -> str:
    done = subprocess.run(["buildah", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_an_image_comes_of_it(base: str, shop: Path, language: str) -> None:
    if language == "javascript":
        (shop / "app.py").unlink()
        (shop / "requirements.txt").unlink()
        (shop / "package.json").write_text('{"scripts": {"start": "node a.js"}}')
    init(str(shop))
    text = (shop / "Dockerfile").read_text()
    (shop / "Dockerfile").write_text(re.sub(r"(?m)^FROM \S+", f"FROM {base}", text))
    image = buildah("build", "--isolation", "chroot", "--pull-never", "--quiet", str(shop))
    try:
        config = json.loads(buildah("inspect", "--type", "image", image))["OCIv1"]["config"]
    finally:
        buildah("rmi", "--force", image)
    assert config["User"] == "65532:65532"
    assert "PORT=8080" in config["Env"]
    start = {"python": "exec python -m waitress", "javascript": "exec node a.js"}[language]
    assert config["Cmd"][-1].startswith(start)
