"""The runtime contract: what a container finds, what its requests have, what nobody may ask for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes.client import ApiException
from kubernetes.dynamic.exceptions import DynamicApiError

from conformance.programs import MEMORY, OWN_PORT, SOMEBODY, Programs
from conformance.rules import rule
from conformance.support import Cluster, condition, until

Make = Callable[..., dict[str, Any]]

SOUGHT = [
    "/dev/fd",
    "/dev/full",
    "/dev/null",
    "/dev/ptmx",
    "/dev/random",
    "/dev/stdin",
    "/dev/stdout",
    "/dev/stderr",
    "/dev/urandom",
    "/dev/zero",
    "/proc/self/fd",
    "/tmp",
]


@pytest.fixture(scope="module")
def told(programs: Programs) -> dict[str, Any]:
    return programs.told(path="/asked?for=this", **{"X-Own": "as it was", "Traceparent": TRACE})


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def headers(told: dict[str, Any]) -> dict[str, list[str]]:
    return {name.lower(): values for name, values in told["request"]["headers"].items()}


@rule("RC-19")
def test_requests_are_http_1_1(told: dict[str, Any]) -> None:
    assert (told["request"]["protoMajor"], told["request"]["protoMinor"]) == (1, 1)


@rule("RC-20")
def test_http2_is_offered_to_a_port_without_a_name(programs: Programs) -> None:
    said = programs.cluster.request(programs.url("either")).body
    if said.startswith("proto=HTTP/1.1"):
        # Where autodetect-http2 is on, too: in Knative it is about probes.
        pytest.skip("HTTP/1.1 is used unless a port is named h2c")
    assert said.startswith("proto=HTTP/2.0")


@rule("RC-26")
def test_header_fields_arrive_as_they_were_sent(
    told: dict[str, Any], headers: dict[str, list[str]]
) -> None:
    assert headers["x-own"] == ["as it was"]
    assert told["request"]["uri"] == "/asked?for=this"


@rule("RC-29")
def test_the_host_is_that_of_the_route(programs: Programs, told: dict[str, Any]) -> None:
    assert told["request"]["host"] == programs.url("runtime").partition("://")[2]


@rule("RC-30")
def test_forwarded_is_set(headers: dict[str, list[str]]) -> None:
    assert "for=" in headers["forwarded"][0]
    assert "proto=http" in headers["forwarded"][0]


@rule("RC-31")
def test_x_forwarded_is_set(headers: dict[str, list[str]]) -> None:
    assert headers["x-forwarded-for"][0]
    assert headers["x-forwarded-proto"] == ["http"]


@rule("RC-32", "RC-33")
def test_the_trace_goes_on(headers: dict[str, list[str]]) -> None:
    (trace,) = headers["traceparent"]
    assert trace.split("-")[1] == TRACE.split("-")[1]


@rule("RC-17")
def test_stdin_is_at_its_end(told: dict[str, Any]) -> None:
    assert told["host"]["stdin"] == {"eof": True}


@rule("RC-52")
@pytest.mark.parametrize("declared", [None, OWN_PORT], ids=["default", "declared"])
def test_port_is_set(programs: Programs, declared: int | None) -> None:
    if declared is None:
        assert int(programs.told()["host"]["envs"]["PORT"]) > 0
        return
    assert programs.told("own-port")["host"]["envs"]["PORT"] == str(declared)


@rule("RC-21")
def test_a_container_without_a_port_gets_requests(told: dict[str, Any]) -> None:
    assert told["request"]["method"] == "GET"
    assert told["host"]["envs"]["PORT"].isdigit()


@rule("RC-53")
def test_names_are_in_the_environment(told: dict[str, Any]) -> None:
    env = told["host"]["envs"]
    names = [env[f"K_{each}"] for each in ("SERVICE", "CONFIGURATION", "REVISION")]
    assert names == ["runtime", "runtime", "runtime-00001"]


@rule("RC-62")
@pytest.mark.parametrize("path", SOUGHT)
def test_a_file_is_there(told: dict[str, Any], path: str) -> None:
    assert "error" not in told["host"]["files"][path]


@rule("RC-63")
def test_tmp_can_be_written(told: dict[str, Any]) -> None:
    assert told["host"]["files"]["/tmp"]["mode"][:9].rstrip("t").startswith("rwxrwxrw")
    assert told["host"]["fileaccess"]["/tmp"] == {}


@rule("RC-41", "RC-69")
def test_a_resolver_is_named(told: dict[str, Any]) -> None:
    found = told["host"]["files"]["/etc/resolv.conf"]
    assert found["size"] > 0
    assert found["mode"].startswith("rw")


@rule("RC-50")
def test_there_is_no_console(told: dict[str, Any]) -> None:
    assert "error" in told["host"]["files"]["/dev/console"]


@rule("RC-57")
def test_there_is_a_user(told: dict[str, Any]) -> None:
    user = told["host"]["user"]
    assert user["uid"] == user["euid"] >= 0


@rule("RC-55", "RC-56")
def test_a_container_runs_as_the_user_that_is_asked_for(programs: Programs) -> None:
    user = programs.told("somebody")["host"]["user"]
    assert (user["uid"], user["gid"]) == SOMEBODY


@rule("RC-60")
def test_a_container_with_a_forbidden_user_fails(programs: Programs) -> None:
    not_ready(programs.cluster, "nobody")


def not_ready(cluster: Cluster, name: str) -> None:
    def failed() -> bool:
        ready = condition(cluster.get("Revision", f"{name}-00001"), "Ready")
        assert ready.get("status") != "True"
        return ready.get("status") == "False"

    until(lambda: cluster.is_there("Revision", f"{name}-00001"), what="the Revision")
    until(failed, seconds=180, what="a Revision that has failed")


@rule("RC-39")
def test_a_revision_that_does_not_become_ready_has_failed(programs: Programs) -> None:
    not_ready(programs.cluster, "never")


@rule("RC-37", "RC-38")
def test_an_instance_is_started_without_any_request(programs: Programs) -> None:
    programs.url("unasked")
    status = programs.cluster.get("Revision", "unasked-00001")["status"]
    assert condition({"status": status}, "ContainerHealthy")["status"] == "True"


@rule("RC-75", "RC-78")
def test_limits_can_be_read(programs: Programs) -> None:
    found = {
        each["name"].rpartition("/")[2]: each.get("value", "")
        for each in programs.told("limited")["host"]["cgroups"]
    }
    memory = found.get("memory.max") or found.get("memory.limit_in_bytes")
    assert memory == str(MEMORY)
    quota, period = (
        found["cpu.max"].split()
        if "cpu.max" in found
        else (found["cpu.cfs_quota_us"], found["cpu.cfs_period_us"])
    )
    assert int(quota) == int(period)


@rule("RC-76")
def test_control_groups_are_read_only(told: dict[str, Any]) -> None:
    found = [each for each in told["host"]["cgroups"] if "error" not in each]
    assert found
    assert [each["name"] for each in found if not each["readOnly"]] == []


def logs(cluster: Cluster, service: str, *, previous: bool = False) -> str:
    said = ""
    for pod in cluster.pods(f"serving.knative.dev/service={service}"):
        try:
            said += cluster.core.read_namespaced_pod_log(
                pod["metadata"]["name"],
                cluster.namespace,
                container=pod["spec"]["containers"][0]["name"],
                previous=previous,
            )
        except ApiException as error:
            if error.status not in (400, 404):
                raise
    return said


@rule("RC-18", "RC-61")
def test_what_a_container_says_can_be_read(programs: Programs, told: dict[str, Any]) -> None:
    port = told["host"]["envs"]["PORT"]
    wanted = f"Server starting on port {port}"
    until(lambda: wanted in logs(programs.cluster, "runtime"), what="the line in the log")


@rule("RC-07")
def test_what_a_failing_container_says_can_be_read(programs: Programs) -> None:
    cluster = programs.cluster
    until(
        lambda: "Crashed..." in logs(cluster, "failing") + logs(cluster, "failing", previous=True),
        seconds=120,
        what="its last words in the log",
    )


def template(a_service: Make, **container: Any) -> dict[str, Any]:
    service = a_service("refused")
    service["spec"]["template"]["spec"]["containers"][0].update(container)
    return service


def without(cluster: Cluster, service: dict[str, Any], word: str) -> None:
    """It is refused with the word, or what the word names is not stored."""
    kind = cluster.kind("Service")
    try:
        made = kind.create(body=service, namespace=cluster.namespace, dry_run="All").to_dict()
    except DynamicApiError as error:
        assert error.status in (400, 422)
        assert word in str(error.body)
    else:
        assert f'"{word}"' not in json.dumps(made["spec"])


HTTP = {"httpGet": {"path": "/"}}


@pytest.mark.parametrize(
    ("container", "word"),
    [
        pytest.param(
            {"lifecycle": {"postStart": HTTP}},
            "lifecycle",
            marks=rule("RC-15", "RC-89"),
            id="hooks",
        ),
        pytest.param(
            {"ports": [{"containerPort": 1234}, {"name": "other", "containerPort": 1235}]},
            "single port",
            marks=rule("RC-22"),
            id="two-ports",
        ),
        pytest.param(
            {"ports": [{"containerPort": 1234, "hostPort": 80}]},
            "hostPort",
            marks=rule("RC-23"),
            id="hostPort",
        ),
        pytest.param(
            {"ports": [{"containerPort": 1234, "name": "any"}]},
            "name",
            marks=rule("RC-25"),
            id="port-name",
        ),
        pytest.param({"tty": True}, "tty", marks=rule("RC-50"), id="tty"),
        pytest.param(
            {"securityContext": {"seLinuxOptions": {"level": "s0"}}},
            "seLinuxOptions",
            marks=rule("RC-51"),
            id="seLinuxOptions",
        ),
        pytest.param(
            {"volumeDevices": [{"name": "data", "devicePath": "/dev/x"}]},
            "volumeDevices",
            marks=rule("RC-74"),
            id="devices",
        ),
        pytest.param(
            {"securityContext": {"procMount": "Unmasked"}},
            "procMount",
            marks=rule("RC-86", "RC-88"),
            id="procMount",
        ),
        pytest.param(
            {"readinessProbe": {**HTTP, "tcpSocket": {}}},
            "readinessProbe",
            marks=rule("RC-35"),
            id="two-handlers",
        ),
    ],
)
def test_a_container_may_not_ask_for(
    cluster: Cluster, a_service: Make, container: dict[str, Any], word: str
) -> None:
    without(cluster, template(a_service, **container), word)


@pytest.mark.parametrize(
    ("spec", "word", "feature"),
    [
        pytest.param(
            {"hostNetwork": True},
            "hostNetwork",
            "kubernetes.podspec-hostnetwork",
            marks=rule("RC-73"),
            id="network",
        ),
        pytest.param(
            {"hostPID": True},
            "hostPID",
            "kubernetes.podspec-hostpid",
            marks=rule("RC-73"),
            id="pid",
        ),
        pytest.param(
            {"hostIPC": True},
            "hostIPC",
            "kubernetes.podspec-hostipc",
            marks=rule("RC-73"),
            id="ipc",
        ),
        pytest.param(
            {"securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "1"}]}},
            "sysctls",
            "kubernetes.podspec-securitycontext",
            marks=rule("RC-80"),
            id="sysctl",
        ),
    ],
)
def test_a_pod_may_not_ask_for(
    cluster: Cluster, a_service: Make, spec: dict[str, Any], word: str, feature: str
) -> None:
    try:
        settings = cluster.core.read_namespaced_config_map("config-features", "knative-serving")
        if (settings.data or {}).get(feature, "disabled").lower() != "disabled":
            pytest.skip(f"{feature} is on here")
    except ApiException:
        pass  # Not ours to read: the rule holds.
    service = a_service("refused")
    service["spec"]["template"]["spec"].update(spec)
    without(cluster, service, word)


@rule("RC-84")
def test_a_mount_may_not_say_its_propagation(cluster: Cluster, a_service: Make) -> None:
    mount = {"name": "data", "mountPath": "/data", "mountPropagation": "Bidirectional"}
    service = template(a_service, volumeMounts=[mount])
    service["spec"]["template"]["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}]
    without(cluster, service, "mountPropagation")


@rule("RC-36")
def test_a_container_without_probes_has_one_that_connects(
    cluster: Cluster, a_service: Make
) -> None:
    kept = (
        cluster.kind("Service")
        .create(body=a_service("probed"), namespace=cluster.namespace, dry_run="All")
        .to_dict()
    )
    probe = kept["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    assert "tcpSocket" in probe
    assert probe.get("initialDelaySeconds", 0) == 0


@rule("RC-35")
@pytest.mark.parametrize("handler", [HTTP, {"tcpSocket": {}}], ids=["httpGet", "tcpSocket"])
def test_a_probe_asks_or_connects(
    cluster: Cluster, a_service: Make, handler: dict[str, Any]
) -> None:
    probed = template(a_service, readinessProbe=handler, livenessProbe=handler)
    kept = (
        cluster.kind("Service")
        .create(body=probed, namespace=cluster.namespace, dry_run="All")
        .to_dict()
    )
    container = kept["spec"]["template"]["spec"]["containers"][0]
    for probe in ("readinessProbe", "livenessProbe"):
        assert handler.keys() <= container[probe].keys()
