"""``hearth up --tls`` as a user has it: whom to trust is told, and curl and kubectl see https."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.support import Hearth, a_service, hearth_command, wait_until

HELLO = {"apiVersion": "serving.knative.dev/v1", "kind": "Service"}


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hearth]:
    data_dir = tmp_path_factory.mktemp("hearth-tls")
    ports = ("--port", "0", "--tls-port", "0")
    said = hearth_command("up", "--tls", "--detach", *ports, data_dir=data_dir).stdout
    state = json.loads((data_dir / "state.json").read_text())
    assert f"authority    {data_dir}/tls/ca.crt" in said
    assert f"curl --cacert {data_dir}/tls/ca.crt https://hello.default.localhost:" in said
    running = Hearth(data_dir, state)
    try:
        yield running
    finally:
        running.run("down")


def curl(secured: Hearth, url: str, *options: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("curl")
    if program is None:
        pytest.skip("there is no curl")
    words = [program, "-sS", "--max-time", "60", *options, url]
    return subprocess.run(words, capture_output=True, text=True, timeout=90, check=False)


def trusting(secured: Hearth) -> tuple[str, str]:
    return ("--cacert", str(secured.data_dir / "tls" / "ca.crt"))


def url_of(secured: Hearth, kind: str, name: str) -> str:
    """The URL, once it is ready and says https."""

    def ready() -> str:
        obj = secured.get_json(kind, name)
        conditions = (obj.get("status") or {}).get("conditions") or ()
        is_ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        url = (obj.get("status") or {}).get("url", "")
        return url if is_ready and url.startswith("https://") else ""

    found: str = wait_until(ready, what=f"{kind} {name} ready with https")
    return found


def test_a_service_is_served_by_https(secured: Hearth) -> None:
    secured.apply(a_service("hello"))
    url = url_of(secured, "ksvc", "hello")
    port = secured.state["ports"]["gateway-tls"]
    assert url == f"https://hello.default.localhost:{port}"
    assert url in secured.kubectl("get", "ksvc", "hello").stdout
    done = curl(secured, url, *trusting(secured), "-w", "%{http_version} %{ssl_verify_result}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("2 0")
    # Who does not trust the authority is not served unnoticed; plain http goes on.
    assert curl(secured, url).returncode == 60
    assert secured.request("hello").status == 200


def test_the_status_tells_where_and_whom_to_trust(secured: Hearth) -> None:
    status = secured.status()
    assert status["https"] == f"https://localhost:{secured.state['ports']['gateway-tls']}"
    assert Path(status["authority"]).read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert "authority" in secured.run("status", check=False).stdout


def test_a_tag_gets_a_certificate_too(secured: Hearth) -> None:
    service = a_service("tagged")
    service["spec"]["traffic"] = [{"latestRevision": True, "percent": 100, "tag": "next"}]
    secured.apply(service)
    url = url_of(secured, "ksvc", "tagged").replace("tagged.", "next-tagged.", 1)
    done = wait_until(
        lambda: (r := curl(secured, url, *trusting(secured))).returncode == 0 and r,
        what="the tag by https",
    )
    assert "Hello" in done.stdout


def test_a_certificate_of_ones_own(secured: Hearth) -> None:
    """Here one that is signed for a Service; it need not be of the name to be shown."""
    secured.apply(a_service("own"))
    url_of(secured, "ksvc", "own")
    secrets = secured.get_json("secrets")["items"]
    made = next(s for s in secrets if s["type"] == "kubernetes.io/tls")
    data = {key: made["data"][key] for key in ("tls.crt", "tls.key")}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "mine"},
        "type": "kubernetes.io/tls",
        "data": data,
    }
    name = "shop.example.test"
    claim = {
        "apiVersion": "networking.internal.knative.dev/v1alpha1",
        "kind": "ClusterDomainClaim",
        "metadata": {"name": name},
        "spec": {"namespace": "default"},
    }
    reference = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "own"}
    mapping = {
        "apiVersion": "serving.knative.dev/v1beta1",
        "kind": "DomainMapping",
        "metadata": {"name": name},
        "spec": {"ref": reference, "tls": {"secretName": "mine"}},
    }
    secured.apply(claim, secret, mapping)
    url = url_of(secured, "domainmapping", name)
    port = secured.state["ports"]["gateway-tls"]
    assert url == f"https://{name}:{port}"
    where = ("--resolve", f"{name}:{port}:127.0.0.1")
    done = curl(secured, url, "--insecure", *where)
    assert "Hello" in done.stdout, done.stderr
    assert base64.b64decode(data["tls.crt"]).startswith(b"-----BEGIN")


def test_a_name_that_the_authority_does_not_vouch_for_stays_with_http(secured: Hearth) -> None:
    name = "plain.example.test"
    claim = {
        "apiVersion": "networking.internal.knative.dev/v1alpha1",
        "kind": "ClusterDomainClaim",
        "metadata": {"name": name},
        "spec": {"namespace": "default"},
    }
    reference = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "hello"}
    mapping = {
        "apiVersion": "serving.knative.dev/v1beta1",
        "kind": "DomainMapping",
        "metadata": {"name": name},
        "spec": {"ref": reference},
    }
    secured.apply(claim, mapping)

    def ready() -> bool:
        status = secured.get_json("domainmapping", name).get("status") or {}
        found = {c["type"]: c for c in status.get("conditions") or ()}
        is_downgraded = found.get("CertificateProvisioned", {}).get("reason") == "HTTPDowngrade"
        return is_downgraded and bool(found["Ready"]["status"] == "True")

    wait_until(ready, what="the mapping ready by http")
    assert secured.get_json("domainmapping", name)["status"]["url"].startswith("http://")


def test_webhooks_come_by_https(secured: Hearth) -> None:
    secured.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "hook", "namespace": "default"},
            "stringData": {"token": "t"},
        },
        {
            "apiVersion": "sources.hearth.dev/v1alpha1",
            "kind": "WebhookSource",
            "metadata": {"name": "hook", "namespace": "default"},
            "spec": {
                "sender": "stripe",
                "secrets": [{"secretKeyRef": {"name": "hook", "key": "token"}}],
                "sink": {"ref": {**HELLO, "name": "hello"}},
            },
        },
    )
    assert "https://hooks.localhost:" in url_of(secured, "webhooksource", "hook")
    said = secured.run("event", "hook", "hook", "--id", "evt_1", check=False)
    assert said.stdout == "202 Accepted: delivery evt_1\n", said.stderr


def test_a_function_is_invoked_by_https(secured: Hearth, tmp_path: Path) -> None:
    folder = tmp_path / "fn"
    secured.run("func", "create", str(folder))
    secured.run("func", "deploy", "--path", str(folder))
    assert url_of(secured, "ksvc", "fn").startswith("https://fn.default.localhost:")
    assert secured.run("func", "invoke", "--path", str(folder), "--target", "remote").stdout.strip()
