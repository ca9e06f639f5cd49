"""Several activators on one machine: shown, sharing a limit, and one at a time may go."""

from __future__ import annotations

import http.client
import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.support import Hearth, a_service, hearth_command, wait_until

NAMES = {"activator-1", "activator-2"}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hearth]:
    data_dir = tmp_path_factory.mktemp("workers")
    hearth_command("up", "--detach", "--port", "0", "--workers", "2", data_dir=data_dir)
    hearth = Hearth(data_dir, json.loads((data_dir / "state.json").read_text()))
    try:
        yield hearth
    finally:
        hearth.run("down")


def activators(hearth: Hearth) -> dict[str, int]:
    return {name: pid for name, pid in hearth.pids().items() if name in NAMES}


def test_each_is_shown_with_metrics_of_its_own(two: Hearth) -> None:
    processes = [each for each in two.status()["processes"] if each["name"] in NAMES]
    assert {each["name"] for each in processes} == NAMES
    assert len({each["metrics"] for each in processes}) == 2
    assert all(each["state"] == "running" for each in processes)


@pytest.mark.kubectl
def test_a_limit_holds_for_both_together(two: Hearth) -> None:
    scale = {f"autoscaling.knative.dev/{end}-scale": "1" for end in ("min", "max")}
    slow = a_service(
        "slow",
        annotations=scale,
        container={"env": [{"name": "DELAY", "value": "0.05"}]},
        containerConcurrency=2,
    )
    two.apply(slow)
    two.kubectl("wait", "--for=condition=Ready", "ksvc/slow", "--timeout=90s")
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda _: two.request("slow"), range(24)))
    assert {answer.status for answer in answers} == {200}
    assert max(int(answer.headers["x-requests-in-flight"]) for answer in answers) <= 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nobody_is_refused_while_one_is_away(two: Hearth, number: int) -> None:
    before = activators(two)
    os.kill(before["activator-1"], number)
    for _ in range(20):
        assert two.request("nobody").status == 404  # it has an activator's answer
    wait_until(
        lambda: activators(two).get("activator-1", 0) not in (0, before["activator-1"]),
        what="another process",
    )
    assert activators(two)["activator-2"] == before["activator-2"]


@pytest.mark.kubectl
def test_a_burst_at_zero_is_answered_whoever_it_waits_at(two: Hearth) -> None:
    allowed = json.dumps({"data": {"allow-zero-initial-scale": "true"}})
    settings = ("patch", "configmap", "config-autoscaler", "-n", "knative-serving")
    two.kubectl(*settings, "--type", "merge", "-p", allowed)
    cold = a_service("cold", annotations={"autoscaling.knative.dev/initial-scale": "0"})
    wait_until(lambda: two.apply(cold, check=False), what="a setting that admission knows")
    two.kubectl("wait", "--for=condition=Ready", "ksvc/cold", "--timeout=90s")
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda _: two.request("cold"), range(24)))
    assert {answer.status for answer in answers} == {200}


@pytest.mark.kubectl
def test_both_take_what_comes_from_inside(two: Hearth) -> None:
    two.apply(a_service("inner"))
    two.kubectl("wait", "--for=condition=Ready", "ksvc/inner", "--timeout=90s")
    for _ in range(20):  # a connection each: by chance all of them are one activator's once in 2^19
        connection = http.client.HTTPConnection(
            "127.0.0.1", two.state["ports"]["internal"], timeout=60
        )
        connection.request("GET", "/", headers={"Host": "inner.default.svc.cluster.local"})
        assert connection.getresponse().status == 200
        connection.close()
