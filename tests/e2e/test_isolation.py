"""``hearth up --isolate``: pods work as ever, and are still there after a crash of the node."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.support import Hearth, a_service, hearth_command, wait_until

pytestmark = pytest.mark.kubectl


@pytest.fixture(scope="module")
def isolating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hearth]:
    data_dir = tmp_path_factory.mktemp("isolating")
    begun = hearth_command(
        "up", "--detach", "--port", "0", "--runtime", "process", "--isolate",
        data_dir=data_dir, check=False,
    )  # fmt: skip
    if begun.returncode and "isolate" in begun.stderr:
        if os.environ.get("HEARTH_REQUIRE_SERVERS") and shutil.which("bwrap") is None:
            pytest.fail(f"{begun.stderr}, and HEARTH_REQUIRE_SERVERS is set")
        pytest.skip(begun.stderr)
    assert begun.returncode == 0, begun.stderr
    hearth = Hearth(data_dir, json.loads((data_dir / "state.json").read_text()))
    try:
        yield hearth
    finally:
        hearth.run("down")


def test_a_service_is_isolated_and_outlives_the_node(isolating: Hearth) -> None:
    assert "bubblewrap" in isolating.status()["isolation"]
    service = a_service("apart", annotations={"autoscaling.knative.dev/min-scale": "1"})
    isolating.apply(service)
    isolating.kubectl("wait", "--for=condition=Ready", "ksvc/apart", "--timeout=90s")
    assert isolating.request("apart").status == 200
    [pod] = isolating.get_json("pods")["items"]
    inside = ("exec", pod["metadata"]["name"], "--", "/bin/sh", "-c")
    told = isolating.kubectl(*inside, "ls -d /proc/[0-9]* | wc -l; ls -A ~").stdout.split()
    assert int(told[0]) < 8
    assert not {".bashrc", ".ssh", ".cache"} & set(told[1:])
    before = pod["status"]["containerStatuses"][0]["containerID"]
    killed = isolating.pids()["cluster"]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: isolating.pids().get("cluster", killed) != killed, what="another node")
    isolating.kubectl("wait", "--for=condition=Ready", "ksvc/apart", "--timeout=90s")
    wait_until(lambda: isolating.request("apart").status == 200, what="an answer")
    [pod] = isolating.get_json("pods")["items"]
    assert pod["status"]["containerStatuses"][0]["containerID"] == before
    assert isolating.kubectl(*inside, "echo inside").stdout == "inside\n"
    assert Path(f"/proc/{isolating.pids()['cluster']}").exists()
