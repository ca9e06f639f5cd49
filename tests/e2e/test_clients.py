"""Other people's clients: the official Python client in its forms, and an operator on kopf."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.support import Hearth, a_service, wait_until


@pytest.fixture(scope="module")
def api(hearth: Hearth) -> Iterator[Any]:
    from kubernetes import client, config

    configuration = client.Configuration()
    config.load_kube_config(hearth.kubeconfig, client_configuration=configuration)
    with client.ApiClient(configuration) as made:
        yield made


def test_official_client_reads_and_writes_typed_objects(api: Any) -> None:
    from kubernetes import client

    core = client.CoreV1Api(api)
    meta = client.V1ObjectMeta(name="typed", labels={"a": "b"})
    core.create_namespaced_config_map("default", client.V1ConfigMap(metadata=meta, data={"k": "v"}))
    listed = core.list_namespaced_config_map("default", label_selector="a=b")
    assert [item.metadata.name for item in listed.items if item.metadata] == ["typed"]
    with pytest.raises(client.ApiException) as refused:
        core.create_namespaced_config_map("default", client.V1ConfigMap(metadata=meta))
    assert refused.value.status == 409
    assert json.loads(refused.value.body or "")["reason"] == "AlreadyExists"


def test_official_client_watches(api: Any) -> None:
    from kubernetes import client, watch

    core = client.CoreV1Api(api)
    listed = core.list_namespaced_config_map("default").metadata
    assert listed is not None
    version = listed.resource_version
    meta = client.V1ObjectMeta(name="watched")
    core.create_namespaced_config_map("default", client.V1ConfigMap(metadata=meta))
    stream = watch.Watch().stream(
        core.list_namespaced_config_map, "default", resource_version=version, timeout_seconds=10
    )
    event = next(iter(stream))
    stream.close()
    assert (event["type"], event["object"].metadata.name) == ("ADDED", "watched")


def test_dynamic_client_knows_the_kinds_of_knative(api: Any) -> None:
    from kubernetes import dynamic

    services = dynamic.DynamicClient(api).resources.get(
        api_version="serving.knative.dev/v1", kind="Service"
    )
    services.create(body=a_service("dynamic"), namespace="default")

    def is_ready() -> bool:
        status = services.get("dynamic", "default").to_dict().get("status") or {}
        conditions = status.get("conditions") or []
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    wait_until(is_ready, what="the service ready")
    services.delete("dynamic", "default")


def test_an_operator_on_kopf_runs(hearth: Hearth, tmp_path: Path) -> None:
    operator = tmp_path / "operator.py"
    operator.write_text(
        textwrap.dedent(
            """
            import kopf

            @kopf.on.create("", "v1", "configmaps", labels={"kopf": "yes"})
            def created(patch, **_):
                patch.setdefault("data", {})["seen"] = "by kopf"
            """
        )
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "kopf", "run", "--standalone", "-n", "default", str(operator)],
        env={"KUBECONFIG": hearth.kubeconfig, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "for-kopf", "labels": {"kopf": "yes"}},
        }
        path = "/api/v1/namespaces/default/configmaps"
        call(hearth, "POST", path, body)
        wait_until(
            lambda: (
                (call(hearth, "GET", f"{path}/for-kopf")["data"] or {}).get("seen")
                if "data" in call(hearth, "GET", f"{path}/for-kopf")
                else None
            ),
            what="the operator's change",
        )
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors


def call(hearth: Hearth, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
    """One raw request with the kubeconfig's credentials (or another token)."""
    import base64
    import ssl

    import yaml

    config = yaml.safe_load(Path(hearth.kubeconfig).read_text())
    cluster = config["clusters"][0]["cluster"]
    context = ssl.create_default_context(
        cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
    )
    request = urllib.request.Request(
        cluster["server"] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {token or config['users'][0]['user']['token']}",
            "Content-Type": "application/json",
        },
    )
    with contextlib.closing(urllib.request.urlopen(request, context=context)) as answer:
        return json.loads(answer.read())


def test_nobody_without_the_token_gets_in(hearth: Hearth) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        call(hearth, "GET", "/api/v1/secrets", token="guess")
    assert refused.value.code == 401
    refused.value.close()
    assert Path(hearth.kubeconfig).stat().st_mode & 0o077 == 0
