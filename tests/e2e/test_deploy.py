"""From a folder to a URL and to the next revision: what `hearth deploy` and `rollout` do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.support import Hearth, wait_until

FUNCTION = (
    "import os\n\ndef handle(request):\n    return os.environ.get('WORD', '{word}') + '\\n'\n"
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an application."""
    folder = tmp_path_factory.mktemp("deploy") / "shop"
    folder.mkdir()
    return folder


def written(folder: Path, word: str) -> str:
    (folder / "func.py").write_text(FUNCTION.format(word=word))
    return str(folder)


def answers(hearth: Hearth, count: int = 1, host: str = "shop") -> set[str]:
    found = [hearth.request(host) for _ in range(count)]
    return {each.body if each.status == 200 else str(each) for each in found}


def test_a_folder_gets_a_url(hearth: Hearth, shop: Path) -> None:
    done = hearth.run("deploy", written(shop, "one"))
    lines = done.stdout.splitlines()
    assert "func.py defines handle(request)" in done.stdout
    assert "shop-00001 serves 100% of the requests" in lines[-2]
    assert lines[-1] == f"http://shop.default.localhost:{hearth.port}"
    assert answers(hearth) == {"one\n"}


def test_the_same_again_makes_no_revision(hearth: Hearth, shop: Path) -> None:
    assert "no new revision" in hearth.run("deploy", str(shop)).stdout


def test_a_canary_on_and_back(hearth: Hearth, shop: Path) -> None:
    done = hearth.run("deploy", written(shop, "two"), "--to", "0%")
    assert "shop-00002 serves 0%" in done.stdout
    assert "hearth rollout shop 50% | promote | back" in done.stdout
    assert answers(hearth, 10) == {"one\n"}
    assert answers(hearth, host="candidate-shop") == {"two\n"}
    assert "50%  shop-00002" in hearth.run("rollout", "shop", "50%").stdout
    assert answers(hearth, 60) == {"one\n", "two\n"}
    assert hearth.run("rollout", "shop", "promote").stdout.split()[-2:] == ["100%", "shop-00002"]
    assert answers(hearth, 10) == {"two\n"}
    assert hearth.run("rollback", "shop").stdout.splitlines() == ["100%  shop-00001"]
    assert answers(hearth, 10) == {"one\n"}
    hearth.run("rollout", "shop", "promote")


def test_a_tag_is_a_url_of_its_own(hearth: Hearth, tmp_path: Path) -> None:
    """As gcloud has it: --tag names a URL, --no-traffic leaves it at that; promote leaves tags."""
    folder, green = tmp_path / "tags", ("--tag", "green")
    folder.mkdir()
    hearth.run("deploy", written(folder, "one"))
    done = hearth.run("deploy", written(folder, "two"), "--no-traffic", *green).stdout
    assert f"the new revision alone: http://green-tags.default.localhost:{hearth.port}" in done
    assert answers(hearth, 10, "tags") == {"one\n"}
    assert answers(hearth, host="green-tags") == {"two\n"}
    assert "no new revision" in hearth.run("deploy", str(folder), "--no-traffic", *green).stdout
    named = hearth.run("deploy", written(folder, "named"), *green, "--revision-suffix", "v2").stdout
    assert "tags-v2 serves 0%" in named
    assert answers(hearth, host="green-tags") == {"named\n"}
    given = hearth.run("rollout", "tags", "green=100%").stdout.splitlines()
    assert given[0] == "100%  tags-v2"
    hearth.run("rollout", "tags", "promote")
    assert answers(hearth, 10, "tags") == answers(hearth, host="green-tags") == {"named\n"}
    again = ("deploy", written(folder, "other"), "--revision-suffix", "v2")
    assert "revision tags-v2 is there already" in hearth.run(*again, check=False).stderr
    assert hearth.run("rollout", "tags", "green-").stdout.splitlines() == ["100%  tags-v2"]
    hearth.run("delete", "tags")


def test_settings_stay_until_they_are_changed(hearth: Hearth, shop: Path) -> None:
    (shop / "hearth.toml").write_text("concurrency = 7\n")
    hearth.run("deploy", str(shop), "-e", "WORD=three", "--max", "2")
    again = hearth.run("deploy", written(shop, "four"), "-o", "json", "-e", "X=1", "-l", "a=b")
    assert json.loads(again.stdout)["url"] == f"http://shop.default.localhost:{hearth.port}"
    assert "revision made" in again.stderr
    assert answers(hearth) == {"three\n"}
    template = hearth.get_json("ksvc", "shop")["spec"]["template"]
    assert template["metadata"]["annotations"]["autoscaling.knative.dev/max-scale"] == "2"
    assert template["spec"]["containerConcurrency"] == 7
    assert template["metadata"]["labels"] == {"a": "b"}
    hearth.run("deploy", str(shop), "-e", "X-")
    [container] = hearth.get_json("ksvc", "shop")["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "WORD", "value": "three"}]


def test_a_rollout_that_takes_its_time_is_not_waited_for(hearth: Hearth, tmp_path: Path) -> None:
    folder = tmp_path / "slow"
    folder.mkdir()
    hearth.run("deploy", written(folder, "one"))
    hearth.kubectl("annotate", "ksvc", "slow", "serving.knative.dev/rollout-duration=10h")
    told = hearth.run("deploy", written(folder, "two")).stdout
    assert "slow-00002 serves 1% of the requests" in told
    assert "the rest follows by and by: its rollout takes time (rollout-duration)" in told
    assert "100%  slow-00001" in hearth.run("rollout", "slow", "back").stdout
    hearth.run("delete", "slow")


def test_a_dry_run_says_why_and_changes_nothing(hearth: Hearth, shop: Path) -> None:
    done = hearth.run("deploy", str(shop), "--service", "other", "--dry-run")
    assert "func.py defines handle(request)" in done.stdout
    assert "kind: Service" in done.stdout
    assert "other" not in hearth.kubectl("get", "ksvc").stdout


def test_what_fails_has_the_last_word(hearth: Hearth, shop: Path) -> None:
    (shop / "func.py").write_text("def handle(request): ...\nraise SystemExit('no database')\n")
    done = hearth.run("deploy", str(shop), check=False)
    assert done.returncode == 1
    assert "Error: shop does not serve" in done.stderr
    assert "  no database" in done.stderr.splitlines()
    assert answers(hearth) == {"three\n"}


def test_what_listens_elsewhere_is_told_where(hearth: Hearth, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "import http.server as h\nh.HTTPServer(('', 0), h.BaseHTTPRequestHandler).serve_forever()\n"
    )

    def error() -> str:
        done = hearth.run("deploy", str(tmp_path), "--service=elsewhere", "--wait=5", check=False)
        assert done.returncode == 1
        [told] = [line for line in done.stderr.splitlines() if line.startswith("Error: elsewhere")]
        return told

    told = wait_until(
        lambda: found if "listens on port" in (found := error()) else "", what="where it listens"
    )
    assert "its program listens on port" in told and "the port that PORT says" in told
    hearth.run("delete", "elsewhere")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["./nowhere"], "there is no file or folder ./nowhere"),
        (["SHOP", "--to", "lots"], "'lots' is no share"),
        (["SHOP", "--env", "A"], "give NAME=VALUE"),
        (["SHOP", "--cpu", "lots"], "cpu is 'lots'"),
        (["SHOP", "-o", "xml"], "give text, url, json"),
        (["SHOP", "--service", "new", "--to", "10%"], "nobody to share with"),
        (["EMPTY"], "holds nothing that Hearth recognises"),
        (["TWO"], "more than one application: main:app and app:app"),
        (["LACKING"], "ERROR: ./lacking is not a valid editable requirement"),
        (
            ["SHOP", "--registry", "127.0.0.1:1/me", "--base", "127.0.0.1:1/a"],
            "--base names another",
        ),
    ],
)
def test_what_cannot_be_is_said(
    hearth: Hearth, shop: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    files = {
        "two/main.py": "from flask import Flask\napp = Flask('a')\n",
        "two/app.py": "from fastapi import FastAPI\napp = FastAPI()\n",
        "lacking/main.py": "",
        "lacking/requirements.txt": "-e ./lacking\n",
        "empty/notes.txt": "",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    named = {name: str(tmp_path / name.lower()) for name in ("EMPTY", "TWO", "LACKING")}
    named["SHOP"] = str(shop)
    before = services(hearth)
    done = hearth.run("deploy", *(named.get(each, each) for each in arguments), check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert services(hearth) == before


def services(hearth: Hearth) -> dict[str, object]:
    """What is asked of each Service: nothing half done is left."""
    items = hearth.get_json("ksvc")["items"]
    return {each["metadata"]["name"]: each["spec"] for each in items}


def test_what_a_function_raises_is_for_the_log(hearth: Hearth, tmp_path: Path) -> None:
    (tmp_path / "func.py").write_text("def handle(request):\n    raise ValueError('secret')\n")
    hearth.run("deploy", str(tmp_path), "--service", "raises")
    answer = hearth.request("raises")
    assert (answer.status, answer.body) == (500, "the function failed\n")

    def said() -> str:
        return hearth.run("logs", "raises").stdout

    wait_until(lambda: "ValueError: secret" in said(), what="what it raised in the log")
    assert "Traceback" in said()
    hearth.run("delete", "raises")


def test_a_domain_of_ones_own(hearth: Hearth, shop: Path) -> None:
    hearth.run("deploy", written(shop, "five"), "--domain", "shop.example.com", "-e", "WORD=five")

    def is_ready() -> bool:
        done = hearth.kubectl("get", "domainmapping", "shop.example.com", "-o", "wide")
        return "True" in done.stdout

    wait_until(is_ready, what="the domain")
    answer = hearth.request("shop", headers={"Host": "shop.example.com"})
    assert (answer.status, answer.body) == (200, "five\n")


def test_a_warm_interpreter_wakes_it(hearth: Hearth, tmp_path: Path) -> None:
    (tmp_path / "hearth.toml").write_text(
        '[annotations]\n"autoscaling.knative.dev/window" = "6s"\n'
    )
    hearth.run("deploy", written(tmp_path, "warm"), "--warm", "--service", "warm")

    def woke_warm() -> bool:
        if "warm-00001" not in hearth.kubectl("get", "pods").stdout:
            assert answers(hearth, host="warm") == {"warm\n"}
        return "WarmStart" in hearth.kubectl("get", "events").stdout

    wait_until(woke_warm, seconds=60, what="a wake by a warm interpreter")
    hearth.run("delete", "warm")


def test_a_service_is_described(hearth: Hearth, shop: Path) -> None:
    said = hearth.run("describe", "shop").stdout
    assert said.startswith(f"default/shop  http://shop.default.localhost:{hearth.port}\nready\n")
    assert "100%  shop-0000" in said
    assert "Container failed" in said or "warnings" in said
    assert json.loads(hearth.run("describe", "shop", "-o", "json").stdout)["ready"] == "True"
    done = hearth.run("open", "shop")
    assert done.stdout == f"http://shop.default.localhost:{hearth.port}\n"


def test_top_and_doctor_see_what_runs(hearth: Hearth) -> None:
    """Requests come while it looks twice; `doctor` finds nothing that keeps Hearth from working."""

    def row() -> Any:
        looking = subprocess.Popen(
            [str(Path(sys.executable).with_name("hearth")), "top", "-o", "json", "--interval", "1"],
            env={**os.environ, "HEARTH_DATA_DIR": str(hearth.data_dir)},
            stdout=subprocess.PIPE,
            text=True,
        )
        while looking.poll() is None:
            hearth.request("shop")
        told = json.loads(looking.communicate()[0])
        found = {each["name"]: each for each in told["services"]}["shop"]
        is_whole = found["requestsPerSecond"] > 0 and told["pods"] and told["remarks"] == []
        return found if is_whole else None

    seen = wait_until(row, what="requests")
    assert 0 < seen["p50Seconds"] <= seen["p99Seconds"]
    assert seen["memoryBytes"] > 2**20
    assert seen["readyPods"] >= 1
    told = json.loads(hearth.run("doctor", "-o", "json", check=False).stdout)
    states = {check["name"]: check["state"] for check in told["checks"]}
    assert states["hearth"] == states["gateway port"] == states["api port"] == "ok"


def test_a_service_is_deleted(hearth: Hearth) -> None:
    assert hearth.run("delete", "shop").stdout == "Deleted shop from namespace default.\n"
    for command in ("describe", "open", "delete", "logs"):
        done = hearth.run(command, "shop", check=False)
        assert done.returncode == 1
        assert "there is no service 'shop' in namespace 'default'" in done.stderr


def test_what_nobody_names_is_pruned(hearth: Hearth, shop: Path) -> None:
    """The copies of the deleted service's revisions, and no others."""
    builds = hearth.data_dir / "builds"
    hearth.run("deploy", written(shop, "six"), "--service", "kept")
    mine = hearth.get_json("ksvc", "kept")["spec"]["template"]["spec"]["containers"][0]["image"]

    def left() -> int:
        hearth.run("image", "prune")
        return len(list(builds.glob("source-*")))

    wait_until(lambda: left() == 1, what="the end of the deleted revisions")
    images = json.loads(hearth.run("image", "list", "-o", "json").stdout)
    local = [each["digest"] for each in images if each["name"].startswith("dev.local/")]
    assert local == [mine.partition("@")[2]]
    assert answers(hearth, host="kept") == {"six\n"}


def test_a_dockerfile_becomes_a_container(
    hearth: Hearth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a storage of the test's own, from which the engine gets it as an archive."""
    if os.geteuid() != 0 or not hearth.state["engine"] or not shutil.which("buildah"):
        pytest.skip("containers by root and buildah are not all here: no Dockerfile was deployed")
    storage = f'driver="vfs"\ngraphroot="{tmp_path}/graph"\nrunroot="{tmp_path}/run"\n'
    (tmp_path / "storage.conf").write_text(f"[storage]\n{storage}")
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(tmp_path / "storage.conf"))
    web = tmp_path / "web"
    web.mkdir()
    source = Path(__file__).parents[1] / "program.c"
    compiled = ["cc", "-O1", "-static", "-s", "-o", str(web / "program"), str(source), "-lpthread"]
    subprocess.run(compiled, check=True)
    (web / "Dockerfile").write_text(
        "FROM scratch\nARG WORD=a\nENV WORD=$WORD\nCOPY program /\nEXPOSE 3000\n"
        'ENTRYPOINT ["/program"]\nCMD ["serve"]\n'
    )
    done = hearth.run("deploy", str(web), "--build-arg", "WORD=said")
    assert "STEP 1/7: FROM scratch" in done.stdout
    assert '"WORD=said","PORT=3000"' in hearth.request("web").body
    assert "no new revision" in hearth.run("deploy", str(web), "--build-arg", "WORD=said").stdout
    (web / "Dockerfile").write_text("FROM scratch\nCOPY nothing /\n")
    done = hearth.run("deploy", str(web), "--service", "half", check=False)
    assert (done.returncode, "no such file" in done.stderr) == (1, True)
    assert "half" not in hearth.kubectl("get", "ksvc").stdout
    hearth.run("delete", "web")
