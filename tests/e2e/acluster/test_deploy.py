"""`hearth deploy` and `hearth func` against a cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.acluster.cluster import BASE, KUBECONFIG, REGISTRY, ask, deploy, hearth, kubectl
from tests.e2e.support import hearth_command, wait_until

NAME = f"shop-{os.getpid()}"
FLASK = (
    "import flask\napp = flask.Flask(__name__)\n@app.get('/')\n"
    "def index():\n    print('asked', flush=True)\n    return '{word}'\n"
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cluster") / NAME
    folder.mkdir()
    (folder / "requirements.txt").write_text("flask\n")
    (folder / "app.py").write_text(FLASK.format(word="one"))
    yield folder
    hearth_command("delete", NAME, "--kubeconfig", KUBECONFIG, check=False)


def test_a_folder_gets_a_url(shop: Path, gateway: str) -> None:
    said = deploy(shop).splitlines()
    assert any(line.endswith(f"{NAME}-00001 serves 100% of the requests") for line in said)
    assert said[-1].startswith("http")
    assert ask(gateway, NAME) == "one"
    [container] = kubectl("get", "ksvc", NAME)["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith(f"{REGISTRY}/{NAME}@sha256:")
    assert "no new revision" in deploy(shop)


def test_a_canary_on_and_back(shop: Path, gateway: str) -> None:
    (shop / "app.py").write_text(FLASK.format(word="two"))
    assert f"{NAME}-00002 serves 10%" in deploy(shop, "--to", "10%")
    assert ask(gateway, f"candidate/{NAME}") == "two"
    assert f" 50%  {NAME}-00002" in hearth("rollout", NAME, "50%")
    assert hearth("rollout", NAME, "promote").split()[-2:] == ["100%", f"{NAME}-00002"]
    assert ask(gateway, NAME) == "two"
    assert hearth("rollback", NAME).split()[-2:] == ["100%", f"{NAME}-00001"]
    assert ask(gateway, NAME) == "one"


def test_it_is_described_and_its_logs_are_read(shop: Path, gateway: str) -> None:
    ask(gateway, NAME)
    said = hearth("describe", NAME)
    assert f"100%  {NAME}-00001" in said
    assert "ready\n" in said
    assert "asked" in hearth("logs", NAME)


def test_what_cannot_be_changes_nothing(shop: Path, gateway: str) -> None:
    before = kubectl("get", "ksvc", NAME)["spec"]
    (shop / "app.py").write_text("raise SystemExit('no database')\n" + FLASK)
    words = ("deploy", str(shop), "--base", BASE)
    assert "--registry HOST/PATH" in hearth(*words, check=False)
    refused = hearth(*words, "--registry", "127.0.0.1:1/me", check=False)
    assert "connection refused\n--registry names another" in refused
    assert kubectl("get", "ksvc", NAME)["spec"] == before
    said = hearth(*words, "--registry", REGISTRY, check=False)
    assert f"Error: {NAME} does not serve" in said
    assert "  no database" in said.splitlines()
    assert ask(gateway, NAME) == "one"


def test_a_function_gets_its_events(tmp_path: Path) -> None:
    folder = tmp_path / f"mail-{os.getpid()}"
    hearth_command("func", "create", str(folder), "-t", "cloudevents")
    (folder / "hearth.toml").write_text(f'base = "{BASE}"\n')
    hearth("func", "deploy", "--path", str(folder), "--registry", REGISTRY)
    try:
        assert '"message": "OK"' in hearth("func", "invoke", "--path", str(folder), "-t", "remote")
        assert folder.name in hearth("func", "list")
        assert "boson.fn of /boson/fn" in hearth("func", "logs", folder.name)
    finally:
        hearth("func", "delete", folder.name)


def test_it_is_deleted_and_its_pods_end_soon(shop: Path, gateway: str) -> None:
    ask(gateway, NAME)
    began = time.monotonic()
    assert hearth("delete", NAME) == f"Deleted {NAME} from namespace default.\n"
    selector = f"serving.knative.dev/service={NAME}"
    wait_until(
        lambda: not kubectl("get", "pods", "-l", selector)["items"], seconds=60, what="their end"
    )
    assert time.monotonic() - began < 60
