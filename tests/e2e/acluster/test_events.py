"""Webhooks, pipelines, bindings and the live page of a cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.acluster.cluster import KUBECONFIG, apply, ask, deploy, hearth, is_ready, kubectl
from tests.e2e.support import wait_until

ME = os.getpid()
HOOK, PIPELINE, SHOP = f"github-{ME}", f"build-{ME}", f"bound-{ME}"
SCRIPT = """
from hearth.pipelines import job, on, parallel, workspace


def compile(target):
    print("compiling", target)
    (workspace() / target).write_text(target)


def pack():
    return sorted(each.name for each in workspace().iterdir() if each.is_file())


@on("github:push", ref="refs/heads/MINE")
def push(event):
    each = [job(name, compile, name, workspace=True) for name in ("arm", "amd")]
    parallel(*each)
    return job("pack", pack, workspace=True).run().value
"""
BOUND = """
import os
from pathlib import Path

def handle(request):
    root = Path(os.environ["SERVICE_BINDING_ROOT"])
    return {"host": (root / "orders/host").read_text(), "PGHOST": os.environ["PGHOST"]}
"""
PAGE_HEADERS = {"Host": "hearth.localhost", "x-hearth-page": "1"}


@pytest.fixture(scope="module")
def webhook() -> Iterator[str]:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": HOOK},
        "stringData": {"token": "a-secret-that-the-sender-has-too"},
    }
    sink = {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "default"}
    source = {
        "apiVersion": "sources.hearth.dev/v1alpha1",
        "kind": "WebhookSource",
        "metadata": {"name": HOOK},
        "spec": {
            "sender": "github",
            "secrets": [{"secretKeyRef": {"name": HOOK, "key": "token"}}],
            "sink": {"ref": sink},
        },
    }
    hearth("event", "create-broker")
    with apply(secret, source):
        yield HOOK


def test_a_webhook_starts_a_pipeline_whose_jobs_are_pods(webhook: str, tmp_path: Path) -> None:
    script, payload = tmp_path / f"{PIPELINE}.py", tmp_path / "push.json"
    script.write_text(SCRIPT.replace("MINE", PIPELINE))
    payload.write_text(json.dumps({"ref": f"refs/heads/{PIPELINE}"}))
    hearth("pipeline", "create", str(script))
    try:
        wait_until(lambda: is_ready("webhooksource", webhook), seconds=60, what="the source")
        wait_until(lambda: is_ready("pipeline", PIPELINE), seconds=60, what="the pipeline")
        sent = ("event", "hook", webhook, "--event", "push", "--payload", str(payload))
        assert hearth(*sent).startswith("202 Accepted")
        wait_until(lambda: runs(), seconds=60, what="a run")
        [run] = runs()
        name = run["metadata"]["name"]
        assert "pack: Succeeded" in hearth("run", "follow", name)
        [run] = runs()
        assert run["status"]["summary"] == ["amd", "arm"]
        assert "compiling arm" in hearth("run", "logs", name, "--job", "arm")
    finally:
        hearth("pipeline", "delete", PIPELINE)


def test_a_delivery_with_a_wrong_signature_is_refused(webhook: str, gateway: str) -> None:
    wait_until(lambda: is_ready("webhooksource", webhook), seconds=60, what="the source")
    url = kubectl("get", "webhooksource", webhook)["status"]["url"].partition("://")[2]
    host, _, path = url.partition("/")
    signed = {"X-Hub-Signature-256": "sha256=00", "X-GitHub-Event": "push"}
    head = {"Host": host, "X-GitHub-Delivery": "1", **signed}
    request = urllib.request.Request(f"{gateway}/{path}", data=b"{}", headers=head)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=30)


def test_a_service_gets_what_it_is_bound_to_and_is_seen(tmp_path: Path, gateway: str) -> None:
    folder = tmp_path / SHOP
    folder.mkdir()
    (folder / "func.py").write_text(BOUND)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SHOP},
        "stringData": {"type": "postgresql", "host": "db.example.com"},
    }
    with apply(secret):
        deploy(folder, "--bind", f"{SHOP}=orders")
        try:
            given = json.loads(ask(gateway, SHOP))
            assert given == {"host": "db.example.com", "PGHOST": "db.example.com"}
            assert f"Service {SHOP}" in hearth("bindings")
            with the_page() as lines:
                assert any(asked_for(line, SHOP) for line in lines if ask(gateway, SHOP))
            [row] = [each for each in top() if each["name"] == SHOP]
            assert row["ready"] == "True" and row["pods"] == row["readyPods"] == 1
        finally:
            hearth("delete", SHOP)


def test_the_cluster_is_well() -> None:
    assert json.loads(hearth("doctor", "-o", "json"))["healthy"]


def runs() -> list[dict[str, Any]]:
    said = hearth("run", "list", "--pipeline", PIPELINE, "-o", "json")
    listed: list[dict[str, Any]] = json.loads(said)["items"]
    return listed


def top() -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(hearth("top", "-o", "json"))["services"]
    return listed


@contextmanager
def the_page() -> Iterator[Iterator[bytes]]:
    """Yield the lines of its stream."""
    words = (sys.executable, "-m", "hearth.cli", "ui", "--no-browser", "--kubeconfig", KUBECONFIG)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = next(line.strip() for line in process.stdout if line.startswith("http://"))
            base, _, code = url.replace("hearth.localhost", "127.0.0.1").partition("/#")
            with page(f"{base}/login", json.dumps({"code": code}).encode()) as answer:
                cookie = answer.headers["Set-Cookie"].partition(";")[0]
            with page(f"{base}/api/stream", None, cookie) as answer:
                yield iter(answer)
        finally:
            process.send_signal(signal.SIGINT)


def page(url: str, body: bytes | None, cookie: str = "") -> Any:
    head = {**PAGE_HEADERS, "Content-Type": "application/json", "Cookie": cookie}
    return urllib.request.urlopen(urllib.request.Request(url, body, head), timeout=60)


def asked_for(line: bytes, service: str) -> bool:
    """Whether a line tells of requests to a Service."""
    told = json.loads(line[5:]) if line.startswith(b"data:") else {}
    rates = (told.get("rows") or told.get("tables") or {}).get("rates") or {}
    return bool((rates.get(f"default/{service}-00001") or {}).get("rps"))
