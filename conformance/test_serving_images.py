"""The suite's own programs, each as a Service: what they do is what the platform lets them do."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import grpc
import pytest
import websocket
from kubernetes.dynamic.exceptions import DynamicApiError

from conformance.programs import HELLO, Programs, volume
from conformance.support import condition, until

WRITTEN = "From file in empty dir!"


def test_helloworld_says_hello(programs: Programs) -> None:
    assert programs.cluster.request(programs.url("helloworld")).body == HELLO + "\n"


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ("prime=100", 200, "The largest prime less than 100 is 97.\n"),
        ("prime=2", 200, "There are no primes smaller than 2.\n"),
        ("bloat=1", 200, "Allocated 1 Mb of memory.\n"),
        ("sleep=20", 200, "Slept for 20ms.\n"),
        ("sleep=0.02s", 200, "Slept for 20ms.\n"),
        ("sleep=-1", 400, "Negative query params are not supported\n"),
    ],
)
def test_autoscale_works_as_it_is_told(
    programs: Programs, asked: str, status: int, said: str
) -> None:
    answer = programs.cluster.request(programs.url("autoscale"), f"/?{asked}")
    assert (answer.status, answer.body) == (status, said)


def test_configmimic_follows_a_mounted_file(programs: Programs) -> None:
    cluster = programs.cluster
    url = programs.url("configmimic")
    assert cluster.request(url).body == "Hello Noodles! How about some tasty noodles?"
    assert cluster.request(url, "/healthz/live").status == 200
    cluster.core.patch_namespaced_config_map(
        "states", cluster.namespace, {"data": {"configmimic": "ready"}}
    )
    until(
        lambda: cluster.request(url, "/healthz/live").status == 503,
        seconds=180,
        what="the changed ConfigMap in the container",
    )
    assert cluster.request(url, "/healthz/ready").status == 200


def test_failing_fails_its_revision(programs: Programs) -> None:
    def failed() -> bool:
        ready = condition(programs.cluster.get("Service", "failing"), "ConfigurationsReady")
        return ready.get("status") == "False"

    until(failed, seconds=180, what="the failure")
    revision = programs.cluster.get("Revision", "failing-00001")
    healthy = condition(revision, "ContainerHealthy")
    assert (healthy["status"], healthy["reason"]) == ("False", "ExitCode5")
    assert "Crashed..." in healthy["message"]


def test_grpc_ping_answers_calls_and_streams(programs: Programs) -> None:
    host = programs.url("grpc-ping").removeprefix("http://")
    options = (("grpc.default_authority", host), ("grpc.enable_http_proxy", 0))

    def message(text: str) -> bytes:
        return b"\x0a" + bytes([len(text)]) + text.encode()

    with grpc.insecure_channel(programs.cluster.gateway, options) as channel:
        ping = channel.unary_unary("/ping.PingService/Ping")
        stream = channel.stream_stream("/ping.PingService/PingStream")
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert ping(message("hello"), timeout=60) == message("hello!")
        said = list(stream(map(message, ["one", "two"]), timeout=60))
        assert said == [message("one!"), message("two!")]
        assert check(b"", timeout=60) == b"\x08\x01"


def test_hellohttp2_is_reached_by_http2(programs: Programs) -> None:
    answer = programs.cluster.request(programs.url("hellohttp2"), "/there")
    assert answer.body == "proto=HTTP/2.0 method=GET path=/there\n"


def test_hellovolume_reads_a_configmap(programs: Programs) -> None:
    cluster, url = programs.cluster, programs.url("hellovolume")
    assert cluster.request(url).body == "from a volume\n"
    assert cluster.request(url, "/world").body == "from a volume\n"
    assert cluster.request(url, "/nothing").status == 500
    assert cluster.request(url, "/../etc/hostname").status in (400, 500)


def test_httpproxy_reaches_another_service_inside(programs: Programs) -> None:
    programs.url("helloworld")
    answer = programs.cluster.request(programs.url("httpproxy"))
    assert (answer.status, answer.body) == (200, HELLO + "\n")


def test_initcontainers_run_before_the_container(programs: Programs) -> None:
    data, mount = volume("data", {"emptyDir": {}}, "/data")
    service = programs.service(
        "initcontainers",
        env={"SKIP_DATA_WRITE": "true"},
        container={"volumeMounts": [mount]},
        volumes=[data],
        initContainers=[
            {"name": "late", **programs.container("slowstart"), "args": ["-sleep", "1"]},
            {
                "name": "write",
                **programs.container("volumes"),
                "env": [{"name": "SKIP_DATA_SERVE", "value": "true"}],
                "volumeMounts": [mount],
            },
        ],
    )
    try:
        programs.start(service)
    except DynamicApiError as error:
        refusal = str(error.body)
        assert "initContainers" in refusal or "init-containers" in refusal
        pytest.skip("kubernetes.podspec-init-containers is off")
    assert programs.cluster.request(programs.url("initcontainers")).body == WRITTEN
    (pod,) = programs.cluster.pods("serving.knative.dev/service=initcontainers")
    late, write = (each["state"]["terminated"] for each in pod["status"]["initContainerStatuses"])
    began, ended = (datetime.fromisoformat(late[each]) for each in ("startedAt", "finishedAt"))
    assert (ended - began).total_seconds() >= 1
    assert datetime.fromisoformat(write["startedAt"]) >= ended


def test_multicontainer_reaches_the_container_beside_it(programs: Programs) -> None:
    # Only the container with the port is asked whether it is ready: the other may start later.
    programs.cluster.until_body(programs.url("multicontainer"), "Yay!! multi-container works\n\n")


def test_pizzaplanet_is_replaced_by_its_second_version(programs: Programs) -> None:
    cluster = programs.cluster
    programs.start(programs.service("pizzaplanet", "pizzaplanetv1"))
    url = programs.url("pizzaplanet")
    assert cluster.request(url).body == "What a spaceport!"
    second = programs.service("pizzaplanet", "pizzaplanetv2")["spec"]
    cluster.patch("Service", "pizzaplanet", {"spec": second})
    cluster.until_ready("Service", "pizzaplanet")
    cluster.until_body(url, "Re-energize yourself with a slice of pepperoni!")


def test_readiness_is_asked_until_it_says_yes(programs: Programs) -> None:
    cluster, url = programs.cluster, programs.url("readiness")
    assert cluster.request(url).body == HELLO
    assert cluster.request(url, "/healthz/readiness").body == HELLO
    assert cluster.request(url, "/query?probe=ok").body == HELLO
    assert cluster.request(url, "/query").status == 500
    until(
        lambda: int(cluster.request(url, "/healthz/livenessCounter").body) >= 2,
        what="two liveness probes",
    )


def test_runtime_tells_of_itself(programs: Programs) -> None:
    told = programs.told(path="/a?b=c")
    assert (told["request"]["method"], told["request"]["uri"]) == ("GET", "/a?b=c")
    assert told["host"]["user"]["cwd"]["error"] == ""
    assert programs.cluster.request(programs.url("runtime"), "/healthz").status == 400
    assert json.dumps(told["host"]["files"]["/dev/null"]["isDir"]) == "false"


def test_singlethreaded_gets_one_request_at_a_time(programs: Programs) -> None:
    url = programs.url("singlethreaded")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: programs.cluster.request(url), range(4)))
    assert [each.body for each in answers] == ["One at a time"] * 4


def test_timeout_answers_when_it_is_told_to(programs: Programs) -> None:
    answer = programs.cluster.request(programs.url("timeout"), "/?initialTimeout=100&timeout=200")
    assert answer.body == "Slept for 200 milliseconds"
    assert answer.seconds >= 0.3


def test_volumes_writes_into_an_empty_folder(programs: Programs) -> None:
    assert programs.cluster.request(programs.url("volumes")).body == WRITTEN


def test_wsserver_converses(programs: Programs) -> None:
    host = programs.url("wsserver").removeprefix("http://")
    connection = websocket.create_connection(
        f"ws://{programs.cluster.gateway}/", host=host, timeout=60, http_no_proxy=["*"]
    )
    try:
        for text in ("hello", "x" * 300):
            connection.send(text)
            assert connection.recv() == f"{text} too"
    finally:
        connection.close()
