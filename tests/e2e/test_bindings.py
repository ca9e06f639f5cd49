"""Services get what they need to reach others, by ServiceBindings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.component.keda import databases, servers
from tests.e2e.support import Hearth, hearth_command, wait_until

FUNCTION = """
import os
from pathlib import Path

def handle(request):
    root = Path(os.environ.get("SERVICE_BINDING_ROOT", "/nowhere"))
    files = {str(p.relative_to(root)): p.read_text() for p in sorted(root.glob("*/[a-z]*"))}
    names = ("DB_HOST", "DATABASE_URL", "REDIS_URL")
    return {"files": files, "env": {n: os.environ[n] for n in names if n in os.environ}}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an application that tells what it was given."""
    folder = tmp_path_factory.mktemp("bind") / "shop"
    folder.mkdir()
    (folder / "func.py").write_text(FUNCTION)
    return folder


def given(hearth: Hearth, service: str = "shop") -> Any:
    answer = hearth.request(service)
    assert answer.status == 200, answer
    return json.loads(answer.body)


def revisions(hearth: Hearth, service: str = "shop") -> int:
    mine = f"serving.knative.dev/service={service}"
    return len(hearth.get_json("revisions", "-l", mine)["items"])


def a_binding(service: str, **spec: Any) -> dict[str, Any]:
    workload = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": service}
    secret = {"apiVersion": "v1", "kind": "Secret", "name": "creds"}
    return {
        "apiVersion": "servicebinding.io/v1",
        "kind": "ServiceBinding",
        "metadata": {"name": f"{service}-db", "namespace": "default"},
        "spec": {"name": "db", "service": secret, "workload": workload, **spec},
    }


def is_bound(hearth: Hearth, service: str = "shop") -> bool:
    found = hearth.get_json("servicebinding", f"{service}-db").get("status") or {}
    ready = {each["type"]: each["status"] for each in found.get("conditions") or ()}
    return ready.get("Ready") == "True"


@pytest.mark.kubectl
def test_a_service_that_runs_gets_one_revision_with_all_it_needs(
    hearth: Hearth, shop: Path
) -> None:
    hearth.run("deploy", str(shop))
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "creds", "namespace": "default"},
        "stringData": {"type": "postgresql", "host": "db.example.com"},
    }
    env = [{"name": "DB_HOST", "key": "host"}]
    hearth.apply(secret, a_binding("shop", type="mine", env=env))
    wait_until(lambda: is_bound(hearth), what="the binding")
    wait_until(lambda: given(hearth)["env"] == {"DB_HOST": "db.example.com"}, what="the revision")
    files = given(hearth)["files"]
    if files:  # where processes can have mounts
        assert files == {"db/host": "db.example.com", "db/type": "mine"}
    assert revisions(hearth) == 2
    hearth.run("deploy", str(shop))
    assert revisions(hearth) == 2, "deployed again it stays as it is"


@pytest.mark.kubectl
def test_a_service_that_comes_later_is_bound_from_its_first_revision(
    hearth: Hearth, shop: Path
) -> None:
    hearth.apply(a_binding("late", env=[{"name": "DB_HOST", "key": "host"}]))
    hearth.run("deploy", str(shop), "--service", "late")
    assert given(hearth, "late")["env"] == {"DB_HOST": "db.example.com"}
    assert revisions(hearth, "late") == 1


@pytest.mark.kubectl
def test_without_the_binding_a_service_is_as_it_was(hearth: Hearth) -> None:
    hearth.kubectl("delete", "servicebinding", "shop-db")
    wait_until(lambda: given(hearth) == {"files": {}, "env": {}}, what="the next revision")
    assert revisions(hearth) == 3
    template = hearth.get_json("ksvc", "shop")["spec"]["template"]
    assert "servicebinding" not in json.dumps(template)


CLIENT = """
import os, socket, subprocess
from urllib.parse import urlsplit

def handle(request):
    at = urlsplit(os.environ["REDIS_URL"])
    with socket.create_connection((at.hostname, at.port), 5) as redis:
        redis.sendall(b"PING\\r\\n")
        pong = redis.recv(64).decode().strip()
    told = [subprocess.run(["psql", *to, "-Atc", "select current_user"], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.strip()
            for to in ((os.environ["DATABASE_URL"],), ("-d", os.environ["PGDATABASE"]))]
    return {"redis": pong, "postgresql": told}
"""


def test_servers_of_this_machine_reach_a_service_by_a_word(hearth: Hearth, tmp_path: Path) -> None:
    """A real Redis and a real PostgreSQL, found by their ports; a URL, and what goes with it."""
    servers.program("psql")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "func.py").write_text(CLIENT)
    deploy = ("deploy", str(folder))
    with servers.redis(tmp_path) as redis, databases.postgres() as postgres:
        done = hearth_command(
            *(*deploy, "--bind", f"redis:{redis}=cache", "--bind", f"postgres:{postgres.port}"),
            data_dir=hearth.data_dir,
            PGUSER=databases.USER,
            PGPASSWORD=databases.PASSWORD,
            PGDATABASE="postgres",
        )
        assert "binds: redis from Secret data-cache, as cache (REDIS_URL, " in done.stdout
        assert "data-00001 serves 100%" in done.stdout
        assert given(hearth, "data") == {"redis": "+PONG", "postgresql": [databases.USER] * 2}
        listed = json.loads(hearth.run("bindings", "-o", "json").stdout)
        bound = {each["name"]: each["boundTo"] for each in listed if each["boundTo"]}
        assert bound["data-cache"] == bound["data-postgres"] == ["Service data"]
        again = hearth.run(*deploy, "--bind", "redis=cache", "--bind", "postgres")
        assert "no new revision" in again.stdout
        unknown = hearth.run(*deploy, "--bind", f"pg:{postgres.port}=asked", check=False)
        assert "who logs in there is not known: --bind postgresql://USER:" in unknown.stderr
        failed = hearth.run(*deploy, "--bind", "rabbitmq:1", check=False)
        assert "no rabbitmq answers at 127.0.0.1:1" in failed.stderr
        url = f"postgres://{databases.USER}:wrong@127.0.0.1:{postgres.port}/x=other"
        hearth.run(*deploy, "--bind", url)
        assert given(hearth, "data")["postgresql"] == [databases.USER] * 2, "names are its own"
        before = revisions(hearth, "data")
        assert "unbound: other" in hearth.run(*deploy, "--unbind", "other").stdout
        assert revisions(hearth, "data") == before + 1
        again = hearth.run(*deploy, "--unbind", "other", check=False)
        assert "data has no binding of that name" in again.stderr
    hearth.run("delete", "data")

    def left() -> list[str]:
        listed = json.loads(hearth.run("bindings", "-o", "json").stdout)
        return [each["name"] for each in listed if each["name"].startswith("data-")]

    wait_until(lambda: not left(), what="the end of what was made for it")
