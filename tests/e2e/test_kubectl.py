"""kubectl's everyday commands against the embedded API."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.support import Hearth, kubectl_binary, wait_until

pytestmark = pytest.mark.kubectl


@pytest.fixture(scope="module", autouse=True)
def web(hearth: Hearth) -> None:
    """A Deployment of two pods of the sample image, rolled out."""
    hearth.apply(a_deployment())
    hearth.kubectl("rollout", "status", "deployment/web", "--timeout=90s")


def a_deployment(**template: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "hearth.dev/samples/hello"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}, **template},
                "spec": {"containers": [{**container, "ports": [{"containerPort": 8080}]}]},
            },
        },
    }


def test_get_shows_the_columns_people_know(hearth: Hearth) -> None:
    lines = hearth.kubectl("get", "deployments").stdout.splitlines()
    assert lines[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert lines[1].split()[:4] == ["web", "2/2", "2", "2"]
    pods = hearth.kubectl("get", "pods", "-l", "app=web").stdout.splitlines()
    assert pods[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert {line.split()[2] for line in pods[1:]} == {"Running"}


def test_describe(hearth: Hearth) -> None:
    text = hearth.kubectl("describe", "deployment", "web").stdout
    assert "MinimumReplicasAvailable" in text
    assert "hearth.dev/samples/hello" in hearth.kubectl("describe", "pods", "-l", "app=web").stdout


def test_explain(hearth: Hearth) -> None:
    assert "KIND:" in hearth.kubectl("explain", "deployment.spec.replicas").stdout
    assert "containerConcurrency" in hearth.kubectl("explain", "revision.spec").stdout


def test_scale_and_rollout_of_a_new_template(hearth: Hearth) -> None:
    hearth.kubectl("scale", "deployment/web", "--replicas=3")
    hearth.kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    hearth.kubectl("rollout", "restart", "deployment/web")
    hearth.kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    assert hearth.get_json("deployment", "web")["status"]["availableReplicas"] == 3


def test_server_side_apply_reports_conflicts(hearth: Hearth, tmp_path: Path) -> None:
    one: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "shared"},
        "data": {"a": "1"},
    }
    for manager, value in (("alice", "1"), ("bob", "2")):
        one["data"]["a"] = value
        (tmp_path / f"{manager}.json").write_text(json.dumps(one))
    arguments = ("apply", "--server-side", "-f")
    hearth.kubectl(*arguments, str(tmp_path / "alice.json"), "--field-manager=alice")
    refused = hearth.kubectl(
        *arguments, str(tmp_path / "bob.json"), "--field-manager=bob", check=False
    )
    assert refused.returncode != 0
    assert 'conflict with "alice"' in refused.stderr
    forced = ("--field-manager=bob", "--force-conflicts")
    hearth.kubectl(*arguments, str(tmp_path / "bob.json"), *forced)
    assert hearth.get_json("configmap", "shared")["data"] == {"a": "2"}


def test_diff_shows_what_apply_would_change(hearth: Hearth, tmp_path: Path) -> None:
    changed = a_deployment()
    changed["spec"]["replicas"] = 1
    file = tmp_path / "web.json"
    file.write_text(json.dumps(changed))
    shown = hearth.kubectl("diff", "-f", str(file), check=False)
    assert shown.returncode == 1
    assert "+  replicas: 1" in shown.stdout


def test_apply_says_which_field_is_unknown(hearth: Hearth) -> None:
    wrong = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "typo"},
        "dada": {"a": "1"},
    }
    refused = hearth.kubectl("apply", "-f", "-", stdin=json.dumps(wrong), check=False)
    assert refused.returncode != 0
    assert "dada" in refused.stderr


def test_edit_with_an_editor_that_changes_a_label(hearth: Hearth, tmp_path: Path) -> None:
    editor = tmp_path / "editor.sh"
    editor.write_text(
        "#!/bin/sh\nsed -i 's/^  name: edited$/  name: edited\\n  labels: {mark: done}/' $1\n"
    )
    editor.chmod(0o755)
    hearth.kubectl("create", "configmap", "edited")
    subprocess.run(
        [kubectl_binary(), "--kubeconfig", hearth.kubeconfig, "edit", "configmap", "edited"],
        env={**os.environ, "KUBE_EDITOR": str(editor)},
        check=True,
        capture_output=True,
        timeout=30,
    )
    assert hearth.get_json("configmap", "edited")["metadata"]["labels"] == {"mark": "done"}


def test_create_configmap_from_file(hearth: Hearth, tmp_path: Path) -> None:
    (tmp_path / "app.conf").write_text("level=1\n")
    hearth.kubectl("create", "configmap", "conf", f"--from-file={tmp_path / 'app.conf'}")
    assert hearth.get_json("configmap", "conf")["data"] == {"app.conf": "level=1\n"}


def test_auth_can_i(hearth: Hearth) -> None:
    assert hearth.kubectl("auth", "can-i", "create", "pods").stdout.strip() == "yes"


def test_top(hearth: Hearth) -> None:
    def shown(*arguments: str) -> list[str]:
        """Nothing of pods that are too young to have been measured twice."""
        return hearth.kubectl("top", *arguments, "--no-headers", check=False).stdout.splitlines()

    wait_until(lambda: len(shown("pods", "-l", "app=web")) >= 2, what="the usage of both pods")
    pods = [line.strip() for line in shown("pods", "-l", "app=web")]
    assert all(line.split()[1].endswith("m") and line.endswith("Mi") for line in pods)
    [node] = shown("nodes")
    assert node.split()[0] == "hearth"


def test_get_watch_sees_a_change(hearth: Hearth) -> None:
    watching = subprocess.Popen(
        [
            kubectl_binary(),
            "--kubeconfig",
            hearth.kubeconfig,
            "get",
            "configmaps",
            "-w",
            "-o",
            "name",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert watching.stdout is not None
        assert watching.stdout.readline()
        hearth.kubectl("create", "configmap", "seen-by-watch")
        assert "configmap/seen-by-watch" in iter_until(watching, "configmap/seen-by-watch")
    finally:
        watching.send_signal(signal.SIGINT)
        watching.wait(10)
        if watching.stdout:
            watching.stdout.close()


def iter_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == text:
            return line.strip()
    return ""


def test_logs_follow_a_pod(hearth: Hearth) -> None:
    pod = hearth.get_json("pods", "-l", "app=web")["items"][0]["metadata"]["name"]
    following = subprocess.Popen(
        [kubectl_binary(), "--kubeconfig", hearth.kubeconfig, "logs", "-f", pod],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert following.stdout is not None
        assert following.stdout.readline()
    finally:
        following.terminate()
        following.wait(10)
        if following.stdout:
            following.stdout.close()


def test_delete_with_foreground_cascade_waits_for_the_pods(hearth: Hearth) -> None:
    hearth.kubectl("delete", "deployment", "web", "--cascade=foreground", timeout=90)
    assert wait_until(lambda: hearth.get_json("pods", "-l", "app=web")["items"] == [], seconds=60)
    assert hearth.get_json("replicasets", "-l", "app=web")["items"] == []


def test_the_gateways_that_statuses_name_exist_and_lead_to_the_listeners(hearth: Hearth) -> None:
    for name, purpose in (("hearth-gateway", "gateway"), ("hearth-internal-gateway", "internal")):
        service = hearth.get_json("service", name, "-n", "knative-serving")
        assert service["spec"]["ports"][0]["port"] == 80
        selector = f"kubernetes.io/service-name={name}"
        [endpoints] = hearth.get_json("endpointslices", "-n", "knative-serving", "-l", selector)[
            "items"
        ]
        assert endpoints["endpoints"][0]["addresses"] == ["127.0.0.1"]
        assert endpoints["ports"][0]["port"] == hearth.state["ports"][purpose]


def test_a_service_beyond_its_quota_says_so_and_recovers(hearth: Hearth) -> None:
    """As upstream's ResourceQuotaError; then more is allowed, and nobody has to do anything."""
    hearth.kubectl("create", "namespace", "tight")
    hearth.kubectl("create", "quota", "cpu", "--hard=cpu=50m,pods=5", "-n", "tight")
    container = {"image": "hearth.dev/samples/hello", "resources": {"requests": {"cpu": "200m"}}}
    service = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "wide", "namespace": "tight"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    hearth.apply(service)
    failed = "jsonpath={.status.conditions[?(@.type=='ConfigurationsReady')].message}"
    wait_until(
        lambda: (
            "forbidden: exceeded quota: cpu, requested: cpu=200m, used: cpu=0, limited: cpu=50m"
            in hearth.kubectl("get", "ksvc", "wide", "-n", "tight", "-o", failed).stdout
        ),
        what="the words of the quota in the Service",
    )
    raised = json.dumps({"spec": {"hard": {"cpu": "1", "pods": "5"}}})
    hearth.kubectl("patch", "quota", "cpu", "-n", "tight", "--type=merge", "-p", raised)
    hearth.kubectl("wait", "--for=condition=Ready", "ksvc/wide", "-n", "tight", "--timeout=90s")

    def rows() -> list[list[str]]:
        described = hearth.kubectl("describe", "quota", "cpu", "-n", "tight").stdout
        return [row.split() for row in described.splitlines()]

    wait_until(lambda: ["cpu", "200m", "1"] in rows(), what="what is used of the quota")
    hearth.kubectl("delete", "namespace", "tight", "--wait=false")
