"""What runs, exported in three forms, gives the same objects where there are none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.support import ROOT, Hearth, kubectl_binary

HELM = ROOT / "tests" / "component" / "install" / "helm.py"
KINDS = "ksvc,trigger,broker,pingsource,sinkbinding,deployment,service,secret,configmap"
LABELS = ("helm.sh/chart", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by")
TOLD = ("K_SINK", "K_CE_OVERRIDES")
OBJECTS = """\
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {password: s3cret}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {greeting: "hello {{ name }}"}
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: shop, labels: {team: blue}}
spec:
  template:
    metadata:
      annotations: {autoscaling.knative.dev/max-scale: "3", autoscaling.knative.dev/window: 6s}
    spec:
      containerConcurrency: 7
      containers:
        - image: hearth.dev/samples/hello
          env:
            - {name: WORD, value: "{{ two }}"}
            - {name: PW, valueFrom: {secretKeyRef: {name: db, key: password}}}
          envFrom: [{configMapRef: {name: conf}}]
          resources: {limits: {memory: 100Mi}}
---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: orders}
spec:
  broker: default
  filter: {attributes: {type: order}}
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: shop}}
---
apiVersion: sources.knative.dev/v1
kind: PingSource
metadata: {name: tick}
spec:
  schedule: "*/5 * * * *"
  data: '{"a": 1}'
  sink: {ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: default}}
---
apiVersion: sources.knative.dev/v1
kind: SinkBinding
metadata: {name: tells}
spec:
  subject: {apiVersion: serving.knative.dev/v1, kind: Service, name: shop}
  sink: {ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: default}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  replicas: 0
  selector: {matchLabels: {app: worker}}
  template:
    metadata: {labels: {app: worker}}
    spec: {containers: [{name: worker, image: "ghcr.io/me/worker:1"}]}
---
apiVersion: v1
kind: Service
metadata: {name: worker}
spec: {selector: {app: worker}, ports: [{port: 80, targetPort: 8080}]}
"""

pytestmark = pytest.mark.kubectl


@pytest.fixture(scope="module")
def running(hearth: Hearth) -> dict[str, Any]:
    """Objects of an application as the server completed them."""
    hearth.kubectl("apply", "-f", "-", stdin=OBJECTS)
    hearth.kubectl("wait", "--for=condition=Ready", "ksvc/shop", "--timeout=90s")
    return wanted(hearth, "default")


def wanted(hearth: Hearth, namespace: str) -> dict[str, Any]:
    """What is asked for in a namespace, by kind and name: specs, labels, annotations, data."""
    found = hearth.get_json(KINDS, "-n", namespace)["items"]
    return {
        f"{obj['kind']}/{obj['metadata']['name']}": _wanted(obj, namespace)
        for obj in found
        if not obj["metadata"].get("ownerReferences") and obj["metadata"]["name"] != "kubernetes"
    }


def _wanted(obj: dict[str, Any], namespace: str) -> dict[str, Any]:
    for key in ("clusterIP", "clusterIPs"):
        obj.get("spec", {}).pop(key, None)
    for container in obj.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []):
        env = [each for each in container.get("env", []) if each["name"] not in TOLD]
        container["env"] = env
    labels = {k: v for k, v in obj["metadata"].get("labels", {}).items() if k not in LABELS}
    noted = (
        "kubectl.kubernetes.io/last-applied-configuration",
        "deployment.kubernetes.io/revision",
    )
    annotations = obj["metadata"].get("annotations", {})
    kept = {k: v for k, v in annotations.items() if k not in noted}
    shown = {"spec": obj.get("spec"), "labels": labels, "annotations": kept}
    data = list(obj["data"]) if obj["kind"] == "Secret" else obj.get("data")
    text = json.dumps({**shown, "data": data}, sort_keys=True)
    result: dict[str, Any] = json.loads(text.replace(f'"{namespace}"', '"NAMESPACE"'))
    return result


def applied(hearth: Hearth, namespace: str, text: str) -> dict[str, Any]:
    hearth.kubectl("create", "namespace", namespace)
    hearth.kubectl("apply", "-n", namespace, "-f", "-", stdin=text)
    return wanted(hearth, namespace)


def _same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    # "default" is also the Broker's name: it is one and the same word in the first namespace.
    as_text = json.dumps(found).replace('"default"', '"NAMESPACE"')
    assert json.loads(as_text) == expected


def test_manifests(hearth: Hearth, running: dict[str, Any]) -> None:
    done = hearth.run("export", "shop", "worker", "--manifests", "-")
    assert "s3cret" not in done.stdout and "status:" not in done.stdout
    assert "Secret db: its values are not exported" in done.stderr
    assert "hearth.dev/samples/hello, which only this machine knows" in done.stderr
    shop = next(
        obj for obj in yaml.safe_load_all(done.stdout)
        if (obj["kind"], obj["metadata"]["name"]) == ("Service", "shop")
    )  # fmt: skip
    assert shop["spec"] == list(yaml.safe_load_all(OBJECTS))[2]["spec"]  # no default, no more
    _same(applied(hearth, "again", done.stdout), running)


def test_a_kustomization(hearth: Hearth, running: dict[str, Any], tmp_path: Path) -> None:
    of_a_cluster = ("--kubeconfig", hearth.kubeconfig)
    hearth.run("export", "shop", "worker", "--kustomize", str(tmp_path / "k"), *of_a_cluster)
    folder = tmp_path / "k" / "overlays" / "production"
    command = [kubectl_binary(), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    _same(applied(hearth, "kust", done.stdout), running)


def test_a_chart(hearth: Hearth, running: dict[str, Any], tmp_path: Path) -> None:
    hearth.run("export", "shop", "worker", "--helm", str(tmp_path / "shop"))
    given = {"secrets": {"db": {"password": "x"}}}
    more = {"shop": {"minScale": 1, "maxScale": 1000000, "env": {"WORD": "three"}}}
    done = subprocess.run(
        [sys.executable, str(HELM), str(tmp_path / "shop")],
        input=json.dumps([given, {}, more, {"shop": {"minscale": 1}}]),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert answer["lint"]["errors"] == []
    assert [each for each in answer["lint"]["messages"] if each["severity"] > 1] == []
    given, plain, changed, wrong = answer["answers"]
    assert "minscale" in wrong["error"]
    assert "The Secret db was not made" in plain["notes"]
    assert "The Secret db" not in given["notes"]
    assert "Secret" not in {obj["kind"] for obj in plain["objects"]}
    template = next(o for o in changed["objects"] if o["metadata"]["name"] == "shop")["spec"]
    annotations = template["template"]["metadata"]["annotations"]
    assert annotations["autoscaling.knative.dev/min-scale"] == "1"
    assert annotations["autoscaling.knative.dev/max-scale"] == "1000000"
    assert template["template"]["spec"]["containers"][0]["env"][0]["value"] == "three"
    _same(applied(hearth, "chart", yaml.safe_dump_all(given["objects"])), running)


WEB = """\
import os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"from a folder")


HTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"""


def test_drafted_deployed_exported_validated(hearth: Hearth, tmp_path: Path) -> None:
    web = tmp_path / "web"
    web.mkdir()
    (web / "main.py").write_text(WEB)
    done = hearth.run("init", str(web))
    assert "COMMAND=python main.py" in done.stdout
    assert hearth.run("validate", str(web), "--strict").returncode == 0
    done = hearth.run("deploy", str(web))
    assert "main.py is run as a program" in done.stdout  # not the Dockerfile: it needs no engine
    assert hearth.request("web").body == "from a folder"
    done = hearth.run("export", "ksvc/web", "--manifests", str(tmp_path / "web.yaml"))
    assert f"--registry HOST/PATH makes an image of {web} and pushes it" in done.stderr
    done = hearth.run("validate", str(tmp_path / "web.yaml"))
    assert "[local-image]" in done.stdout and "error" not in done.stdout
