"""Any cluster where Hearth is installed, with the real commands. No package of ours here.

`HEARTH_TEST_KUBECONFIG` is its kubeconfig, `HEARTH_TEST_REGISTRY` (HOST/PATH) a registry that this
machine may push to and its nodes pull from, `HEARTH_TEST_BASE` an image with Python there, for
where `python:3.11-slim` cannot be had; pods of Hearth ask that registry, too. Hearth has the
overlays `pipelines`, `serverlessservices` and `servicebinding`.
"""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.support import Answer, hearth_command

KUBECONFIG, REGISTRY = (os.environ.get(f"HEARTH_TEST_{n}", "") for n in ("KUBECONFIG", "REGISTRY"))
BASE = os.environ.get("HEARTH_TEST_BASE", "python:3.11-slim")


def hearth(*arguments: str, check: bool = True) -> str:
    done = hearth_command(*arguments, "--kubeconfig", KUBECONFIG, check=check)
    assert check or done.returncode == 1
    return done.stdout + done.stderr


def kubectl(*arguments: str) -> Any:
    command = ["kubectl", "--kubeconfig", KUBECONFIG, *arguments, "-o", "json"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout or b"null")


@contextmanager
def apply(*objects: dict[str, Any]) -> Iterator[None]:
    """Objects that are there meanwhile."""
    try:
        change(*objects)
        yield
    finally:
        change(*objects, verb="delete")


def change(*objects: dict[str, Any], verb: str = "apply") -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}).encode()
    command = ["kubectl", "--kubeconfig", KUBECONFIG, verb, "-f", "-"]
    subprocess.run(command, input=text, check=True, timeout=60)


def is_ready(kind: str, name: str) -> bool:
    found = kubectl("get", kind, name)
    status = found.get("status") or {}
    ready = {each["type"]: each["status"] for each in status.get("conditions") or ()}
    is_observed = status.get("observedGeneration") == found["metadata"]["generation"]
    return is_observed and ready.get("Ready") == "True"


def deploy(folder: Path, *more: str) -> str:
    return hearth("deploy", str(folder), "--registry", REGISTRY, "--base", BASE, *more)


def host_of(service: str) -> str:
    return str(kubectl("get", "ksvc", service)["status"]["url"]).partition("://")[2]


def ask(gateway: str, name: str) -> str:
    services = {each["metadata"]["name"]: each for each in kubectl("get", "ksvc")["items"]}
    tag, _, service = name.rpartition("/")
    traffic = services[service]["status"]["traffic"]
    urls = [services[service]["status"]["url"], *(e["url"] for e in traffic if e.get("tag") == tag)]
    answer = get(gateway, urls[-1 if tag else 0].partition("://")[2])
    assert answer.status == 200, answer
    return answer.body


def get(gateway: str, host: str, path: str = "", /, **headers: str) -> Answer:
    request = urllib.request.Request(gateway + path, headers={"Host": host, **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return _read(answer)
    except urllib.error.HTTPError as error:
        with error:
            return _read(error)


def _read(answer: Any) -> Answer:
    head = {key.lower(): value for key, value in answer.headers.items()}
    return Answer(answer.status, answer.read().decode(), head)
